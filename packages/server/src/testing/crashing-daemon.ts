/**
 * The daemon with numbered places where it stops, for crash tests: run as a process of its own.
 *
 * `JITSUDO_TEST_CRASH=<point>:<n>:<kill|stop>` kills or pauses this process the n-th time that it passes the point.
 * The configuration is a file named by the first argument; the second is `postgres` or `embedded` for nothing but a
 * clearer process list. Not part of `jitsudod`: the daemon has no such switch.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { CrashPoints } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Config from "../Config.ts"
import * as Log from "../Log.ts"
import { daemon } from "../Main.ts"

const [point = "", nth = "1", how = "kill"] = (process.env["JITSUDO_TEST_CRASH"] ?? "").split(":")
let passed = 0

const crash = Layer.succeed(CrashPoints.CrashPoints, {
  at: (name: CrashPoints.CrashPoint) =>
    Effect.sync(() => {
      if (name !== point || ++passed !== Number(nth)) return
      process.kill(process.pid, how === "stop" ? "SIGSTOP" : "SIGKILL")
    })
})

const announce = Layer.effectDiscard(
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    process.stdout.write(`${JSON.stringify({ api: HttpServer.formatAddress(address) })}\n`)
  })
)

const program = Effect.gen(function* () {
  const config = yield* Config.load({ file: process.argv[2] ?? "", env: {} })
  yield* Layer.launch(
    announce.pipe(
      Layer.provideMerge(daemon({ config, development: true, migrate: true }, "crash-test")),
      Layer.provide(crash),
      Layer.provide(Log.layer(config.log))
    )
  )
})

NodeRuntime.runMain(program)
