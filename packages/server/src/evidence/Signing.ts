/**
 * Signs the log: follows the appends, at most a second behind, one instance at a time.
 *
 * 1. A tick is one short transaction under an advisory lock that ends with it. Nobody is leader; an instance that is cut
 *    off from the database loses the lock with its transaction.
 * 2. Only entries that are committed are in a tree that is signed: the transaction reads, it appends none.
 * 3. A checkpoint is a row keyed by its size, inserted and committed before anybody sees it. Everybody reads checkpoints
 *    from there, so there are never two of one size, whatever keys the instances have.
 * 4. Each instance remembers outside the database what was signed (`SignerState`), and holds the database against it:
 *    fewer entries, or another root at the size that it remembers, and it signs nothing more.
 * 5. A log that is far ahead is followed in batches, each with a checkpoint.
 */
import { type Signer, Signer as Signing } from "@jitsudo/audit"
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Database } from "../store/Database.ts"
import { EvidenceError, type Signed } from "./Evidence.ts"
import * as SignerState from "./SignerState.ts"
import * as SqlTree from "./SqlTree.ts"

/** The database contradicts what was signed. `message` says both sides and what to do. */
export class HistoryRefused extends Data.TaggedError("HistoryRefused")<{
  /**
   * `smaller`: entries that were signed are gone. `rewritten`: another root at a size that was signed. `origin`: another
   * log was signed here before.
   */
  readonly reason: "smaller" | "rewritten" | "origin"
  readonly message: string
}> {}

export interface Options {
  readonly signer: Signer.Signer
  /** Outside the database (`SignerState`). */
  readonly stateFile: string
  /** Most entries that one transaction adds to the tree. Default 8,192. */
  readonly batch?: number
}

/** What a tick did: `signed` one, found nothing new, or left it to the instance that is at it. */
export type Tick =
  | { readonly kind: "signed"; readonly checkpoint: Signed; readonly behind: number }
  | { readonly kind: "current" | "busy" }

interface CheckpointRow {
  readonly size: bigint
  readonly root: string
  readonly origin: string
  readonly note: string
}

/** The checkpoint of the largest size. */
export const latest = Effect.fnUntraced(function* (sql: PgClient) {
  const [row] = yield* sql<CheckpointRow>`
    SELECT c.size, encode(c.root, 'hex') AS root, c.origin, c.note
    FROM jitsudo.audit_checkpoints c ORDER BY c.size DESC LIMIT 1`
  return row === undefined ? Option.none<Signed>() : Option.some<Signed>({ ...row, size: Number(row.size) })
})

const headOf = Effect.fnUntraced(function* (sql: PgClient) {
  const [row] = yield* sql<{ seq: bigint }>`SELECT h.seq FROM jitsudo.audit_head h`
  return Number(row?.seq ?? 0)
})

const next =
  "find out who changed or restored the database; if a backup was restored on purpose, make a new key and run jitsudod audit accept-restore"

const smaller = (known: SignerState.SignerState, what: string) =>
  new HistoryRefused({
    reason: "smaller",
    message: `the log was signed at size ${known.size} and ${what}: entries that were signed are gone; ${next}`
  })

const rewritten = (size: number, expected: string, found: string) =>
  new HistoryRefused({
    reason: "rewritten",
    message: `the log was signed at size ${size} with root ${expected} and has root ${found} there now: it was rewritten; ${next}`
  })

