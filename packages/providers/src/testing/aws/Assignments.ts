/**
 * Who has which permission set in which account, and the operations that change it.
 *
 * 1. Creation and deletion are operations with a status of their own
 *    (https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_AccountAssignmentOperationStatus.html). They end
 *    after so many looks at their status, or a minute later by the server's clock, whichever comes first.
 * 2. An assignment counts from the moment that its creation was taken, and until its deletion has ended.
 * 3. Creating what there is succeeds. One assignment has one operation at a time: another is a conflict
 *    (https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_CreateAccountAssignment.html#API_CreateAccountAssignment_Errors).
 * 4. What reads show runs behind by the configured lag.
 */
import { randomUUID } from "node:crypto"
import { Refusal } from "./Refusal.ts"

export interface Assignment {
  readonly account: string
  readonly permissionSetArn: string
  readonly principalId: string
  readonly principalType: "USER" | "GROUP"
}

export interface Operation extends Assignment {
  readonly kind: "create" | "delete"
  readonly requestId: string
  /** Epoch milliseconds. */
  readonly createdAt: number
  status: "IN_PROGRESS" | "SUCCEEDED" | "FAILED"
  failureReason: string | null
}

export interface Assignments {
  /** The truth. */
  readonly all: () => ReadonlyArray<Assignment>
  /** As reads show it. */
  readonly read: () => ReadonlyArray<Assignment>
  readonly begin: (kind: Operation["kind"], assignment: Assignment) => Operation
  /** One look at the status of an operation. */
  readonly look: (kind: Operation["kind"], requestId: string) => Operation | undefined
  /** Newest first. */
  readonly operations: (kind: Operation["kind"]) => ReadonlyArray<Operation>
  /** Behind everybody's back, at once. */
  readonly put: (assignment: Assignment) => void
  readonly remove: (assignment: Assignment) => void
  /** Operations end at so many looks. */
  readonly setLooks: (looks: number) => void
  /** The next operation of this kind is taken and ends FAILED. */
  readonly failNext: (kind: Operation["kind"], reason: string) => void
  readonly setLag: (calls: number) => void
}

const keyOf = ({ account, permissionSetArn, principalId }: Assignment): string =>
  `${account} ${permissionSetArn} ${principalId}`

const longestMillis = 60_000

export const make = (now: () => number): Assignments => {
  const truth = new Map<string, Assignment>()
  let shown = new Map<string, Assignment>()
  let pending: { readonly shown: Map<string, Assignment>; after: number } | null = null
  let lag = 0
  let looks = 1
  const left = new Map<string, number>()
  const operations: Array<Operation> = []
  const failing: Array<readonly [Operation["kind"], string]> = []

  const changed = (): void => {
    const next = new Map(truth)
    if (lag === 0) {
      shown = next
      pending = null
    } else pending = { shown: next, after: lag }
  }

  const finish = (operation: Operation): void => {
    const failure = failing.findIndex(([kind]) => kind === operation.kind)
    const [, reason = null] = failure < 0 ? [] : (failing.splice(failure, 1)[0] ?? [])
    operation.status = reason === null ? "SUCCEEDED" : "FAILED"
    operation.failureReason = reason
    const gone = operation.kind === "delete" ? reason === null : reason !== null
    if (gone) truth.delete(keyOf(operation))
    changed()
  }

  /** What is a minute old has ended by itself. */
  const age = (): void => {
    for (const operation of operations) {
      if (operation.status === "IN_PROGRESS" && now() >= operation.createdAt + longestMillis) finish(operation)
    }
  }

  return {
    all: () => {
      age()
      return [...truth.values()]
    },
    read: () => {
      age()
      if (pending !== null) {
        pending.after -= 1
        if (pending.after < 0) {
          shown = pending.shown
          pending = null
        }
      }
      return [...shown.values()]
    },
    begin: (kind, assignment) => {
      age()
      const key = keyOf(assignment)
      if (operations.some((one) => one.status === "IN_PROGRESS" && keyOf(one) === key)) {
        throw new Refusal("ConflictException", 409, "There is a conflicting operation in progress")
      }
      if (kind === "delete" && !truth.has(key)) {
        throw new Refusal("ResourceNotFoundException", 404, "The assignment does not exist")
      }
      const operation: Operation = {
        ...assignment,
        kind,
        requestId: randomUUID(),
        createdAt: now(),
        status: "IN_PROGRESS",
        failureReason: null
      }
      operations.unshift(operation)
      left.set(operation.requestId, looks)
      if (kind === "create") truth.set(key, assignment)
      if (looks === 0) finish(operation)
      return operation
    },
    look: (kind, requestId) => {
      age()
      const operation = operations.find((one) => one.kind === kind && one.requestId === requestId)
      if (operation?.status !== "IN_PROGRESS") return operation
      const before = Math.min(left.get(requestId) ?? 0, looks)
      left.set(requestId, before - 1)
      if (before <= 1) finish(operation)
      return operation
    },
    operations: (kind) => {
      age()
      return operations.filter((one) => one.kind === kind)
    },
    put: (assignment) => {
      truth.set(keyOf(assignment), assignment)
      shown.set(keyOf(assignment), assignment)
      pending?.shown.set(keyOf(assignment), assignment)
    },
    remove: (assignment) => {
      truth.delete(keyOf(assignment))
      shown.delete(keyOf(assignment))
      pending?.shown.delete(keyOf(assignment))
    },
    setLooks: (count) => {
      looks = count
    },
    failNext: (kind, reason) => {
      failing.push([kind, reason])
    },
    setLag: (calls) => {
      lag = calls
    }
  }
}
