/**
 * The payload of an entry, read strictly (docs/spec/audit.md, section 1).
 *
 * Exactly ten fields with their types, or it is no payload. The text itself is what was hashed, and nothing is ever
 * computed from a re-serialised one; whether it is the canonical text of what it says is a question of its own
 * (`isCanonical`), which costs a sixth of a verification's speed.
 */
import type { AuditChain } from "@jitsudo/core"
import { Canonical } from "@jitsudo/core"
import type { Json } from "@jitsudo/core"
import { isHash } from "./Chain.ts"

type Actor = { readonly issuer: string; readonly subject: string; readonly email: string | null; readonly kind: string }

export interface Payload {
  readonly time: string
  readonly actor: Actor
  readonly action: string
  readonly outcome: string
  readonly requestId: string | null
  readonly provider: string | null
  readonly role: string | null
  readonly resourceScope: string | null
  /** The hashes of the texts that `details` stands for. */
  readonly textHashes: ReadonlyArray<string>
}

/** What is wrong with a text that should be a payload. */
export interface NoPayload {
  readonly why: string
}

const instant = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/u
const kinds = new Set<unknown>(["human", "agent", "system", "policy"])
const outcomes = new Set<unknown>(["success", "failure", "refused"])

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isText = (value: unknown): value is string => typeof value === "string"

const isNullable = (value: unknown): value is string | null => value === null || typeof value === "string"

/** Own members; what was parsed has no others. Without a list of their names: this runs for every entry. */
const sizeOf = (value: object): number => {
  let size = 0
  for (const _ in value) size++
  return size
}

const actorOf = (value: unknown): Actor | undefined => {
  if (!isObject(value) || sizeOf(value) !== 4) return undefined
  const { issuer, subject, email, kind } = value
  return isText(issuer) && isText(subject) && isNullable(email) && isText(kind) && kinds.has(kind)
    ? { issuer, subject, email, kind }
    : undefined
}

const none: ReadonlyArray<string> = []

/** The hashes that stand for texts, or the name of a member that only looks like one. */
const textHashesOf = (details: Readonly<Record<string, unknown>>): ReadonlyArray<string> | string => {
  const hashes: Array<string> = []
  for (const [name, value] of Object.entries(details)) {
    if (!isObject(value) || !Object.hasOwn(value, "textHash")) continue
    const hash = value["textHash"]
    if (!isText(hash) || !isHash(hash) || sizeOf(value) !== 1) return name
    hashes.push(hash)
  }
  return hashes
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Reads `text`, which may be hostile but is well formed. */
export const read = (text: string): Payload | NoPayload => {
  const value = parse(text)
  if (!isObject(value)) return { why: "a payload that is no JSON object" }
  const { v, time, action, outcome, requestId, provider, role, resourceScope, details } = value
  if (v !== 1) return { why: `format version ${JSON.stringify(v)}` }
  if (sizeOf(value) !== 10) return { why: `a payload with the fields ${Object.keys(value).join(" ")}` }
  if (!isText(time) || !instant.test(time)) return { why: "a time that is not RFC 3339 in UTC with microseconds" }
  const actor = actorOf(value["actor"])
  if (actor === undefined) return { why: "an actor without exactly issuer, subject, email and kind" }
  if (!isText(action) || action === "") return { why: "no action" }
  if (!isText(outcome) || !outcomes.has(outcome)) return { why: "an unknown outcome" }
  if (!isNullable(requestId)) return { why: "a requestId that is neither text nor null" }
  if (!isNullable(provider)) return { why: "a provider that is neither text nor null" }
  if (!isNullable(role)) return { why: "a role that is neither text nor null" }
  if (!isNullable(resourceScope)) return { why: "a resourceScope that is neither text nor null" }
  if (!isObject(details)) return { why: "details that are no object" }
  // Most entries stand for no text: `details` is walked only when the word is there at all.
  const textHashes = text.includes('"textHash"') ? textHashesOf(details) : none
  if (typeof textHashes === "string") return { why: `details.${textHashes} with a textHash that is no hash` }
  return { time, actor, action, outcome, requestId, provider, role, resourceScope, textHashes }
}

/** Whether the members of all objects stand in the order of RFC 8785, by UTF-16 code units. */
const isSorted = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.every(isSorted)
  if (!isObject(value)) return true
  let before: string | undefined
  for (const [name, member] of Object.entries(value)) {
    if ((before !== undefined && before >= name) || !isSorted(member)) return false
    before = name
  }
  return true
}

/**
 * Whether `text`, which is a payload, is the one text that RFC 8785 has for what it says. Any other can be read in two
 * ways: of two members of one name, some readers take the first.
 */
export const isCanonical = (text: string): boolean => {
  try {
    const value: Json.Json = JSON.parse(text)
    // Quick for nearly all; objects with names like numbers are not in order once they are parsed.
    return (JSON.stringify(value) === text && isSorted(value)) || Canonical.stringify(value) === text
  } catch {
    return false
  }
}

/** Every column as the payload has it. */
const columnsOf = (payload: Payload): Required<AuditChain.EntryColumns> => ({
  time: payload.time,
  actorIssuer: payload.actor.issuer,
  actorSubject: payload.actor.subject,
  actorEmail: payload.actor.email,
  actorKind: payload.actor.kind,
  action: payload.action,
  outcome: payload.outcome,
  requestId: payload.requestId,
  provider: payload.provider,
  role: payload.role,
  resourceScope: payload.resourceScope
})

/** The first column given that disagrees with the payload; null when all agree. */
export const disagreement = (
  payload: Payload,
  columns: AuditChain.EntryColumns
): { readonly expected: string; readonly found: string } | null => {
  const found = new Map<string, unknown>(Object.entries(columns))
  for (const [name, expected] of Object.entries(columnsOf(payload))) {
    if (!found.has(name)) continue
    const value = found.get(name)
    found.delete(name)
    if (value !== expected) {
      return { expected: `${name} ${JSON.stringify(expected)}`, found: `${name} ${JSON.stringify(value) ?? "nothing"}` }
    }
  }
  // A column that this verifier does not know cannot be checked, and must not look as if it had been.
  const [unknown] = found.keys()
  return unknown === undefined ? null : { expected: "columns of an entry", found: `the column ${unknown}` }
}
