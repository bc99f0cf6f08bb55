/**
 * Entries about strangers: refused logins and rate-limit hits, without letting strangers fill the log.
 *
 * 1. The first ten of an address (IPv6: of a /64) and minute are entries; the rest of that minute is one entry with the
 *    count, written when the minute is over.
 * 2. All addresses together get a thousand entries a minute; what is beyond is counted under the address `*`.
 * 3. Memory is bounded, however many addresses there are.
 */
import { Records, Time, Transitions, type AuditRecord } from "@jitsudo/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { networkOf } from "./Address.ts"

/** Entries of one address in a minute. */
export const entriesPerAddress = 10
/** Entries of all addresses in a minute. */
export const entriesPerMinute = 1000

type Action = "auth.refused" | "rate.limited"

interface Window {
  readonly minute: number
  readonly action: Action
  readonly address: string
  /** Refusals that are entries of their own. */
  readonly written: number
  readonly count: number
}

export class RefusedLog extends Context.Service<
  RefusedLog,
  {
    /** Never fails: a refusal stands whether or not it could be recorded, and the trouble is logged. */
    readonly refused: (what: {
      readonly action: Action
      readonly address: string
      readonly reason: string
      readonly issuer: string | null
    }) => Effect.Effect<void>
  }
>()("@jitsudo/server/RefusedLog") {}

const anonymous: AuditRecord.Actor = { issuer: "", subject: "", email: null, kind: "human" }

const minuteNow = Effect.clockWith((clock) => Effect.map(clock.currentTimeMillis, (now) => Math.floor(now / 60_000)))

export const layer: Layer.Layer<RefusedLog, never, Transitions.Transitions> = Layer.effect(
  RefusedLog,
  Effect.gen(function* () {
    const transitions = yield* Transitions.Transitions
    /** Of the current minute; at most `entriesPerMinute` addresses and `*`, for each action. */
    let windows = new Map<string, Window>()
    let current = 0
    let spent = 0

    const write = (action: AuditRecord.AuditAction, details: AuditRecord.AuditRecord["details"]) =>
      transitions
        .state([Records.plain(anonymous, action, "refused", details)])
        .pipe(Effect.catch((error) => Effect.logWarning(`a refusal could not be recorded: ${error.message}`)))

    /** Begins a minute: what was only counted in the one before becomes entries. */
    const turn = (minute: number) =>
      Effect.suspend(() => {
        if (minute === current) return Effect.void
        const over = windows
        windows = new Map()
        current = minute
        spent = 0
        return Effect.forEach(
          [...over.values()].filter((window) => window.count > window.written),
          (window) =>
            write("auth.refused_many", {
              address: window.address,
              of: window.action,
              count: window.count - window.written,
              minute: Time.toRfc3339(Time.make(window.minute * 60_000))
            }),
          { discard: true }
        )
      })

    /** Counts one; true when it is an entry of its own. */
    const count = (action: Action, network: string, minute: number): boolean => {
      const own = `${action} ${network}`
      const address = windows.has(own) || spent < entriesPerMinute ? network : "*"
      const key = `${action} ${address}`
      const window = windows.get(key) ?? { minute, action, address, written: 0, count: 0 }
      const isEntry = window.written < entriesPerAddress && spent < entriesPerMinute && address !== "*"
      if (isEntry) spent++
      windows.set(key, { ...window, written: window.written + (isEntry ? 1 : 0), count: window.count + 1 })
      return isEntry
    }

    yield* Effect.forkScoped(
      Effect.forever(Effect.andThen(Effect.sleep("10 seconds"), Effect.flatMap(minuteNow, turn)))
    )
    yield* Effect.addFinalizer(() => turn(Number.MAX_SAFE_INTEGER))

    return RefusedLog.of({
      refused: Effect.fn("RefusedLog.refused")(function* (what) {
        const minute = yield* minuteNow
        yield* turn(minute)
        if (!count(what.action, networkOf(what.address), minute)) return
        yield* write(what.action, { address: what.address, reason: what.reason, issuer: what.issuer })
      })
    })
  })
)
