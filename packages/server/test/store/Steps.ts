/** Steps for the store's tests: one requester, plain requests, real entries, and a check of the log by hand. */
import { AuditRecord, Ids, type Job, type Principal, type Request, type Step, type Store, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"

export const random = (size: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(size))

export const newId = (prefix: Ids.IdPrefix): string => Ids.make(prefix, Time.make(Date.now()), random)

/** The machine's clock, which the run's own database shares: for tests that take longer than a step may be old. */
export const machineNow = (): Time.Time => Time.make(Date.now())

export const person = (subject: string, now: Time.Time): Principal.Principal => ({
  issuer: "https://login.example",
  subject,
  version: 1,
  email: `${subject}@example.com`,
  groups: ["sre"],
  groupsReadAt: now,
  kind: "human",
  owner: null,
  trustTier: 2,
  trustNotes: "",
  openReviews: 0,
  authTime: now,
  amr: ["pwd"],
  firstSeenAt: now
})

export const pending = (now: Time.Time, more: Partial<Request.Request> = {}): Request.Request => ({
  id: newId("req"),
  version: 1,
  state: "PENDING",
  requester: { issuer: "https://login.example", subject: "ana", email: "ana@example.com", kind: "human" },
  party: ["key:https://login.example#ana"],
  asked: {
    provider: "mock",
    role: "reader",
    resourceScope: "project/checkout",
    durationSeconds: 3600,
    reason: "read the logs of incident 42",
    metadata: { ticket: "INC-42" },
    breakGlass: false
  },
  roleAsked: "reader",
  digest: "5f".repeat(32),
  checked: { maxDurationSeconds: 43_200 },
  labels: { facts_ok: true },
  channel: "cli",
  sourceIp: "192.0.2.7",
  routing: {
    tier: "human",
    stages: [{ policy: "sre", groups: ["sre-leads"], users: [], quorum: 1, unmeetable: false }],
    openQuorum: 1,
    policyRevision: 0,
    policyHash: "0".repeat(64),
    findings: []
  },
  decisions: [],
  waitingFor: null,
  decideBy: Time.plusSeconds(now, 86_400),
  lapsesAt: Time.plusSeconds(now, 86_400),
  startBy: null,
  grant: null,
  ending: null,
  review: null,
  outcome: null,
  extends: null,
  extendedBy: null,
  createdAt: now,
  updatedAt: now,
  ...more
})

/** The next version of a request. */
export const next = (before: Request.Request, more: Partial<Request.Request>): Request.Request => ({
  ...before,
  ...more,
  version: before.version + 1
})

export const job = (id: string, now: Time.Time, more: Partial<Job.NewJob> = {}): Job.NewJob => ({
  id,
  kind: "grant",
  requestId: null,
  serialKey: null,
  runAt: now,
  after: null,
  payload: {},
  ...more
})

export const entry = (
  now: Time.Time,
  more: Partial<AuditRecord.AuditRecord> = {}
): Effect.Effect<AuditRecord.EntryDraft> =>
  AuditRecord.draft(
    {
      actor: { issuer: "https://login.example", subject: "ana", email: "ana@example.com", kind: "human" },
      action: "request.created",
      outcome: "success",
      requestId: null,
      provider: "mock",
      role: "reader",
      resourceScope: "project/checkout",
      details: {},
      texts: {},
      ...more
    },
    now
  )

export const stepAt = (now: Time.Time, parts: Partial<Step.Step>): Step.Step => ({
  id: newId("stp"),
  now,
  guards: [],
  writes: [],
  entries: [],
  jobs: [],
  ...parts
})

export const nowOf = (store: Store.Store["Service"]) => Effect.map(store.facts({}), (facts) => facts.now)

export interface StoredEntry {
  readonly seq: number
  readonly payload: string
  readonly prevHash: string
  readonly hash: string
}

/**
 * What is wrong with these rows as a log, hashed again with nothing of ours: docs/spec/audit.md, section 3. Null when
 * they run from 1 without a gap and each is linked to the one before.
 */
export const whyBroken = (rows: ReadonlyArray<StoredEntry>): string | null => {
  let previous = Buffer.alloc(32)
  for (const [index, row] of rows.entries()) {
    if (row.seq !== index + 1) return `entry ${index + 1} has the number ${row.seq}`
    if (row.prevHash !== previous.toString("hex")) return `entry ${row.seq} is not linked to the one before`
    const position = Buffer.alloc(8)
    position.writeBigInt64BE(BigInt(row.seq))
    const leaf = createHash("sha256").update(Buffer.of(0)).update(row.payload, "utf8").digest()
    previous = createHash("sha256").update(Buffer.of(1)).update(previous).update(position).update(leaf).digest()
    if (row.hash !== previous.toString("hex")) return `entry ${row.seq} does not have the hash of its text`
  }
  return null
}
