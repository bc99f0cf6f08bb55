/**
 * A step against the memory store's state: what stands in its way, and what it leaves.
 *
 * `conflictIn` looks, `objectionTo` complains, `apply` writes. `apply` cannot fail, and runs without a pause after the
 * two others said nothing: that makes a commit all or nothing.
 *
 * Objections are the memory store's own: rules of the domain that a real store takes on trust from the engine. A step
 * that breaks one is a bug and dies loudly in the test that made it.
 */
import type { Entry } from "../AuditChain.ts"
import { keyOf } from "../Principal.ts"
import type { Decision, Request, State } from "../Request.ts"
import { terminal } from "../Request.ts"
import type { Conflict, Guard, Receipt, Step, Write } from "../Step.ts"
import type { Time } from "../Time.ts"
import { frozen, type JobRow, type MemoryState } from "./MemoryState.ts"

/** How far a step's now may be from the store's, in milliseconds. */
const clockTolerance = 5_000

/** How long an idempotency key is remembered, in milliseconds. */
const idempotencyLife = 24 * 3600 * 1000

/** A claim that still counts: the number is the last one given out for this job, and its time is not over. */
export const isHeld = (row: JobRow, lease: number, now: Time): boolean =>
  !row.dead && row.lease === lease && row.leaseUntil !== null && row.leaseUntil > now

export const idempotencyKey = (use: Pick<Write & { kind: "idempotency" }, "principal" | "route" | "key">): string =>
  JSON.stringify([use.principal.issuer, use.principal.subject, use.route, use.key])

/** The use of a key that still counts. */
export const rememberedUse = (state: MemoryState, key: string, now: Time) => {
  const use = state.idempotency.get(key)
  return use !== undefined && now - use.at < idempotencyLife ? use : undefined
}

const currentPolicy = (state: MemoryState): number => state.policies.length - 1

const failingGuard = (state: MemoryState, guard: Guard, now: Time): Conflict | null => {
  switch (guard.kind) {
    case "request":
      return (state.requests.get(guard.id)?.version ?? 0) === guard.version ? null : { kind: "request", id: guard.id }
    case "principal": {
      const id = keyOf(guard.key)
      return (state.principals.get(id)?.version ?? 0) === guard.version ? null : { kind: "principal", id }
    }
    case "policy":
      return currentPolicy(state) === guard.revision ? null : { kind: "policy", id: "policy" }
    case "locks":
      return state.locks.revision === guard.revision ? null : { kind: "locks", id: "locks" }
    case "lease": {
      const row = state.jobs.get(guard.jobId)
      return row !== undefined && isHeld(row, guard.lease, now) ? null : { kind: "lease", id: guard.jobId }
    }
  }
}

const failingWrite = (state: MemoryState, write: Write, now: Time): Conflict | null => {
  switch (write.kind) {
    case "request":
      return failingGuard(state, { kind: "request", id: write.next.id, version: write.expect }, now)
    case "principal":
      return failingGuard(state, { kind: "principal", key: write.next, version: write.expect }, now)
    case "policies":
      return failingGuard(state, { kind: "policy", revision: write.expect }, now)
    case "lock":
      return state.locks.active.some((lock) => lock.id === write.lock.id) ? { kind: "lock", id: write.lock.id } : null
    case "unlock":
      return state.locks.active.some((lock) => lock.id === write.id) ? null : { kind: "lock", id: write.id }
    case "idempotency":
      return rememberedUse(state, idempotencyKey(write), now) === undefined
        ? null
        : { kind: "idempotency", id: write.key }
    case "credentials":
    case "settle":
    case "reschedule":
      return null
  }
}

/** The first thing that no longer holds: the clock, then guards, then what writes expect, each in the step's order. */
export const conflictIn = (state: MemoryState, step: Step, now: Time): Conflict | null => {
  if (Math.abs(step.now - now) > clockTolerance) return { kind: "clock", id: "clock" }
  for (const guard of step.guards) {
    const conflict = failingGuard(state, guard, now)
    if (conflict !== null) return conflict
  }
  for (const write of step.writes) {
    const conflict = failingWrite(state, write, now)
    if (conflict !== null) return conflict
  }
  return null
}

