/**
 * Entries about strangers: refused logins and rate-limit hits, without letting strangers fill the log.
 *
 * The first ten of an address and minute are entries; the rest of that minute is one entry with the count, written
 * when the minute is over.
 */
import { Records, Time, Transitions, type AuditRecord } from "@jitsudo/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const perMinute = 10
/** Addresses remembered at once; beyond it the oldest window is closed early. */
const mostAddresses = 10_000

interface Window {
  readonly minute: number
  readonly action: AuditRecord.AuditAction
  count: number
}

export class RefusedLog extends Context.Service<
  RefusedLog,
  {
    /** Never fails: a refusal stands whether or not it could be recorded, and the trouble is logged. */
    readonly refused: (what: {
      readonly action: "auth.refused" | "rate.limited"
      readonly address: string
      readonly reason: string
      readonly issuer: string | null
    }) => Effect.Effect<void>
  }
>()("@jitsudo/server/RefusedLog") {}

const anonymous: AuditRecord.Actor = { issuer: "", subject: "", email: null, kind: "human" }

export const layer: Layer.Layer<RefusedLog, never, Transitions.Transitions> = Layer.effect(
  RefusedLog,
  Effect.gen(function* () {
    const transitions = yield* Transitions.Transitions
    const windows = new Map<string, Window>()

    const write = (action: AuditRecord.AuditAction, details: AuditRecord.AuditRecord["details"]) =>
      Effect.gen(function* () {
        const { now } = yield* transitions.facts({})
        yield* transitions.commit({ now, records: [Records.plain(anonymous, action, "refused", details)] })
      }).pipe(Effect.catch((error) => Effect.logWarning(`a refusal could not be recorded: ${error._tag}`)))

    const close = (address: string, window: Window) =>
      window.count > perMinute
        ? write("auth.refused_many", {
            address,
            of: window.action,
            count: window.count - perMinute,
            minute: Time.toRfc3339(Time.make(window.minute * 60_000))
          })
        : Effect.void

    const sweep = (minute: number) =>
      Effect.forEach(
        [...windows].filter(([, window], index) => window.minute < minute || index < windows.size - mostAddresses),
        ([key, window]) => {
          windows.delete(key)
          return close(key.slice(key.indexOf(" ") + 1), window)
        },
        { discard: true }
      )

    yield* Effect.forkScoped(
      Effect.forever(
        Effect.andThen(
          Effect.sleep("20 seconds"),
          Effect.flatMap(
            Effect.clockWith((clock) => clock.currentTimeMillis),
            (millis) => sweep(Math.floor(millis / 60_000))
          )
        )
      )
    )
    yield* Effect.addFinalizer(() => Effect.ignore(sweep(Number.MAX_SAFE_INTEGER)))

    return RefusedLog.of({
      refused: Effect.fn("RefusedLog.refused")(function* (what) {
        const millis = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const minute = Math.floor(millis / 60_000)
        const key = `${what.action} ${what.address}`
        const open = windows.get(key)
        if (open === undefined || open.minute !== minute) {
          if (open !== undefined) yield* close(what.address, open)
          windows.set(key, { minute, action: what.action, count: 1 })
        } else {
          open.count++
          if (open.count > perMinute) return
        }
        if (windows.size > mostAddresses) yield* sweep(minute)
        yield* write(what.action, { address: what.address, reason: what.reason, issuer: what.issuer })
      })
    })
  })
)
