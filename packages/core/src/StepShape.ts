/**
 * What is wrong with a step as data, whatever a store holds.
 *
 * Every store refuses such a step with `StoreError` (`invalid`, outcome `none`) before it looks at anything else: it is
 * a bug of the caller, no race. Rules:
 * 1. Versions and revisions rise by exactly one.
 * 2. A step writes each object at most once. (Settling a job twice is settling it; settling wins over rescheduling.)
 * 3. Step, entries and jobs have ids; an id stands at most once in a step.
 * 4. Versions, revisions, leases and instants are whole numbers.
 * 5. Everything is JSON, and text that any store can keep: no U+0000 and no lone surrogates.
 */
import { keyOf } from "./Principal.ts"
import type { Step, Write } from "./Step.ts"

const twice = (names: ReadonlyArray<string>): string | undefined => {
  const seen = new Set<string>()
  return names.find((name) => seen.size === seen.add(name).size)
}

/** The object that a write changes, if a second write to it would be a contradiction. */
const written = (write: Write): string | null => {
  switch (write.kind) {
    case "request":
      return `request ${write.next.id}`
    case "principal":
      return `principal ${keyOf(write.next)}`
    case "lock":
      return `lock ${write.lock.id}`
    case "unlock":
      return `lock ${write.id}`
    case "policies":
      return "policies"
    case "credentials":
      return `credentials of ${write.requestId}`
    case "idempotency":
      return `idempotency key ${write.key} of ${keyOf(write.principal)} on ${write.route}`
    case "reschedule":
      return `the due time of job ${write.jobId}`
    case "settle":
      return null
  }
}

const counted = (what: string, expect: number, next: number): string | null => {
  if (!Number.isSafeInteger(expect) || expect < 0) return `${what} expects version ${expect}, which is no version`
  return next === expect + 1 ? null : `${what} goes from version ${expect} to ${next}, not to ${expect + 1}`
}

const whyWrite = (write: Write): string | null => {
  switch (write.kind) {
    case "request":
      return write.next.id === ""
        ? "a request has no id"
        : counted(`request ${write.next.id}`, write.expect, write.next.version)
    case "principal":
      return counted(`principal ${keyOf(write.next)}`, write.expect, write.next.version)
    case "policies": {
      const name = twice(write.policies.map((policy) => policy.name))
      if (name !== undefined) return `two policies are called ${name}`
      const id = twice(write.policies.map((policy) => policy.id))
      return id === undefined
        ? counted("the policies", write.expect, write.expect + 1)
        : `two policies have the id ${id}`
    }
    case "lock":
      return write.lock.id === "" ? "a lock has no id" : null
    default:
      return null
  }
}

/** The path of the first value below `value` that is no JSON or no storable text, or null. */
export const whyNotStorable = (value: unknown, path = ""): string | null => {
  switch (typeof value) {
    case "boolean":
      return null
    case "number":
      return Number.isFinite(value) ? null : `${path} is ${value}, which JSON cannot say`
    case "string":
      if (value.includes("\u0000")) return `${path} contains U+0000`
      return value.isWellFormed() ? null : `${path} contains a lone surrogate`
    case "object": {
      if (value === null) return null
      if (Array.isArray(value)) {
        for (const [index, item] of value.entries()) {
          const why = whyNotStorable(item, `${path}[${index}]`)
          if (why !== null) return why
        }
        return null
      }
      const prototype: unknown = Object.getPrototypeOf(value)
      if (prototype !== Object.prototype && prototype !== null) return `${path} is no plain object`
      for (const [name, item] of Object.entries(value)) {
        const why =
          whyNotStorable(name, `a name in ${path}`) ?? whyNotStorable(item, path === "" ? name : `${path}.${name}`)
        if (why !== null) return why
      }
      return null
    }
    default:
      return `${path} is ${typeof value}, which JSON cannot say`
  }
}

const whole = (what: string, value: number): string | null =>
  Number.isSafeInteger(value) ? null : `${what} is ${value}, which is no whole number`

const whyFraction = (step: Step): string | null => {
  const numbers: ReadonlyArray<readonly [string, number]> = [
    ["now", step.now],
    ...step.guards.map(
      (guard) =>
        [
          `the guard ${guard.kind}`,
          "version" in guard ? guard.version : "revision" in guard ? guard.revision : guard.lease
        ] as const
    ),
    ...step.writes.flatMap((write) =>
      write.kind === "reschedule" ? [[`the due time of job ${write.jobId}`, write.runAt] as const] : []
    ),
    ...step.jobs.map((job) => [`the due time of job ${job.id}`, job.runAt] as const)
  ]
  for (const [what, value] of numbers) {
    const why = whole(what, value)
    if (why !== null) return why
  }
  return null
}

/** Why no store may take this step, in words for the programmer; null when it is well formed. */
export const whyMalformed = (step: Step): string | null => {
  if (step.id === "") return "the step has no id"
  for (const write of step.writes) {
    const why = whyWrite(write)
    if (why !== null) return why
  }
  const object = twice(step.writes.map(written).filter((name) => name !== null))
  if (object !== undefined) return `the step writes ${object} twice`
  if (step.entries.some((entry) => entry.id === "")) return "an entry has no id"
  const entry = twice(step.entries.map((one) => one.id))
  if (entry !== undefined) return `two entries have the id ${entry}`
  if (step.jobs.some((job) => job.id === "")) return "a job has no id"
  const job = twice(step.jobs.map((one) => one.id))
  if (job !== undefined) return `two jobs have the id ${job}`
  const waiting = step.jobs.find((one) => one.after === one.id)
  if (waiting !== undefined) return `job ${waiting.id} waits for itself`
  return whyFraction(step) ?? whyNotStorable(step)
}
