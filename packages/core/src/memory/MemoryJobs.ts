/** Claims over the memory store's jobs: synchronous, so each is one short transaction. */
import type { Job, JobKind, Jobs } from "../Job.ts"
import type { Time } from "../Time.ts"
import * as Times from "../Time.ts"
import { isHeld } from "./MemoryCommit.ts"
import { frozen, type JobRow, type MemoryState } from "./MemoryState.ts"

type ClaimOptions = Parameters<Jobs["Service"]["claim"]>[0]

const heldNow = (row: JobRow, now: Time): boolean => isHeld(row, row.lease, now)

/** Waits until the job named in `after` was claimed once. A job that is gone is done. */
const waitsForAnother = (state: MemoryState, row: JobRow): boolean =>
  row.after !== null && state.jobs.get(row.after)?.attempts === 0

/** Until when a neighbour on the same serial key is held, or null. */
const blockedUntil = (state: MemoryState, row: JobRow, now: Time): Time | null => {
  if (row.serialKey === null) return null
  for (const other of state.jobs.values()) {
    if (other.id !== row.id && other.serialKey === row.serialKey && heldNow(other, now)) return other.leaseUntil
  }
  return null
}

const byDueTime = (a: JobRow, b: JobRow): number =>
  a.runAt - b.runAt || a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1)

export const claim = (state: MemoryState, options: ClaimOptions, now: Time): ReadonlyArray<Job> => {
  const due = [...state.jobs.values()]
    .filter(
      (row) =>
        !row.dead &&
        row.runAt <= now &&
        (options.id === undefined || row.id === options.id) &&
        (options.kinds === undefined || options.kinds.includes(row.kind))
    )
    .sort(byDueTime)
  const claimed: Array<Job> = []
  for (const row of due) {
    if (claimed.length >= options.limit) break
    // Looked at one by one: what was claimed a moment ago holds its serial key already.
    if (heldNow(row, now) || waitsForAnother(state, row) || blockedUntil(state, row, now) !== null) continue
    state.lastLease += 1
    const leaseUntil = Times.plusSeconds(now, options.leaseSeconds)
    const held = frozen({ ...row, attempts: row.attempts + 1, lease: state.lastLease, leaseUntil })
    state.jobs.set(row.id, held)
    const { dead: _, ...job } = held
    claimed.push(Object.freeze(job))
  }
  return claimed
}

/** The row behind a claim that still counts. */
const heldRow = (state: MemoryState, job: Job, now: Time): JobRow | undefined => {
  const row = state.jobs.get(job.id)
  return row !== undefined && isHeld(row, job.lease, now) ? row : undefined
}

const replace = (state: MemoryState, row: JobRow | undefined, change: Partial<JobRow>): boolean => {
  if (row !== undefined) state.jobs.set(row.id, frozen({ ...row, ...change }))
  return row !== undefined
}

export const renew = (state: MemoryState, job: Job, leaseSeconds: number, now: Time): boolean =>
  replace(state, heldRow(state, job, now), { leaseUntil: Times.plusSeconds(now, leaseSeconds) })

export const release = (
  state: MemoryState,
  job: Job,
  retry: { readonly inSeconds: number; readonly error: string | null },
  now: Time
): boolean =>
  replace(state, heldRow(state, job, now), {
    leaseUntil: null,
    runAt: Times.plusSeconds(now, retry.inSeconds),
    lastError: retry.error
  })

export const giveUp = (state: MemoryState, job: Job, error: string, now: Time): boolean =>
  replace(state, heldRow(state, job, now), { leaseUntil: null, dead: true, lastError: error })

export const nextDue = (state: MemoryState, now: Time): Time | null => {
  let next: Time | null = null
  for (const row of state.jobs.values()) {
    if (row.dead || waitsForAnother(state, row)) continue
    let at = row.runAt
    if (heldNow(row, now) && row.leaseUntil !== null) at = Times.max(at, row.leaseUntil)
    const blocked = blockedUntil(state, row, now)
    if (blocked !== null) at = Times.max(at, blocked)
    if (next === null || at < next) next = at
  }
  return next
}

export const counts = (state: MemoryState, now: Time) => {
  const kinds = new Map<JobKind, { kind: JobKind; ready: number; leased: number; dead: number }>()
  for (const row of state.jobs.values()) {
    const count = kinds.get(row.kind) ?? { kind: row.kind, ready: 0, leased: 0, dead: 0 }
    if (row.dead) count.dead += 1
    else if (heldNow(row, now)) count.leased += 1
    else if (row.runAt <= now) count.ready += 1
    kinds.set(row.kind, count)
  }
  return [...kinds.values()]
}