/** A signer over the database. `tick` is safe to call at any time, from any number of instances. */
export const make = Effect.fnUntraced(function* (options: Options) {
  const { sql } = yield* Database
  const { signer, stateFile } = options
  const origin = signer.key.name
  const batch = options.batch ?? 8_192

  /** The size of the last checkpoint that was held against what this instance remembers, in this process. */
  let seen = -1

  const remembered = Effect.gen(function* () {
    const known = yield* SignerState.read(stateFile)
    if (Option.isSome(known) && known.value.origin !== origin) {
      return yield* new HistoryRefused({
        reason: "origin",
        message: `${stateFile} remembers the log ${known.value.origin}, and the key signs for ${origin}: give the key of that log, or, if a new one is meant to begin, run jitsudod audit accept-restore`
      })
    }
    return known
  })

  /** Fails unless the tree of `size`, which is built, has grown from what is remembered. */
  const holdAgainst = Effect.fnUntraced(function* (known: SignerState.SignerState, size: number) {
    if (known.size > size) return yield* smaller(known, `its last checkpoint is of size ${size} now`)
    const root = yield* SqlTree.rootOf(sql, known.size)
    if (root !== known.root) return yield* rewritten(known.size, known.root, root)
  })

  const sign = Effect.fnUntraced(function* () {
    const [lock] = yield* sql<{ mine: boolean }>`
      SELECT pg_try_advisory_xact_lock(hashtext('jitsudo checkpoints')) AS mine`
    if (lock?.mine !== true) return { kind: "busy" } satisfies Tick
    const head = yield* headOf(sql)
    const last = Option.match(yield* latest(sql), { onNone: () => 0, onSome: ({ size }) => size })
    if (head <= last) return { kind: "current" } satisfies Tick
    const size = Math.min(head, last + batch)
    yield* SqlTree.extend(sql, last, size)
    const known = yield* remembered
    if (Option.isSome(known)) yield* holdAgainst(known.value, size)
    const root = yield* SqlTree.rootOf(sql, size)
    const note = yield* Effect.mapError(
      Signing.signCheckpoint({ origin, size, root, extensions: [] }, [signer]),
      (cause) => new EvidenceError({ retryable: true, message: `the key ${signer.key.name} did not sign`, cause })
    )
    yield* SignerState.write(stateFile, { origin, size, root })
    yield* sql`
      INSERT INTO jitsudo.audit_checkpoints (size, root, origin, note, signed_at)
      VALUES (${BigInt(size)}, decode(${root}, 'hex'), ${origin}, ${note}, jitsudo.now_ms())`
    const tick: Tick = { kind: "signed", checkpoint: { size, root, origin, note }, behind: head - size }
    return tick
  })

  const tick = Effect.gen(function* () {
    const known = yield* remembered
    // In this order, so that a checkpoint of a moment later is not taken for one beyond the head.
    const checkpoint = yield* latest(sql)
    const head = yield* headOf(sql)
    const last = Option.match(checkpoint, { onNone: () => 0, onSome: ({ size }) => size })
    if (Option.isNone(known) && Option.isSome(checkpoint)) {
      const other = checkpoint.value.origin
      if (other !== origin) {
        return yield* new HistoryRefused({
          reason: "origin",
          message: `the database has checkpoints of the log ${other}, and the key signs for ${origin}: give the key of that log, or, if a new one is meant to begin, run jitsudod audit accept-restore`
        })
      }
      yield* Effect.logWarning(
        `${stateFile} is not there: what the database says was signed up to size ${last} is trusted once more`
      )
    }
    if (head < last) return yield* smaller({ origin, size: last, root: "" }, `it has ${head} entries now`)
    if (Option.isSome(known)) {
      if (head < known.value.size) return yield* smaller(known.value, `it has ${head} entries now`)
      // A file ahead of the last checkpoint: a signature was not committed. The next one is held against it.
      if (seen !== last && known.value.size <= last) yield* holdAgainst(known.value, last)
    }
    if (Option.isSome(checkpoint) && seen !== last && checkpoint.value.origin === origin) {
      const { root, size } = checkpoint.value
      const found = yield* SqlTree.rootOf(sql, size)
      if (found !== root) return yield* rewritten(size, root, found)
      // Others sign, too: what they signed is remembered here as well.
      if (Option.isNone(known) || known.value.size < size) yield* SignerState.write(stateFile, { origin, size, root })
    }
    seen = last
    if (head === last) return { kind: "current" } satisfies Tick
    const done: Tick = yield* sql.withTransaction(sign())
    return done
  })

  return { tick, remembered }
})
