/**
 * How long the daemon takes from the start of its process until `/readyz` says that it is ready: `dev` on an empty
 * directory, `dev` again on the same one, and `serve` on PostgreSQL. As shipped: bundled, with its launcher.
 */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as BenchDatabase from "./BenchDatabase.ts"
import * as BenchIssuer from "./BenchIssuer.ts"
import { daemon } from "./Bundle.ts"
import * as DaemonProcess from "./DaemonProcess.ts"
import * as DevDaemon from "./DevDaemon.ts"
import { median } from "./Load.ts"
import * as Programs from "./Programs.ts"
import { atMost, report, row } from "./Rows.ts"

const turns = 3

const dev = (program: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const directory = yield* BenchDatabase.directory
      const ready = Effect.map(Effect.scoped(DevDaemon.start(program, directory)), ({ readyMillis }) => readyMillis)
      return { cold: yield* ready, again: yield* ready }
    })
  )

const serve = (program: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* BenchDatabase.postgresServer
      const database = yield* BenchDatabase.fresh(server)
      const issuer = yield* BenchIssuer.start
      const directory = yield* BenchDatabase.directory
      const port = yield* DaemonProcess.freePort
      const config = join(directory, "jitsudod.yaml")
      writeFileSync(
        config,
        JSON.stringify({
          server: { http_addr: `127.0.0.1:${port}` },
          database: { url: database.appUrl },
          auth: { issuers: [issuer.entry] },
          sealing: { keys: [{ id: "bench", key: randomBytes(32).toString("base64") }] },
          providers: { mock: {} }
        }),
        { mode: 0o600 }
      )
      const ready = Effect.scoped(
        DaemonProcess.start({
          program,
          args: ["serve", "--config", config],
          url: `http://127.0.0.1:${port}`,
          logFile: join(directory, "jitsudod.log")
        })
      ).pipe(Effect.map(({ readyMillis }) => readyMillis))
      // The first start fills the compile cache of the launcher.
      yield* ready
      return yield* Effect.all(Array.from({ length: turns }, () => ready))
    })
  )

const notes: Array<string> = []
const measured = Effect.gen(function* () {
  const program = yield* Effect.promise(daemon)
  const starts = yield* Effect.all(Array.from({ length: turns }, () => dev(program)))
  const served = yield* Effect.catchDefect(serve(program), (defect) => {
    if (!(defect instanceof BenchDatabase.NoPostgres)) return Effect.die(defect)
    notes.push(`serve is not measured: ${defect.message}`)
    return Effect.undefined
  })
  return { cold: starts.map((one) => one.cold), again: starts.map((one) => one.again), served }
})

const { again, cold, served } = await Effect.runPromise(measured)
const floor = { name: "ms node -e 0", value: Programs.inTurns(5, { node: Programs.nothing })("node") }
report(
  "daemon-start",
  [
    row({ row: 11, name: "dev ready, first start", value: median(cold), unit: "ms", floor, target: atMost(4_000) }),
    row({ row: 11, name: "dev ready, same directory", value: median(again), unit: "ms", floor, target: atMost(1_200) }),
    ...(served === undefined
      ? []
      : [
          row({
            row: 11,
            name: "serve ready, PostgreSQL",
            value: median(served),
            unit: "ms",
            floor,
            target: atMost(1_000)
          })
        ])
  ],
  { notes, details: { cold, again, served } }
)
