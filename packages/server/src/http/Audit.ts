/** The audit log over HTTP: auditors read everything, others the entries of requests that they may see. */
import { Export, LogKey, Tiles } from "@jitsudo/audit"
import { Api } from "@jitsudo/client"
import type { Principal } from "@jitsudo/core"
import {
  Access,
  AuditChain,
  AuditRecord,
  ElevationError,
  Elevations,
  Records,
  Settings,
  Transitions
} from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Evidence, type EvidenceError } from "../evidence/Evidence.ts"
import * as Proving from "../evidence/Proving.ts"
import { refuseAccess } from "./AccessRefused.ts"
import { toProblem } from "./Failure.ts"
import { timeOf } from "./Requests.ts"
import * as View from "./View.ts"

const trouble = (error: AuditChain.AuditChainError): ElevationError.ElevationError =>
  new ElevationError.Unavailable({
    what: "store",
    message: "the log cannot be read now",
    retryAfterSeconds: error.retryable ? 1 : 60
  })

const unsigned = ElevationError.decline(
  "not_found",
  "the log is not signed here",
  "an administrator gives the daemon a key: audit.signing_key_file"
)

const notYet = new ElevationError.Unavailable({
  what: "store",
  message: "no checkpoint covers this entry yet",
  retryAfterSeconds: 1
})

const noEntry = (seq: number) =>
  ElevationError.decline(
    "not_found",
    `there is no entry ${seq} that you may see`,
    "the entries of a request have their numbers in `jitsudo audit --request ID`"
  )

const noTile = ElevationError.decline(
  "not_found",
  "the newest checkpoint has no such tile",
  "ask for the checkpoint first: its size says which tiles there are"
)

const unprovable = (error: EvidenceError): ElevationError.ElevationError =>
  new ElevationError.Unavailable({
    what: "store",
    message: "the log's tree cannot be read now",
    retryAfterSeconds: error.retryable ? 1 : 60
  })

const About = Schema.fromJsonString(Schema.Struct({ requestId: Schema.NullOr(Schema.String) }))
const about = Schema.decodeUnknownOption(About)

/** The request that an entry is about; null where there is none, or the payload is none of ours. */
const requestIdIn = (payload: string): string | null =>
  Option.match(about(payload), { onNone: () => null, onSome: ({ requestId }) => requestId })

const invalid = (field: string, message: string) =>
  ElevationError.decline("invalid_input", `${field} ${message}`, "correct it and ask again", {
    problems: [{ field, message }]
  })

const actionOf = (
  text: string | undefined
): Effect.Effect<AuditRecord.AuditAction | undefined, ElevationError.Refused> => {
  if (text === undefined) return Effect.succeed(undefined)
  const action = AuditRecord.auditActions.find((one) => one === text)
  return action === undefined ? Effect.fail(invalid("action", "is not an action of this log")) : Effect.succeed(action)
}

const auditorsOnly = ElevationError.refuse(
  "not_permitted",
  "the whole log is for auditors and administrators",
  "the entries of one request: add `requestId`, or `jitsudo audit --request ID`"
)

