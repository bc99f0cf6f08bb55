/**
 * The daemon as crash and race tests run it, a process of its own: with numbered places where it dies or pauses, with
 * times that no configuration can say, and with faults on purpose, so that a test can show that it would see them.
 *
 * The first argument is the configuration's file, the second a file with a `Drill`. On standard output: one line
 * `{"api": url}` when it listens, one line `{"reached": point}` before it ends or pauses itself. Not part of
 * `jitsudod`, which has no such switch.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { CrashPoints, Job, Reconciler, Settings, Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { readFileSync, writeSync } from "node:fs"
import { flushCompileCache } from "node:module"
import * as Config from "../Config.ts"
import * as Log from "../Log.ts"
import { daemon } from "../Main.ts"
import { Drill, type Stop } from "./Drill.ts"
import * as Sabotage from "./Sabotage.ts"

const [configFile = "", drillFile = ""] = process.argv.slice(2)
const drill = Schema.decodeUnknownSync(Schema.fromJsonString(Drill))(readFileSync(drillFile, "utf8"))

const passed = new Map<Stop, number>()

/** Ends or pauses this process if a stop is due here. The line is written before, and synchronously. */
const pass = (point: string): Effect.Effect<void> =>
  Effect.sync(() => {
    for (const stop of drill.stops) {
      if (stop.point !== point) continue
      const nth = (passed.get(stop) ?? 0) + 1
      passed.set(stop, nth)
      if (nth !== stop.nth) continue
      writeSync(1, `${JSON.stringify({ reached: point })}\n`)
      process.kill(process.pid, stop.how === "stop" ? "SIGSTOP" : "SIGKILL")
    }
  })

const actionOf = (entry: { readonly payload: string }): string => {
  const { action }: { readonly action: string } = JSON.parse(entry.payload)
  return action
}

/** Stops before and after the commit of every step, by the actions of its entries. */
const stoppingStore = Layer.effect(
  Store.Store,
  Effect.gen(function* () {
    const store = yield* Store.Store
    return Store.Store.of({
      ...store,
      commit: (step) => {
        const actions = step.entries.map(actionOf)
        const passAll = (when: "before" | "after") =>
          Effect.forEach(actions, (action) => pass(`commit.${when}:${action}`), { discard: true })
        return passAll("before").pipe(
          Effect.andThen(store.commit(step)),
          Effect.tap(() => passAll("after"))
        )
      }
    })
  })
)

const settings = Layer.effect(
  Settings.Settings,
  Effect.map(Settings.Settings, (configured) => ({ ...configured, ...drill.settings }))
)

/** Does what its own callers cause and nothing else: what is left undone is another instance's. */
const passiveJobs = Layer.effect(
  Job.Jobs,
  Effect.map(Job.Jobs, (jobs) =>
    Job.Jobs.of({
      ...jobs,
      claim: (options) => (options.id === undefined ? Effect.succeed([]) : jobs.claim(options))
    })
  )
)

const around = stoppingStore.pipe(
  Layer.merge(drill.passive ? passiveJobs : Layer.empty),
  Layer.merge(settings),
  Layer.provideMerge(Sabotage.layer(drill.sabotage))
)

const announce = Layer.effectDiscard(
  Effect.gen(function* () {
    const { address } = yield* HttpServer.HttpServer
    // A killed process never writes what it compiled, and the next one would compile it again.
    flushCompileCache()
    writeSync(1, `${JSON.stringify({ api: HttpServer.formatAddress(address) })}\n`)
  })
)

const reconciling = Layer.effectDiscard(
  Effect.gen(function* () {
    const reconciler = yield* Reconciler.Reconciler
    const every = drill.reconcileEveryMillis
    if (every === undefined) return
    yield* Effect.ignore(reconciler.run, { log: true }).pipe(
      Effect.andThen(Effect.sleep(every)),
      Effect.forever,
      Effect.forkScoped
    )
  })
)

const program = Effect.gen(function* () {
  const config = yield* Config.load({ file: configFile, env: {} })
  const migrate = config.database.data_dir !== undefined
  return yield* Layer.launch(
    Layer.merge(announce, reconciling).pipe(
      Layer.provideMerge(daemon({ config, development: false, migrate, around }, "crash-test")),
      Layer.provide(Layer.succeed(CrashPoints.CrashPoints, { at: pass })),
      Layer.provide(Log.layer(config.log))
    )
  )
})

// Whoever started it is gone: nobody else would end it.
process.stdin.on("end", () => process.kill(process.pid, "SIGKILL")).resume()

NodeRuntime.runMain(program)
