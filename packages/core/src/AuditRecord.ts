/**
 * What may be written into the audit log, and the canonical text it becomes (docs/spec/audit.md, sections 1 and 2).
 *
 * 1. The payload is RFC 8785 JSON of exactly `v time actor action outcome requestId provider role resourceScope details`;
 *    every field is always there, null where there is none.
 * 2. Long or personal text is never in the payload: `details` has `{"textHash": hex}` under its name, the SHA-256 of a
 *    salt of 16 random bytes followed by the text. So a text can be deleted without touching the chain, and a hash
 *    cannot be guessed from likely texts.
 * 3. What PostgreSQL or UTF-8 cannot hold (U+0000, lone surrogates) is refused here as a defect: edges clean text.
 *
 * Sequence numbers and hashes are given by the commit, not here.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import { stringify } from "./Canonical.ts"
import * as Ids from "./Ids.ts"
import type { Json, JsonObject } from "./Json.ts"
import { sha256 } from "./Sha256.ts"
import type { Time } from "./Time.ts"
import { toRfc3339Micros } from "./Time.ts"

/** Everything that can be recorded. Past tense of what happened to what; a name is never reused for another meaning. */
export const auditActions = [
  "request.created",
  "request.refused",
  "request.routed",
  "request.auto_approved",
  "request.approval_recorded",
  "request.approval_refused",
  "request.approval_struck",
  "request.approved",
  "request.denied",
  "request.deny_refused",
  "request.cancelled",
  "request.lapsed",
  "request.escalated",
  "request.rerouted",
  "request.ai_approved",
  "request.ai_denied",
  "request.ai_escalated",
  "request.ai_refused",
  "request.waiting",
  "grant.started",
  "grant.issued",
  "grant.attempt_failed",
  "grant.failed",
  "grant.ending",
  "grant.end_failed",
  "grant.expired",
  "grant.revoked",
  "grant.closed",
  "grant.taken_back",
  "grant.orphan_found",
  "grant.removed_externally",
  "grant.needs_attention",
  "revoke.refused",
  "credentials.read",
  "credentials.refused",
  "breakglass.review_opened",
  "breakglass.review_closed",
  "breakglass.review_refused",
  "breakglass.review_reminded",
  "policy.applied",
  "policy.deleted",
  "policy.refused",
  "policy.over_budget",
  "principal.changed",
  "principal.trust_changed",
  "principal.refused",
  "lock.created",
  "lock.released",
  "lock.refused",
  "auth.refused",
  "auth.refused_many",
  "rate.limited",
  "access.refused",
  "config.loaded",
  "reconcile.run",
  "notification.failed",
  "audit.exported",
  "audit.restore_accepted"
] as const

export type AuditAction = (typeof auditActions)[number]

/** `refused`: the rules said no. `failure`: something did not work. */
export type Outcome = "success" | "failure" | "refused"

/** Who did it: a principal as it was then, the system, or a policy by name. */
export interface Actor {
  readonly issuer: string
  readonly subject: string
  /** Verified; null where there is none. */
  readonly email: string | null
  readonly kind: "human" | "agent" | "system" | "policy"
}

export interface AuditRecord {
  readonly actor: Actor
  readonly action: AuditAction
  readonly outcome: Outcome
  readonly requestId: string | null
  readonly provider: string | null
  readonly role: string | null
  readonly resourceScope: string | null
  /** Short facts; never a secret, never text that somebody may ask to have deleted. */
  readonly details: JsonObject
  /** Long or personal text by name (reason, comment, reasoning, ...). No name may stand in `details` too. */
  readonly texts: Readonly<Record<string, string>>
}

/** A text beside an entry. `hash` and `salt` (16 bytes) in lower-case hexadecimal. */
export interface EntryText {
  readonly hash: string
  readonly salt: string
  readonly text: string
}

/** An entry before it has a place in the chain. */
export interface EntryDraft {
  /** `ent_` + ULID. */
  readonly id: string
  /** The canonical text, stored as it stands. */
  readonly payload: string
  readonly texts: ReadonlyArray<EntryText>
}

/** A record that cannot be written as it stands: a bug of whoever made it, thrown as a defect. */
export class UnwritableRecord extends Data.TaggedError("UnwritableRecord")<{
  readonly action: string
  readonly why: string
}> {
  override get message(): string {
    return `cannot record ${this.action}: ${this.why}`
  }
}

const encoder = new TextEncoder()

/** Bytes of a payload at most: a bundle of entries says each one's length in 16 bits (docs/spec/audit.md, section 1). */
const longestPayload = 65_535

const whyUnwritable = (record: AuditRecord): string | null => {
  for (const [name, text] of Object.entries(record.texts)) {
    if (Object.hasOwn(record.details, name)) return `${name} stands in details and in texts`
    if (text.includes("\u0000")) return `the text ${name} contains U+0000`
    if (!text.isWellFormed()) return `the text ${name} contains a lone surrogate`
  }
  for (const [name, value] of Object.entries(record.details)) {
    if (typeof value === "object" && value !== null && Object.hasOwn(value, "textHash")) {
      return `details.${name} has a member textHash, which is reserved for texts`
    }
  }
  return null
}

/** How `stringify` writes U+0000: after an even number of backslashes. */
const nul = /(?<!\\)(?:\\\\)*\\u0000/u

/** One text with a fresh salt, and the hash that stands for it in the payload. */
const salted = (text: string, salt: Uint8Array): Effect.Effect<EntryText> => {
  const bytes = encoder.encode(text)
  const input = new Uint8Array(salt.length + bytes.length)
  input.set(salt)
  input.set(bytes, salt.length)
  return Effect.map(sha256(input), (hash) => ({ hash: Hex.encode(hash), salt: Hex.encode(salt), text }))
}

/**
 * The entry for `record` at `now`. Random bits (salts, id) come from `Ids.RandomBytes`.
 *
 * Dies with `UnwritableRecord` or `NotCanonical` on a record that breaks the rules above.
 */
export const draft = Effect.fnUntraced(function* (record: AuditRecord, now: Time) {
  const randomBytes = yield* Ids.RandomBytes
  const why = whyUnwritable(record)
  if (why !== null) return yield* Effect.die(new UnwritableRecord({ action: record.action, why }))

  const details: Record<string, Json> = { ...record.details }
  const texts: Array<EntryText> = []
  for (const [name, text] of Object.entries(record.texts)) {
    const one = yield* salted(text, randomBytes(16))
    details[name] = { textHash: one.hash }
    texts.push(one)
  }

  const { actor } = record
  const payload = stringify({
    v: 1,
    time: toRfc3339Micros(now),
    actor: { issuer: actor.issuer, subject: actor.subject, email: actor.email, kind: actor.kind },
    action: record.action,
    outcome: record.outcome,
    requestId: record.requestId,
    provider: record.provider,
    role: record.role,
    resourceScope: record.resourceScope,
    details
  })
  if (payload.length > longestPayload / 3 && encoder.encode(payload).length > longestPayload) {
    return yield* Effect.die(
      new UnwritableRecord({ action: record.action, why: `it is longer than ${longestPayload} bytes` })
    )
  }
  if (payload.includes("\\u0000") && nul.test(payload)) {
    return yield* Effect.die(new UnwritableRecord({ action: record.action, why: "a string contains U+0000" }))
  }
  const entry: EntryDraft = { id: Ids.make("ent", now, randomBytes), payload, texts }
  return entry
})
