/**
 * Steps as the arrays that `jitsudo.commit_steps` takes, and its rows as answers.
 *
 * Two steps of which one writes what the other guards or writes never share a batch (`fits`): the function checks all
 * guards before it writes anything, so within a batch nobody would see the other's change.
 */
import type { Step } from "@jitsudo/core"
import { Principal, type Store } from "@jitsudo/core"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"
import { createHash } from "node:crypto"

/** What a step looks at and what it changes, as names of objects. */
export interface Footprint {
  readonly reads: ReadonlySet<string>
  readonly writes: ReadonlySet<string>
}

/** How an idempotency key is stored. */
export const idempotencyId = (use: NonNullable<Store.FactsQuery["idempotency"]>): string =>
  JSON.stringify([use.principal.issuer, use.principal.subject, use.route, use.key])

export const footprintOf = (step: Step.Step): Footprint => {
  const reads = new Set<string>()
  const writes = new Set<string>([`step ${step.id}`])
  for (const guard of step.guards) {
    switch (guard.kind) {
      case "request":
        reads.add(`request ${guard.id}`)
        break
      case "principal":
        reads.add(`principal ${Principal.keyOf(guard.key)}`)
        break
      case "policy":
      case "locks":
        reads.add(guard.kind)
        break
      case "lease":
        reads.add(`job ${guard.jobId}`)
        break
    }
  }
  for (const write of step.writes) {
    switch (write.kind) {
      case "request":
        writes.add(`request ${write.next.id}`)
        break
      case "principal":
        writes.add(`principal ${Principal.keyOf(write.next)}`)
        break
      case "lock":
      case "unlock":
        writes.add("locks")
        break
      case "policies":
        writes.add("policy")
        break
      case "credentials":
        writes.add(`credentials ${write.requestId}`)
        break
      case "idempotency":
        writes.add(`idempotency ${idempotencyId(write)}`)
        break
      case "settle":
      case "reschedule":
        writes.add(`job ${write.jobId}`)
        break
    }
  }
  for (const job of step.jobs) writes.add(`job ${job.id}`)
  return { reads, writes }
}

/** Why the step's numbers cannot be sent, beyond what `StepShape` looks at; null when they can. */
export const whyUnsendable = (step: Step.Step): string | null => {
  if (!Number.isSafeInteger(step.now)) return `its now is ${step.now}, which is no instant`
  for (const guard of step.guards) {
    const number = "version" in guard ? guard.version : "revision" in guard ? guard.revision : guard.lease
    if (!Number.isSafeInteger(number)) return `a guard ${guard.kind} names ${number}, which is no version`
  }
  return null
}

/** True when the step may join a batch that reads and writes this much already. */
export const fits = (batch: Footprint, one: Footprint): boolean => {
  for (const name of one.writes) if (batch.reads.has(name) || batch.writes.has(name)) return false
  for (const name of one.reads) if (batch.writes.has(name)) return false
  return true
}

class Columns {
  readonly ids: Array<string> = []
  readonly nows: Array<bigint> = []
  readonly guards = { step: numbers(), kind: texts(), id: texts(), version: longs() }
  readonly requests = { step: numbers(), body: texts() }
  readonly principals = { step: numbers(), body: texts() }
  readonly others = { step: numbers(), kind: texts(), id: texts(), body: texts() }
  readonly entries = { step: numbers(), id: texts(), payload: texts() }
  readonly texts = { step: numbers(), entry: texts(), hash: texts(), salt: texts(), text: texts() }
  readonly jobs = { step: numbers(), body: texts() }

  guard(step: number, kind: string, id: string, version: number): void {
    this.guards.step.push(step)
    this.guards.kind.push(kind)
    this.guards.id.push(id)
    this.guards.version.push(BigInt(version))
  }

  other(step: number, kind: string, id: string, body: string | null): void {
    this.others.step.push(step)
    this.others.kind.push(kind)
    this.others.id.push(id)
    this.others.body.push(body)
  }
}

const numbers = (): Array<number> => []
const longs = (): Array<bigint> => []
const texts = (): Array<string | null> => []

const addGuard = (to: Columns, step: number, guard: Step.Guard): void => {
  switch (guard.kind) {
    case "request":
      return to.guard(step, "request", guard.id, guard.version)
    case "principal":
      return to.guard(step, "principal", Principal.keyOf(guard.key), guard.version)
    case "policy":
    case "locks":
      return to.guard(step, guard.kind, guard.kind, guard.revision)
    case "lease":
      return to.guard(step, "lease", guard.jobId, guard.lease)
  }
}

/** Policies with each Wasm module replaced by its hash, and the modules by hash: a module is stored once. */
const policySet = (write: Extract<Step.Write, { readonly kind: "policies" }>): string => {
  const modules = new Map<string, string>()
  const policies = write.policies.map((policy) => ({
    ...policy,
    compiled: policy.compiled.map(({ wasm, ...module }) => {
      const hash = createHash("sha256").update(Buffer.from(wasm, "base64")).digest("hex")
      modules.set(hash, wasm)
      return { ...module, wasmHash: hash }
    })
  }))
  return JSON.stringify({
    hash: write.hash,
    policies,
    modules: Array.from(modules, ([hash, wasm]) => ({ hash, wasm }))
  })
}

