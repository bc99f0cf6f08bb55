/**
 * Who is told of commits: one listener per process, fanned out to whoever subscribed.
 *
 * `NOTIFY` brings a change at once; a poll of the log's head once a second finds what was missed (a connection that
 * broke, a pooler without `LISTEN`). Both are hints: a subscriber reads again what it cares about.
 */
import type { Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { Database } from "./Database.ts"

/** What `commit_steps` puts into a notification. `requests` is null when the names did not fit. */
const Note = Schema.fromJsonString(
  Schema.Struct({
    seq: Schema.Int,
    requests: Schema.NullOr(Schema.Array(Schema.String)),
    policy: Schema.Boolean,
    jobs: Schema.Boolean
  })
)

/** How many request ids one change of the poll names; the next poll names the next ones. */
const pollLimit = 5_000

export interface Options {
  /** Milliseconds between polls. Default 1,000. */
  readonly pollMillis?: number
}

export const make = Effect.fnUntraced(function* (options: Options = {}) {
  const { connect, listens, sql } = yield* Database
  const changes = yield* PubSub.sliding<Store.Change>(4_096)
  const oneByOne = yield* Semaphore.make(1)
  let seen: { readonly seq: number; readonly policy: number } | undefined

  /** Announces what the log says happened since we looked last. */
  const look = oneByOne.withPermits(1)(
    Effect.gen(function* () {
      const [head] = yield* sql<{ seq: bigint; policy: bigint }>`
        SELECT (SELECT h.seq FROM jitsudo.audit_head h) AS seq,
          (SELECT v.revision FROM jitsudo.revisions v WHERE v.name = 'policy') AS policy`
      if (head === undefined) return
      const now = { seq: Number(head.seq), policy: Number(head.policy) }
      const before = seen ?? now
      seen = before
      if (now.seq <= before.seq && now.policy === before.policy) return
      const rows = yield* sql<{ seq: bigint; request_id: string | null }>`
        SELECT a.seq, a.request_id FROM jitsudo.audit a
        WHERE a.seq > ${BigInt(before.seq)} ORDER BY a.seq LIMIT ${pollLimit}`
      const ids = new Set<string>()
      for (const row of rows) if (row.request_id !== null) ids.add(row.request_id)
      seen = { seq: Math.max(seen.seq, Number(rows.at(-1)?.seq ?? before.seq)), policy: now.policy }
      yield* PubSub.publish(changes, { requestIds: [...ids], policy: now.policy !== before.policy, jobs: true })
    })
  )

  const hear = Effect.fnUntraced(function* (payload: string) {
    const note = yield* Schema.decodeUnknownEffect(Note)(payload).pipe(Effect.option)
    if (note._tag === "None" || note.value.requests === null || seen === undefined) return yield* look
    const { jobs, policy, requests, seq } = note.value
    seen = { seq: Math.max(seen.seq, seq), policy: policy ? seen.policy + 1 : seen.policy }
    yield* PubSub.publish(changes, { requestIds: requests, policy, jobs })
  })

  const listen = Effect.scoped(
    Effect.gen(function* () {
      const session = yield* connect
      const notifications = yield* session.listen("jitsudo_changes")
      yield* look
      return yield* Effect.forever(Effect.flatMap(Queue.take(notifications), ({ payload }) => hear(payload)))
    })
  ).pipe(
    Effect.tapError((error) =>
      Effect.logWarning("changes are found by polling until LISTEN works again").pipe(
        Effect.annotateLogs({ reason: error.reason._tag })
      )
    ),
    Effect.ignore,
    Effect.andThen(Effect.sleep("1 second")),
    Effect.forever
  )

  const poll = look.pipe(Effect.ignore, Effect.repeat(Schedule.spaced(options.pollMillis ?? 1_000)))

  yield* Effect.forkScoped(poll)
  if (listens) yield* Effect.forkScoped(listen)
  return Stream.fromPubSub(changes)
})
