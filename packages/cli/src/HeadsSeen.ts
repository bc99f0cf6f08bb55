/**
 * The newest head of each server's audit log that this user's verifications have seen. A log that no longer has it was
 * cut off or rewritten, and anybody who looked before can tell.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { failed, misused } from "./Failure.ts"
import { places } from "./Places.ts"
import * as PrivateFiles from "./PrivateFiles.ts"

const Hash = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/u))
const Head = Schema.Struct({ seq: Schema.Int.check(Schema.isGreaterThan(0)), hash: Hash })
export type Head = typeof Head.Type

const Json = Schema.fromJsonString(Head)

export const load = Effect.fn("HeadsSeen.load")(function* (server: string) {
  const file = (yield* places).head(server)
  const text = yield* PrivateFiles.read(file, { secret: false })
  if (text === null) return null
  return yield* Schema.decodeEffect(Json)(text).pipe(
    Effect.mapError(() =>
      failed(`${file} is damaged, so the log cannot be compared with what was seen before`, "remove it to start anew")
    )
  )
})

/** Keeps `head` unless a newer one is kept. */
export const save = Effect.fn("HeadsSeen.save")(function* (server: string, head: Head) {
  const kept = yield* load(server)
  if (head.seq === 0 || (kept !== null && kept.seq >= head.seq)) return
  const text = yield* Effect.orDie(Schema.encodeEffect(Json)(head))
  yield* PrivateFiles.write((yield* places).head(server), `${text}\n`)
})

/** `SEQ:HASH` as it was typed. */
export const parse = (text: string) => {
  const [, seq = "", hash = ""] = /^(\d{1,15}):([0-9a-f]{64})$/u.exec(text) ?? []
  return seq === "" || Number(seq) === 0
    ? Effect.fail(
        misused(`--head ${JSON.stringify(text)} is not SEQ:HASH`, "both are in what `jitsudo audit verify` prints")
      )
    : Effect.succeed({ seq: Number(seq), hash })
}
