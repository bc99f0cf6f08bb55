/**
 * What the memory store holds: rows as plain data, frozen.
 *
 * Values enter through `frozen` and leave as they are, so nobody can change state by holding on to what they wrote or
 * read. Only `MemoryCommit`, `MemoryJobs` and `touchPrincipal` write here.
 */
import type { Entry } from "../AuditChain.ts"
import type { EntryText } from "../AuditRecord.ts"
import type { NewJob } from "../Job.ts"
import type { Locks } from "../Lock.ts"
import type { PolicyRevision } from "../Policy.ts"
import type { PolicySource } from "../PolicySet.ts"
import type { Principal } from "../Principal.ts"
import type { Request, RequestId } from "../Request.ts"
import type { SealedCredentials } from "../Sealer.ts"
import type { Receipt } from "../Step.ts"
import type { Time } from "../Time.ts"

/** A job with its bookkeeping. `lease` 0: never claimed. `leaseUntil` null: not held. */
export interface JobRow extends NewJob {
  readonly attempts: number
  readonly createdAt: Time
  readonly lease: number
  readonly leaseUntil: Time | null
  readonly lastError: string | null
  readonly dead: boolean
}

export interface MemoryState {
  readonly requests: Map<RequestId, Request>
  /** Ids by `keyOf` the requester: what `facts` would otherwise scan for. */
  readonly byRequester: Map<string, Set<RequestId>>
  readonly byResource: Map<string, Set<RequestId>>
  readonly principals: Map<string, Principal>
  locks: Locks
  /** The index is the revision. */
  readonly policies: Array<{ readonly revision: PolicyRevision; readonly policies: ReadonlyArray<PolicySource> }>
  readonly credentials: Map<RequestId, SealedCredentials>
  readonly idempotency: Map<string, { readonly bodyHash: string; readonly requestId: RequestId; readonly at: Time }>
  readonly jobs: Map<string, JobRow>
  /** The last lease number given out, over all jobs: none is ever used twice. */
  lastLease: number
  /** The entry with `seq` n stands at index n - 1. */
  readonly entries: Array<Entry>
  readonly entryIds: Set<string>
  /** By hash. */
  readonly texts: Map<string, EntryText>
  readonly receipts: Map<string, Receipt>
}

export const empty = (): MemoryState => ({
  requests: new Map(),
  byRequester: new Map(),
  byResource: new Map(),
  principals: new Map(),
  locks: { revision: 0, active: [] },
  policies: [{ revision: { number: 0, hash: "0".repeat(64) }, policies: [] }],
  credentials: new Map(),
  idempotency: new Map(),
  jobs: new Map(),
  lastLease: 0,
  entries: [],
  entryIds: new Set(),
  texts: new Map(),
  receipts: new Map()
})

const freeze = (value: unknown): void => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return
  Object.freeze(value)
  for (const item of Object.values(value)) freeze(item)
}

/** A copy of plain data that nobody can change. */
export const frozen = <A>(value: A): A => {
  const copy = structuredClone(value)
  freeze(copy)
  return copy
}