const addWrite = (to: Columns, step: number, write: Step.Write): void => {
  switch (write.kind) {
    case "request":
      to.guard(step, "request", write.next.id, write.expect)
      to.requests.step.push(step)
      to.requests.body.push(JSON.stringify(write.next))
      return
    case "principal":
      to.guard(step, "principal", Principal.keyOf(write.next), write.expect)
      to.principals.step.push(step)
      to.principals.body.push(JSON.stringify(write.next))
      return
    case "lock":
      to.guard(step, "lock", write.lock.id, 0)
      return to.other(step, "lock", write.lock.id, JSON.stringify(write.lock))
    case "unlock":
      to.guard(step, "lock", write.id, 1)
      return to.other(step, "unlock", write.id, null)
    case "policies":
      to.guard(step, "policy", "policy", write.expect)
      return to.other(step, "policies", "policy", policySet(write))
    case "credentials":
      return write.sealed === null
        ? to.other(step, "wipe", write.requestId, null)
        : to.other(step, "credentials", write.requestId, JSON.stringify(write.sealed))
    case "idempotency": {
      const id = idempotencyId(write)
      to.guard(step, "idempotency", id, 0)
      return to.other(step, "idempotency", id, JSON.stringify({ bodyHash: write.bodyHash, requestId: write.requestId }))
    }
    case "settle":
      return to.other(step, "settle", write.jobId, null)
    case "reschedule":
      return to.other(step, "reschedule", write.jobId, String(write.runAt))
  }
}

const array = (oid: number, values: ReadonlyArray<unknown>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values, oid))

const textArray = (values: ReadonlyArray<string | null>) => array(PgTypes.OID.text, values)
const intArray = (values: ReadonlyArray<number>) => array(PgTypes.OID.int4, values)
const longArray = (values: ReadonlyArray<bigint>) => array(PgTypes.OID.int8, values)

const parameterCount = 24

/** The call, with one placeholder for each array. */
export const statement = `SELECT step, outcome, conflict_kind, conflict_id, seqs, hashes FROM jitsudo.commit_steps(${Array.from(
  { length: parameterCount },
  (_, index) => `$${index + 1}`
).join(", ")}) ORDER BY step`

/** The arrays for `statement`; steps are numbered from 1. */
export const parameters = (batch: ReadonlyArray<Step.Step>): ReadonlyArray<PgTypes.Parameter> => {
  const to = new Columns()
  for (const [index, step] of batch.entries()) {
    const number = index + 1
    to.ids.push(step.id)
    to.nows.push(BigInt(step.now))
    for (const guard of step.guards) addGuard(to, number, guard)
    for (const write of step.writes) addWrite(to, number, write)
    for (const entry of step.entries) {
      to.entries.step.push(number)
      to.entries.id.push(entry.id)
      to.entries.payload.push(entry.payload)
      for (const text of entry.texts) {
        to.texts.step.push(number)
        to.texts.entry.push(entry.id)
        to.texts.hash.push(text.hash)
        to.texts.salt.push(text.salt)
        to.texts.text.push(text.text)
      }
    }
    for (const job of step.jobs) {
      to.jobs.step.push(number)
      to.jobs.body.push(JSON.stringify(job))
    }
  }
  return [
    textArray(to.ids),
    longArray(to.nows),
    intArray(to.guards.step),
    textArray(to.guards.kind),
    textArray(to.guards.id),
    longArray(to.guards.version),
    intArray(to.requests.step),
    textArray(to.requests.body),
    intArray(to.principals.step),
    textArray(to.principals.body),
    intArray(to.others.step),
    textArray(to.others.kind),
    textArray(to.others.id),
    textArray(to.others.body),
    intArray(to.entries.step),
    textArray(to.entries.id),
    textArray(to.entries.payload),
    intArray(to.texts.step),
    textArray(to.texts.entry),
    textArray(to.texts.hash),
    textArray(to.texts.salt),
    textArray(to.texts.text),
    intArray(to.jobs.step),
    textArray(to.jobs.body)
  ]
}

/** A row of the function's answer. */
export interface Row {
  readonly step: number
  readonly outcome: "committed" | "repeated" | "conflict"
  readonly conflict_kind: string | null
  readonly conflict_id: string | null
  readonly seqs: ReadonlyArray<bigint>
  readonly hashes: ReadonlyArray<string>
}

export const receiptOf = (step: Step.Step, row: Row): Step.Receipt => ({
  stepId: step.id,
  entries: row.seqs.map((seq, index) => ({ seq: Number(seq), hash: row.hashes[index] ?? "" }))
})

const kinds = ["request", "principal", "policy", "locks", "lease", "idempotency", "lock", "clock"] as const

const keyWithin = (id: string): string => {
  const parts: unknown = JSON.parse(id)
  return Array.isArray(parts) && typeof parts[3] === "string" ? parts[3] : id
}

/** Which guard failed. A kind that this program does not know is a defect: program and schema do not belong together. */
export const conflictOf = (row: Row): Step.Conflict => {
  const kind = kinds.find((known) => known === row.conflict_kind)
  if (kind === undefined) throw new Error(`commit_steps reported the unknown conflict ${row.conflict_kind}`)
  const id = row.conflict_id ?? kind
  return { kind, id: kind === "idempotency" ? keyWithin(id) : id }
}
