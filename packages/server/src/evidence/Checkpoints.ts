/**
 * Checkpoints in the running daemon: the loop that signs, what an operator sees of it, and the port for readers.
 *
 * A tick every half second, so that a checkpoint is there a second after an entry. While the database contradicts what
 * was signed, nothing is signed: log, alert, `jitsudo_audit_signing_refused` and readiness say so until it is put right.
 */
import { Notification } from "@jitsudo/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import { isSqlError } from "effect/sql/SqlError"
import { createHash } from "node:crypto"
import { Database } from "../store/Database.ts"
import { storeError } from "../store/SqlFailure.ts"
import { Evidence, EvidenceError } from "./Evidence.ts"
import type { Keys } from "./Keys.ts"
import * as Signing from "./Signing.ts"
import * as SqlTree from "./SqlTree.ts"

const sizeGauge = Metric.gauge("jitsudo_audit_checkpoint_size", {
  description: "Entries under the newest signed checkpoint"
})
const ticksCounter = Metric.counter("jitsudo_audit_signing_ticks_total", {
  description: "Looks at the log by this signer, by what came of them",
  incremental: true
})
const refusedGauge = Metric.gauge("jitsudo_audit_signing_refused", {
  description: "1 while the database contradicts what was signed, and nothing is signed"
})

/** Why nothing is signed now; null while all is well or nothing is to be signed. */
export class SigningStatus extends Context.Service<SigningStatus, { readonly refused: () => string | null }>()(
  "@jitsudo/server/SigningStatus"
) {}

const trouble =
  (operation: string) =>
  (error: unknown): EvidenceError => {
    if (!isSqlError(error)) {
      return new EvidenceError({
        retryable: false,
        message: error instanceof Error ? error.message : `cannot ${operation}`,
        cause: error
      })
    }
    const { message, retryable } = storeError(operation)(error)
    return new EvidenceError({ message, retryable, cause: error })
  }

/** Checkpoints and tree of this database, for readers. */
export const layerReader = (keys: Keys["all"]): Layer.Layer<Evidence, never, Database> =>
  Layer.effect(
    Evidence,
    Effect.gen(function* () {
      const { sql } = yield* Database
      const read = SqlTree.reader(sql)
      return Evidence.of({
        keys,
        latest: Effect.mapError(Signing.latest(sql), trouble("read the newest checkpoint")),
        hashes: (nodes) => Effect.mapError(read(nodes), trouble("read the log's tree"))
      })
    })
  )

export interface Options {
  readonly keys: Keys
  readonly stateFile: string
  /** Between ticks, in milliseconds. Default 500. */
  readonly everyMillis?: number
}

/** Signs until the scope ends. */
export const layerSigning = (options: Options): Layer.Layer<SigningStatus, never, Database | Notification.Notifier> =>
  Layer.effect(
    SigningStatus,
    Effect.gen(function* () {
      const notifier = yield* Notification.Notifier
      const signing = yield* Signing.make({ signer: options.keys.signer, stateFile: options.stateFile })
      const every = `${options.everyMillis ?? 500} millis` as const
      let refused: string | null = null
      /** What kind of contradiction `refused` is: said once, however its numbers move meanwhile. */
      let kind = ""
      /** The alert for `refused` has not been taken yet. */
      let untold = false
      let failing = false

      const alert = Effect.suspend(() => {
        const message = refused
        if (message === null || !untold) return Effect.void
        const id = `audit_contradicted:${createHash("sha256").update(message).digest("hex").slice(0, 24)}`
        return notifier.deliver({ id, event: "audit_contradicted", requestId: null, facts: { message } }).pipe(
          Effect.andThen(
            Effect.sync(() => {
              untold = false
            })
          ),
          Effect.catch((error) => Effect.logError(`the alert that the log was not signed: ${error.message}`))
        )
      })

      const count = (outcome: string) => Metric.update(Metric.withAttributes(ticksCounter, { outcome }), 1)

      const contradicted = (what: string, message: string) =>
        Effect.gen(function* () {
          yield* count("refused")
          if (refused === null || kind !== what) {
            refused = message
            kind = what
            untold = true
            yield* Metric.update(refusedGauge, 1)
            yield* Effect.logError(`nothing is signed: ${message}`)
          }
          yield* alert
        })

      const well = Effect.gen(function* () {
        if (refused !== null || failing) yield* Effect.logInfo("the log is signed again")
        refused = null
        untold = false
        failing = false
        yield* Metric.update(refusedGauge, 0)
      })

      const once = Effect.gen(function* () {
        const tick = yield* signing.tick
        yield* well
        yield* count(tick.kind)
        if (tick.kind !== "signed") return false
        yield* Metric.update(sizeGauge, tick.checkpoint.size)
        return tick.behind > 0
      }).pipe(
        Effect.catchTags({
          HistoryRefused: ({ message, reason }) => Effect.as(contradicted(reason, message), false),
          TreeContradicted: ({ _tag, message }) => Effect.as(contradicted(_tag, message), false),
          TreeIncomplete: ({ _tag, message }) => Effect.as(contradicted(_tag, message), false)
        }),
        Effect.catch((error) => {
          const message = isSqlError(error) ? storeError("sign the log")(error).message : error.message
          const said = failing ? Effect.void : Effect.logWarning(`no checkpoint now: ${message}`)
          failing = true
          return Effect.as(Effect.andThen(said, count("failed")), false)
        })
      )

      yield* Effect.forkScoped(
        Effect.forever(Effect.flatMap(once, (more) => (more ? Effect.yieldNow : Effect.sleep(every))))
      )
      return SigningStatus.of({ refused: () => refused })
    })
  )

/** Nothing is signed here, and the log says so once. */
export const layerUnsigned: Layer.Layer<SigningStatus> = Layer.effect(
  SigningStatus,
  Effect.as(
    Effect.logWarning(
      "the audit log is not signed: give a key in audit.signing_key_file (make one with `jitsudod audit key generate`)"
    ),
    SigningStatus.of({ refused: () => null })
  )
)