/** The arrows of the lifecycle. A step may also leave the state as it is. */
const arrows: Readonly<Record<State, ReadonlyArray<State>>> = {
  PENDING: ["APPROVED", "CANCELLED", "REJECTED", "LAPSED"],
  APPROVED: ["ACTIVE", "ENDING", "FAILED"],
  ACTIVE: ["ENDING"],
  ENDING: ["EXPIRED", "REVOKED", "FAILED"],
  CANCELLED: [],
  REJECTED: [],
  LAPSED: [],
  FAILED: [],
  EXPIRED: [],
  REVOKED: []
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

const unstruck = (decision: Decision): Decision => ({ ...decision, struck: null })

const fixed = ["requester", "asked", "roleAsked", "digest", "channel", "sourceIp", "extends", "createdAt"] as const

const objectionToRequest = (before: Request, next: Request): string | null => {
  if (next.state !== before.state && !arrows[before.state].includes(next.state)) {
    return `${before.state} never becomes ${next.state}`
  }
  for (const field of fixed) {
    if (!same(before[field], next[field])) return `${field} never changes after it was asked`
  }
  if (next.updatedAt < before.updatedAt) return "updatedAt went back"
  if (next.decisions.length < before.decisions.length) return "a decision was removed"
  for (const [index, decision] of before.decisions.entries()) {
    const later = next.decisions[index]
    if (later === undefined || !same(unstruck(decision), unstruck(later))) return "a decision was changed"
    if (decision.struck !== null && !same(decision.struck, later.struck)) return "a struck decision was changed"
  }
  if (before.grant !== null) {
    if (next.grant === null) return "the grant was removed"
    if (next.grant.startedAt !== before.grant.startedAt) return "startedAt is written once"
    if (next.grant.resourceKey !== before.grant.resourceKey) return "resourceKey is written once"
    if (next.grant.latestEnd < before.grant.latestEnd) return "latestEnd went back"
    for (const field of ["issuedAt", "notAfter"] as const) {
      if (before.grant[field] !== null && next.grant[field] !== before.grant[field]) return `${field} is written once`
    }
  }
  if (before.review !== null) {
    if (next.review === null) return "the review was removed"
    if (before.review.closed !== null && !same(before.review.closed, next.review.closed)) {
      return "a closed review was changed"
    }
  }
  return null
}

/** What the step breaks of the rules that the engine keeps, or null. Asked only when nothing conflicts. */
export const objectionTo = (state: MemoryState, step: Step): string | null => {
  const after = new Map<string, Request>()
  for (const write of step.writes) if (write.kind === "request") after.set(write.next.id, write.next)
  const requestAfter = (id: string) => after.get(id) ?? state.requests.get(id)
  const wiped = new Set<string>()
  for (const write of step.writes) {
    switch (write.kind) {
      case "request": {
        const before = state.requests.get(write.next.id)
        const why = before === undefined ? null : objectionToRequest(before, write.next)
        if (why !== null) return `request ${write.next.id}: ${why}`
        break
      }
      case "principal": {
        const before = state.principals.get(keyOf(write.next))
        if (before !== undefined && before.firstSeenAt !== write.next.firstSeenAt) {
          return `principal ${keyOf(write.next)}: firstSeenAt never changes`
        }
        break
      }
      case "credentials": {
        const request = requestAfter(write.requestId)
        if (write.sealed === null) wiped.add(write.requestId)
        else if (request?.state !== "ACTIVE") {
          return `credentials of ${write.requestId} stored while it is ${request?.state ?? "unknown"}, not ACTIVE`
        }
        break
      }
      case "idempotency":
        if (requestAfter(write.requestId) === undefined) {
          return `idempotency key ${write.key} stands for the unknown request ${write.requestId}`
        }
        break
      default:
        break
    }
  }
  for (const request of after.values()) {
    if (terminal.has(request.state) && state.credentials.has(request.id) && !wiped.has(request.id)) {
      return `request ${request.id} becomes ${request.state} and keeps its credentials`
    }
  }
  for (const job of step.jobs) {
    if (job.requestId !== null && requestAfter(job.requestId) === undefined) {
      return `job ${job.id} belongs to the unknown request ${job.requestId}`
    }
  }
  return null
}

const add = (index: Map<string, Set<string>>, key: string, id: string): void => {
  const ids = index.get(key)
  if (ids === undefined) index.set(key, new Set([id]))
  else ids.add(id)
}

const write = (state: MemoryState, one: Write, now: Time): void => {
  switch (one.kind) {
    case "request": {
      const next = frozen(one.next)
      state.requests.set(next.id, next)
      add(state.byRequester, keyOf(next.requester), next.id)
      if (next.grant !== null) add(state.byResource, next.grant.resourceKey, next.id)
      return
    }
    case "principal":
      state.principals.set(keyOf(one.next), frozen(one.next))
      return
    case "lock":
      state.locks = frozen({ revision: state.locks.revision + 1, active: [...state.locks.active, one.lock] })
      return
    case "unlock":
      state.locks = frozen({
        revision: state.locks.revision + 1,
        active: state.locks.active.filter((lock) => lock.id !== one.id)
      })
      return
    case "policies":
      state.policies.push(frozen({ revision: { number: one.expect + 1, hash: one.hash }, policies: one.policies }))
      return
    case "credentials":
      if (one.sealed === null) state.credentials.delete(one.requestId)
      else state.credentials.set(one.requestId, frozen(one.sealed))
      return
    case "idempotency":
      state.idempotency.set(idempotencyKey(one), frozen({ bodyHash: one.bodyHash, requestId: one.requestId, at: now }))
      return
    case "settle":
      state.jobs.delete(one.jobId)
      return
    case "reschedule": {
      const row = state.jobs.get(one.jobId)
      if (row !== undefined && !row.dead) state.jobs.set(row.id, frozen({ ...row, runAt: one.runAt }))
      return
    }
  }
}

/** Writes the step, with its entries as the chain linked them. Writes first, then jobs: a settled id may come again. */
export const apply = (state: MemoryState, step: Step, appended: ReadonlyArray<Entry>, now: Time): Receipt => {
  for (const one of step.writes) write(state, one, now)
  for (const job of step.jobs) {
    if (state.jobs.has(job.id)) continue
    state.jobs.set(
      job.id,
      frozen({ ...job, attempts: 0, createdAt: now, lease: 0, leaseUntil: null, lastError: null, dead: false })
    )
  }
  for (const entry of appended) {
    const kept = frozen(entry)
    state.entries.push(kept)
    state.entryIds.add(kept.id)
    for (const one of kept.texts) state.texts.set(one.hash, one)
  }
  const receipt = frozen({
    stepId: step.id,
    entries: appended.map((entry) => ({ seq: entry.seq, hash: entry.hash }))
  })
  state.receipts.set(step.id, receipt)
  return receipt
}
