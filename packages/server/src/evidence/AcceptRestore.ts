/**
 * The operator's word that the database is right although it contradicts what was signed: after a restored backup.
 *
 * 1. A new log begins, under a new origin: its key was never used to say what the old one said, and nobody who remembers
 *    the old log takes the new one for it.
 * 2. An entry names both, with the size and root of the old log that were remembered: what was lost can be told from it.
 * 3. Every instance remembers for itself, so each is told. The entry is written once.
 */
import { AuditChain, AuditRecord, Ids, Records, Store } from "@jitsudo/core"
import { Merkle } from "@jitsudo/audit"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Database } from "../store/Database.ts"
import * as Signing from "./Signing.ts"
import * as SignerState from "./SignerState.ts"
import * as SqlTree from "./SqlTree.ts"

/** There is nothing to accept, or not in this way. */
export class NotAccepted extends Data.TaggedError("NotAccepted")<{ readonly message: string }> {}

export interface Accepted {
  readonly old: SignerState.SignerState
  /** The largest tree of the old log that the database still has, which the new log grows from. */
  readonly kept: SignerState.SignerState
  /** Another instance's operator wrote the entry before. */
  readonly alreadyRecorded: boolean
}

const Recorded = Schema.fromJsonString(Schema.Struct({ details: Schema.Struct({ newOrigin: Schema.String }) }))
const recorded = Schema.decodeUnknownOption(Recorded)

/** Makes what the database has the beginning of the log `origin`, and lets `stateFile` remember it. */
export const accept = Effect.fn("AcceptRestore.accept")(function* (origin: string, stateFile: string) {
  const { sql } = yield* Database
  const store = yield* Store.Store
  const chain = yield* AuditChain.AuditChain
  const last = yield* Signing.latest(sql)
  const old = Option.orElse(yield* SignerState.read(stateFile), () => last)
  if (Option.isNone(old)) {
    return yield* new NotAccepted({ message: "nothing was signed yet: there is nothing to accept; start the daemon" })
  }
  if (old.value.origin === origin) {
    return yield* new NotAccepted({
      message: `the key signs for ${origin}, the log that was signed before: make a key for a new one with \`jitsudod audit key generate --origin NAME\`, give it in audit.signing_key_file, and the old public key in audit.previous_keys`
    })
  }
  const size = Option.match(last, { onNone: () => 0, onSome: (checkpoint) => checkpoint.size })
  const root = size === 0 ? Merkle.emptyRoot : yield* SqlTree.rootOf(sql, size)
  const kept: SignerState.SignerState = { origin, size, root }
  const { origin: oldOrigin, root: oldRoot, size: oldSize } = old.value
  const before = yield* chain.query({ filter: { action: "audit.restore_accepted" }, limit: 1, order: "newest" })
  const alreadyRecorded = before.items.some(({ payload }) =>
    Option.exists(recorded(payload), ({ details }) => details.newOrigin === origin)
  )
  if (!alreadyRecorded) {
    const { now } = yield* store.facts({})
    const head = yield* chain.head
    const entry = yield* AuditRecord.draft(
      Records.plain(Records.systemActor, "audit.restore_accepted", "success", {
        oldOrigin,
        oldSize,
        oldRoot,
        newOrigin: origin,
        foundSize: head.seq,
        foundHash: head.hash
      }),
      now
    )
    const id = Ids.make("stp", now, (bytes) => globalThis.crypto.getRandomValues(new Uint8Array(bytes)))
    yield* store.commit({ id, now, guards: [], writes: [], entries: [entry], jobs: [] })
  }
  yield* SignerState.write(stateFile, kept)
  const accepted: Accepted = { old: { origin: oldOrigin, size: oldSize, root: oldRoot }, kept, alreadyRecorded }
  return accepted
})