export const layerNoDeps = HttpApiBuilder.group(
  Api.Api,
  "audit",
  Effect.fn(function* (handlers) {
    const chain = yield* AuditChain.AuditChain
    const elevations = yield* Elevations.Elevations
    const evidence = yield* Evidence
    const settings = yield* Settings.Settings
    const transitions = yield* Transitions.Transitions

    const mustAudit = (by: Principal.Principal): Effect.Effect<void, ElevationError.ElevationError> =>
      Access.isAuditor(by, settings) ? Effect.void : refuseAccess(transitions, by, auditorsOnly)

    const head = Effect.mapError(chain.head, trouble)

    const mustBeSigned = evidence.keys.length === 0 ? Effect.fail(unsigned) : Effect.void

    const tile = Effect.fnUntraced(function* (level: string, parts: ReadonlyArray<string>) {
      const by = yield* Api.Caller
      const bytes = Effect.gen(function* () {
        yield* mustAudit(by.principal)
        const wanted = Tiles.parsePath(`tile/${level}/${parts.join("/")}`)
        if (wanted === undefined) return yield* invalid("path", "is not the path of a tile (c2sp.org/tlog-tiles)")
        yield* mustBeSigned
        const found = yield* Proving.tile(evidence, chain, wanted).pipe(
          Effect.catchTags({
            AuditChainError: (error) => Effect.fail(trouble(error)),
            EntryTooLong: ({ message }) =>
              Effect.fail(ElevationError.decline("not_found", message, "read the entry with `jitsudo audit export`")),
            EvidenceError: (error) => Effect.fail(unprovable(error))
          })
        )
        return yield* Option.match(found, { onNone: () => Effect.fail(noTile), onSome: Effect.succeed })
      })
      return yield* toProblem(bytes)
    })

    return handlers.handleAll({
      checkpoint: Effect.fn(function* () {
        const note = Effect.gen(function* () {
          yield* mustBeSigned
          const latest = yield* Effect.mapError(evidence.latest, unprovable)
          return yield* Option.match(latest, {
            onNone: () => Effect.fail(notYet),
            onSome: (signed) => Effect.succeed(signed.note)
          })
        })
        return yield* toProblem(note)
      }),
      keys: () => toProblem(Effect.as(mustBeSigned, evidence.keys.map((key) => `${LogKey.format(key)}\n`).join(""))),
      receipt: Effect.fn(function* ({ params }) {
        const by = yield* Api.Caller
        const text = Effect.gen(function* () {
          yield* mustBeSigned
          const { seq } = params
          const [entry] = yield* Effect.mapError(chain.read({ from: seq, to: seq, limit: 1, order: "oldest" }), trouble)
          if (entry === undefined) return yield* noEntry(seq)
          if (!Access.isAuditor(by.principal, settings)) {
            const requestId = requestIdIn(entry.payload)
            if (requestId === null) return yield* noEntry(seq)
            yield* Effect.mapError(elevations.get(by.principal, requestId), (error) =>
              error._tag === "Refused" && error.code === "not_found" ? noEntry(seq) : error
            )
          }
          const receipt = yield* Effect.mapError(Proving.receipt(evidence, entry), unprovable)
          return yield* Option.match(receipt, { onNone: () => Effect.fail(notYet), onSome: Effect.succeed })
        })
        return yield* toProblem(text)
      }),
      tile: ({ params: { first, level } }) => tile(level, [first]),
      tileOfTwoParts: ({ params: { first, level, second } }) => tile(level, [first, second]),
      tileOfThreeParts: ({ params: { first, level, second, third } }) => tile(level, [first, second, third]),
      query: Effect.fn(function* ({ query }) {
        const by = yield* Api.Caller
        const read = Effect.gen(function* () {
          if (!Access.isAuditor(by.principal, settings)) {
            if (query.requestId === undefined) return yield* refuseAccess(transitions, by.principal, auditorsOnly)
            yield* elevations.get(by.principal, query.requestId)
          }
          const action = yield* actionOf(query.action)
          return yield* chain
            .query({
              filter: {
                ...(query.actor === undefined ? {} : { actor: query.actor }),
                ...(action === undefined ? {} : { action }),
                ...(query.requestId === undefined ? {} : { requestId: query.requestId }),
                ...(query.provider === undefined ? {} : { provider: query.provider }),
                ...(query.outcome === undefined ? {} : { outcome: query.outcome }),
                ...(query.since === undefined ? {} : { since: timeOf(query.since) }),
                ...(query.until === undefined ? {} : { until: timeOf(query.until) })
              },
              limit: query.limit ?? 100,
              order: query.order ?? "newest",
              ...(query.cursor === undefined ? {} : { cursor: query.cursor })
            })
            .pipe(
              Effect.mapError((error) =>
                error._tag === "InvalidCursor" ? invalid("cursor", "is not one of this listing") : trouble(error)
              )
            )
        })
        const page = yield* toProblem(read)
        return { items: page.items.map(View.entry), nextCursor: page.nextCursor }
      }),
      head: Effect.fn(function* () {
        const by = yield* Api.Caller
        return yield* toProblem(Effect.andThen(mustAudit(by.principal), head))
      }),
      export: Effect.fn(function* ({ query }) {
        const by = yield* Api.Caller
        const range = yield* toProblem(
          Effect.gen(function* () {
            yield* mustAudit(by.principal)
            const last = (yield* head).seq
            const from = query.from ?? 1
            const to = Math.min(query.to ?? last, last)
            if (from > last + 1) return yield* invalid("from", `is beyond the last entry, ${last}`)
            if (query.to !== undefined && query.to < from) return yield* invalid("to", "must not be before `from`")
            // The export is in the log before its first byte leaves; it is not part of what it exports.
            yield* transitions.state([
              Records.plain(Records.actorOf(by.principal), "audit.exported", "success", { from, to })
            ])
            const before =
              from <= 1
                ? []
                : yield* Effect.mapError(
                    chain.read({ from: from - 1, to: from - 1, limit: 1, order: "oldest" }),
                    trouble
                  )
            const start = before[0]
            return {
              from,
              to,
              start: start === undefined ? { seq: 0, hash: "0".repeat(64) } : { seq: start.seq, hash: start.hash }
            }
          })
        )
        return Export.encode(range.start, chain.stream({ from: range.from, to: range.to })).pipe(Stream.encodeText)
      })
    })
  })
)
