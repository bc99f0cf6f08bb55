/** A small log with everything that a log can hold, the same on every run: the material of the vectors. */
import { AuditRecord, Ids, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { genesis, link } from "../../src/Chain.ts"
import type { ExportedEntry } from "../../src/Export.ts"

type Draft = AuditRecord.EntryDraft

const alice: AuditRecord.Actor = {
  issuer: "https://id.example.com",
  subject: "00u1alice",
  email: "alice@example.com",
  kind: "human"
}
const bob: AuditRecord.Actor = { ...alice, subject: "00u2bob", email: "bob@example.com" }
const system: AuditRecord.Actor = { issuer: "jitsudo", subject: "system", email: null, kind: "system" }
const policy: AuditRecord.Actor = { issuer: "jitsudo", subject: "policy:prod-admin", email: null, kind: "policy" }
const reviewer: AuditRecord.Actor = { issuer: "https://id.example.com", subject: "agent-7", email: null, kind: "agent" }

const about = {
  requestId: "req_01J8KZ4F2EMNQZ3V7XKQYBD4WR",
  provider: "aws",
  role: "ProductionAdmin",
  resourceScope: "123456789012"
}
const nothing = { requestId: null, provider: null, role: null, resourceScope: null }

const records: ReadonlyArray<AuditRecord.AuditRecord> = [
  {
    ...nothing,
    actor: system,
    action: "config.loaded",
    outcome: "success",
    details: { configHash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" },
    texts: {}
  },
  {
    ...about,
    actor: alice,
    action: "request.created",
    outcome: "success",
    details: { durationSeconds: 900, breakGlass: false },
    texts: { reason: 'INC-42: the caf\u00e9\'s database is down \u{1f525}\nsecond line, "quoted" \\ and \ufffd' }
  },
  {
    ...about,
    actor: policy,
    action: "request.routed",
    outcome: "success",
    details: { tier: "human", stages: [{ groups: ["sre-leads"], quorum: 1, users: [] }] },
    texts: {}
  },
  {
    ...about,
    actor: alice,
    action: "request.approval_refused",
    outcome: "refused",
    details: { code: "same_party" },
    texts: {}
  },
  {
    ...about,
    actor: reviewer,
    action: "request.ai_escalated",
    outcome: "success",
    details: { confidence: 0.25, model: "reviewer-1" },
    texts: { reasoning: "The ticket does not name the account." }
  },
  {
    ...about,
    actor: bob,
    action: "request.approved",
    outcome: "success",
    details: { digest: "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae" },
    texts: { comment: "Seen in the incident channel." }
  },
  {
    ...about,
    actor: system,
    action: "grant.attempt_failed",
    outcome: "failure",
    details: { attempt: 1, providerReason: "ProviderThrottled", retryInSeconds: 1.5 },
    texts: {}
  },
  {
    ...about,
    actor: system,
    action: "grant.issued",
    outcome: "success",
    details: { notAfter: "2026-11-23T09:46:00.000000Z", resource: "caf\u00e9-db" },
    texts: {}
  },
  { ...about, actor: alice, action: "credentials.read", outcome: "success", details: {}, texts: {} },
  {
    ...nothing,
    actor: { issuer: "https://id.example.com", subject: "", email: null, kind: "human" },
    action: "auth.refused",
    outcome: "refused",
    details: { claimed: "replacement \ufffd character", reason: "expired" },
    texts: {}
  }
]

/** Random bytes that are none: SplitMix-like steps, so that salts and ids are the same on every run. */
const fixedBytes = (seed: number) => {
  let state = seed
  return (size: number): Uint8Array =>
    Uint8Array.from({ length: size }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state >>> 24
    })
}

/** The drafts of the log, one every 6.5 seconds. */
export const drafts: Effect.Effect<ReadonlyArray<Draft>> = Effect.suspend(() =>
  Effect.forEach(records, (record, index) =>
    AuditRecord.draft(record, Time.make(Date.UTC(2026, 10, 23, 9, 30) + index * 6_500))
  ).pipe(Effect.provideService(Ids.RandomBytes, fixedBytes(42)))
)

/** Entries from drafts, as an honest store links them. */
export const linked = (
  of: ReadonlyArray<Pick<Draft, "payload" | "texts">>,
  start = { seq: 0, hash: genesis }
): ReadonlyArray<ExportedEntry> => {
  let { seq, hash: prevHash } = start
  return of.map(({ payload, texts }) => {
    seq++
    const hash = link(prevHash, seq, payload)
    const entry = { seq, payload, prevHash, hash, texts }
    prevHash = hash
    return entry
  })
}

export const honestLog = Effect.map(drafts, (of) => linked(of))
