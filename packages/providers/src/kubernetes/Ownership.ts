/**
 * Whose an object is that has the name of something of ours, and how it goes.
 *
 * 1. What is there already is a grant's own only if it says the same: request, subject and role. Nothing is ever changed.
 * 2. What is deleted is what was looked at, by its uid. It carries the request's mark, or its uid is the one that the
 *    grant was given.
 * 3. What a finalizer holds is there: a binding that is being deleted goes on granting.
 */
import { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import type { Binding, Found, KubernetesCalls, Place } from "./KubernetesCalls.ts"
import * as Mark from "./Mark.ts"
import * as Subject from "./Subject.ts"

/** When a deletion that something holds up is looked at again. */
const heldUpSeconds = 5

const nameOf = ({ kind, name, namespace }: Place): string =>
  `${kind} ${namespace === null ? "" : `${namespace}/`}${name}`

/** Whether a binding binds this subject, among others perhaps, to this role. */
const grants = ({ role, subjects }: Found, binding: Binding): boolean =>
  subjects.some((subject) => Subject.isSame(subject, binding.subject)) &&
  role?.kind === binding.role.kind &&
  role.name === binding.role.name

/** What is there under the name of something of ours; an error when it is not what this request would have made. */
export const sameAs = (
  calls: KubernetesCalls,
  place: Place,
  requestId: string,
  binding: Binding | null
): Effect.Effect<Found, Provider.ProviderError> =>
  Effect.gen(function* () {
    const found = yield* calls.read(place)
    const what = `${nameOf(place)} in ${place.cluster}`
    const conflict = (retryable: boolean, effect: "none" | "unknown", hint: string): Provider.ProviderError =>
      new Provider.ProviderError({
        provider: "kubernetes",
        reason: "ProviderConflict",
        retryable,
        effect,
        message: "something else in the cluster has the name that this grant needs",
        hint
      })
    if (found === null) return yield* conflict(true, "unknown", `${what} was there and is gone; it is tried again.`)
    if (!Mark.isOf(found, requestId)) {
      return yield* conflict(
        false,
        "none",
        `${what} does not carry this request's mark. Look who made it, and remove it.`
      )
    }
    if (found.isDeleting) {
      return yield* conflict(
        true,
        "unknown",
        `${what} is being deleted (finalizers: ${found.finalizers.join(", ")}); it is tried again.`
      )
    }
    const isSame = binding === null || (found.subjects.length === 1 && grants(found, binding))
    return isSame
      ? found
      : yield* conflict(
          false,
          "unknown",
          `${what} has this request's mark, but another subject or role than was approved. Somebody changed it.`
        )
  })

/** Deletes what of this request is there; what it says is for the audit entry. */
export const takeAway = (
  calls: KubernetesCalls,
  place: Place,
  requestId: string,
  uid: string | null,
  expected: Binding | null
): Effect.Effect<string | null, Provider.ProviderError> =>
  Effect.gen(function* () {
    const what = nameOf(place)
    const heldUp = (message: string, hint: string): Provider.ProviderError =>
      new Provider.ProviderError({
        provider: "kubernetes",
        reason: "ProviderConflict",
        retryable: true,
        effect: "unknown",
        message,
        hint,
        retryAfterSeconds: heldUpSeconds
      })
    // Once for ours, and once more for what may have taken its name meanwhile.
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const found = yield* calls.read(place)
      if (found === null) return null
      if (!Mark.isOf(found, requestId) && found.uid !== uid) {
        if (expected === null || !grants(found, expected)) return `${what} is not this request's and was left alone`
        return yield* heldUp(
          "somebody gave the same right under this grant's name",
          `${what} in ${place.cluster} has no mark of jitsudo's and binds the same subject to the same role. Remove it if nobody needs it.`
        )
      }
      if (found.isDeleting) {
        return yield* heldUp(
          "the cluster has not let go of it yet",
          `${what} in ${place.cluster} is being deleted and goes on granting until its finalizers are gone: ${found.finalizers.join(", ")}.`
        )
      }
      yield* calls.remove(place, found.uid)
    }
    return yield* heldUp("the cluster has not let go of it yet", `${what} in ${place.cluster} is made again and again.`)
  })
