/**
 * Changes of assignments to their end: asked for, looked at until AWS is done, and repeated when another change was in
 * the way.
 *
 * 1. AWS does one change of an assignment at a time. Whatever is under way there, ours or not, is waited for first.
 * 2. A deletion is confirmed by AWS's word that it succeeded, or that there is nothing to delete.
 * 3. How long all of it may take is for the caller to say. What is given up half way may still come about.
 */
import { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as AwsError from "./AwsError.ts"
import type { IdentityCenterCalls, Kind, Operation, Place } from "./IdentityCenterCalls.ts"

export interface AssignmentOperations {
  /** The person has it, or an error whose effect says whether they may have. */
  readonly create: (place: Place) => Effect.Effect<void, Provider.ProviderError>
  /** The person has it no longer. */
  readonly remove: (place: Place) => Effect.Effect<void, Provider.ProviderError>
  /** Whether the person has it, as reads show it. */
  readonly isThere: (place: Place) => Effect.Effect<boolean, Provider.ProviderError>
  /** Whether somebody, we or others, asked for it since then (epoch milliseconds) and AWS did not fail to do it. */
  readonly wasCreatedSince: (place: Place, since: number) => Effect.Effect<boolean, Provider.ProviderError>
  /** One step of waiting. */
  readonly pause: (step: number) => Effect.Effect<void>
}

export const samePlace = (a: Place, b: Place): boolean =>
  a.account === b.account && a.permissionSetArn === b.permissionSetArn && a.userId === b.userId

const longestPauseMillis = 5000

/** AWS's reason for the operator: one visible line. */
const told = (failure: string | null): string =>
  (failure ?? "no reason was given")
    .toWellFormed()
    .replace(/[\p{C}\p{Z}]+/gu, " ")
    .slice(0, 200)

const failed = (kind: Kind, { failure }: Operation): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: "aws",
    reason: "ProviderUnavailable",
    retryable: true,
    effect: "unknown",
    message: kind === "create" ? "AWS could not assign the permission set" : "AWS could not take the assignment back",
    hint: `The operation of IAM Identity Center ended with FAILED: ${told(failure)}`
  })

export const make = (calls: IdentityCenterCalls, pollMillis: number): AssignmentOperations => {
  const pause = (step: number): Effect.Effect<void> =>
    Effect.sleep(Math.min(longestPauseMillis, pollMillis * 1.5 ** step))

  /** Until AWS is done with it. A look that fails for a while is repeated. */
  const awaited = (kind: Kind, begun: Operation): Effect.Effect<Operation, Provider.ProviderError> =>
    Effect.gen(function* () {
      let operation = begun
      for (let step = 0; operation.status === "IN_PROGRESS"; step += 1) {
        yield* pause(step)
        operation = yield* Effect.catchIf(
          calls.look(kind, operation.id),
          (failure) => failure.retryable,
          () => Effect.succeed(operation)
        )
      }
      return operation
    })

  /** What is under way at this place, of one kind. */
  const underWay = (kind: Kind, place: Place): Effect.Effect<ReadonlyArray<Operation>, Provider.ProviderError> =>
    Effect.gen(function* () {
      const found = yield* calls.operations(kind, "IN_PROGRESS")
      const operations = yield* Effect.forEach(found, ({ id }) => calls.look(kind, id))
      return operations.filter((one) => samePlace(one.place, place))
    })

  const othersDone = (place: Place, step: number): Effect.Effect<void, Provider.ProviderError> =>
    Effect.gen(function* () {
      for (const kind of ["create", "delete"] as const) {
        for (const operation of yield* underWay(kind, place)) yield* awaited(kind, operation)
      }
      yield* pause(step)
    })

  /** Asked for and taken; what is in the way is waited for. */
  const begun = (kind: Kind, place: Place): Effect.Effect<Operation, Provider.ProviderError> =>
    Effect.gen(function* () {
      for (let step = 0; ; step += 1) {
        const operation = yield* Effect.catchIf(
          calls.begin(kind, place),
          ({ reason }) => reason === "ProviderConflict",
          () => Effect.succeed(null)
        )
        if (operation !== null) return operation
        yield* othersDone(place, step)
      }
    })

  const isThere: AssignmentOperations["isThere"] = (place) =>
    Effect.map(calls.assignees(place), (users) => users.includes(place.userId))

  /** Nothing can be left: the instance answers, and shows no such assignment, or not even the permission set. */
  const confirmGone = (place: Place): Effect.Effect<void, Provider.ProviderError> =>
    Effect.gen(function* () {
      const shown = yield* isThere(place).pipe(
        Effect.catchIf(
          ({ reason }) => reason === "RoleNotFound",
          (failure) =>
            Effect.flatMap(calls.permissionSetArns, (arns) =>
              arns.includes(place.permissionSetArn) ? Effect.fail(failure) : Effect.succeed(false)
            )
        )
      )
      if (!shown) return
      return yield* new Provider.ProviderError({
        provider: "aws",
        reason: "ProviderConflict",
        retryable: true,
        effect: "none",
        message: "AWS does not agree with itself whether this is assigned",
        hint: "Deleting found no assignment, and listing shows one. It is tried again."
      })
    })

  return {
    create: (place) =>
      Effect.gen(function* () {
        const operation = yield* begun("create", place)
        const done = yield* Effect.mapError(awaited("create", operation), AwsError.withUnknownEffect)
        if (done.status !== "SUCCEEDED") return yield* failed("create", done)
      }),
    remove: (place) =>
      Effect.gen(function* () {
        const operation = yield* Effect.catchIf(
          begun("delete", place),
          ({ reason }) => reason === "RoleNotFound",
          () => Effect.as(confirmGone(place), null)
        )
        if (operation === null) return
        const done = yield* Effect.mapError(awaited("delete", operation), AwsError.withUnknownEffect)
        if (done.status !== "SUCCEEDED") return yield* failed("delete", done)
      }),
    isThere,
    wasCreatedSince: (place, since) =>
      Effect.gen(function* () {
        for (const { createdAt, id } of yield* calls.operations("create")) {
          if (createdAt < since) continue
          const operation = yield* calls.look("create", id)
          if (samePlace(operation.place, place) && operation.status !== "FAILED") return true
        }
        return false
      }),
    pause
  }
}
