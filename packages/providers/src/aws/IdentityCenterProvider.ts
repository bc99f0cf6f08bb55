/**
 * The provider `aws` in the mode `identity_center`: a permission set in an account, assigned to the person for a time.
 *
 * An assignment carries no mark, no tag and no date, and there is one of a permission set, an account and a person,
 * whoever made it. So whose it is has to be known from elsewhere:
 * 1. `check` notes whether it was there before anybody decided. A grant that finds it there, and no grant of ours that
 *    made it, takes it for what it is: the person has it anyway. Nothing is called, and it is never deleted.
 * 2. What was not there at `check` and is there before our first attempt was made by somebody meanwhile: the grant is
 *    refused without effect, and the person asks again. So wherever an attempt of ours may have had an effect
 *    (`unknownSince`), what it left is ours, although its answer was lost.
 *    Where none can have had one (`neverGranted`), nothing is deleted.
 * 3. Where the answer was lost and it was there at `check` (another grant of ours may have made that one, and be over),
 *    AWS's own record of creations decides: created since the request was made, it is ours; otherwise it stays, and the
 *    audit entry says so.
 * 4. Grants of one permission set in one account for one person share it: the last one that ends deletes it.
 * 5. An operation that AWS is still at when the time is up is an unknown outcome; the next try waits for it.
 * 6. AWS does not end an assignment by itself, and sessions that were opened with it live on after it: `capabilities`
 *    and every audit entry of an ending say until when.
 *
 * What it cannot do: list what it made (nothing tells it from others' assignments), or see that somebody has the
 * permission set by a group.
 */
import { AskCheck, Provider, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as AssignmentOperations from "./AssignmentOperations.ts"
import type { IdentityCenterCalls, Place } from "./IdentityCenterCalls.ts"
import { type IdentityCenterConfig, isPermissionSetName } from "./IdentityCenterConfig.ts"
import * as IdentityCenterUser from "./IdentityCenterUser.ts"
import * as IdentityCenterDiagnosis from "./IdentityCenterDiagnosis.ts"
import * as PermissionSets from "./PermissionSets.ts"
import * as RoleArn from "./RoleArn.ts"

const name = "aws"

/** Reads may lag behind writes; so long nothing is concluded from not seeing a new assignment. */
const lagSeconds = 120

/** The database's clock and AWS's may be so far apart. */
const clockDifferenceMillis = 60_000

/** A request whose id does not say when it was made is taken to be so old: as old as requests get. */
const unreadableIdMillis = 8 * 86_400_000

/** What this process did is remembered so long after the right is over. */
const keptSeconds = 86_400

/** So often a read that still shows what was deleted is repeated. */
const staleReads = 4

export interface Options {
  /** Between two looks at an operation, at first. */
  readonly pollMillis?: number
}

/** What `check` found, stored with the request. */
const Facts = Schema.Struct({
  userId: Schema.String,
  permissionSetArn: Schema.String,
  sessionSeconds: Schema.Int,
  /** Whether it was assigned already. */
  existed: Schema.Boolean
})
type Facts = typeof Facts.Type

/** What a grant leaves for its ending, and for those beside it. */
const Reference = Schema.Struct({
  requestId: Schema.String,
  account: Schema.String,
  permissionSetArn: Schema.String,
  userId: Schema.String,
  /** The person had it before, and keeps it. */
  existed: Schema.Boolean,
  issuedAt: Schema.Int
})
type Reference = typeof Reference.Type

const readFacts = Schema.decodeUnknownResult(Facts)
const readReference = Schema.decodeUnknownResult(Reference)

const referenceIn = (stored: Provider.EndRequest["reference"]): Reference | null => {
  const read = stored === null ? null : readReference(stored)
  return read === null || Result.isFailure(read) ? null : read.success
}

const refuse = (
  reason: Provider.ProviderReason,
  message: string,
  hint: string,
  more: { readonly retryable?: boolean; readonly effect?: "none" | "unknown" } = {}
): Provider.ProviderError =>
  new Provider.ProviderError({ provider: name, reason, retryable: false, effect: "none", message, hint, ...more })

/** The instant in a request's id (`req_` and a ULID), or null. */
const askedAt = (requestId: string): number | null => {
  const digits = /^req_([0-7][0-9A-HJKMNP-TV-Z]{9})[0-9A-HJKMNP-TV-Z]{16}$/u.exec(requestId)?.[1]
  if (digits === undefined) return null
  return [...digits].reduce((time, digit) => time * 32 + "0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(digit), 0)
}

/** What this process knows of its attempts to grant a request. */
interface Attempt {
  readonly notAfter: Time.Time
  /** It asked AWS for the assignment. */
  readonly made: boolean
}

/** Another grant, of the same assignment as far as it says of which. */
interface Beside {
  readonly state: Provider.Neighbour["state"]
  /** Null where nobody knows what it left. */
  readonly reference: Reference | null
}

const besides = (neighbours: ReadonlyArray<Provider.Neighbour>, place: Place): ReadonlyArray<Beside> =>
  neighbours
    .map(({ reference, state }) => ({ state, reference: referenceIn(reference) }))
    .filter(({ reference }) => reference === null || AssignmentOperations.samePlace(reference, place))

/** The provider over given calls. */
export const fromCalls = (
  config: IdentityCenterConfig,
  calls: IdentityCenterCalls,
  { pollMillis = 1000 }: Options = {}
): Provider.Provider => {
  const capabilities: Provider.Capabilities = {
    nativeExpiry: false,
    earlyRevocation: {
      supported: true,
      // Deleting is an operation of AWS that names no number; it takes seconds, rarely a minute.
      withinSeconds: 60,
      note: "The assignment is deleted within about a minute, and no new session can be opened then. Sessions that are open already go on working until their own end: the session duration of the permission set, 12 hours at most."
    },
    listing: false,
    inspection: true,
    minDurationSeconds: 300,
    maxDurationSeconds: config.max_duration_seconds
  }
  const permissionSet = PermissionSets.make(config, calls)
  const operations = AssignmentOperations.make(calls, pollMillis)
  const nameByArn = new Map(Object.entries(config.permission_set_arns ?? {}).map(([set, arn]) => [arn, set]))

  /** Requests that this process began to grant. */
  const begun = new Map<string, Attempt>()
  /** Requests that this process ended, until nothing asks for them any more. */
  const ended = new Map<string, Time.Time>()

  const forgetOld = (now: Time.Time): void => {
    const isOld = (notAfter: Time.Time): boolean => Time.plusSeconds(notAfter, keptSeconds) <= now
    for (const [requestId, { notAfter }] of begun) if (isOld(notAfter)) begun.delete(requestId)
    for (const [requestId, notAfter] of ended) if (isOld(notAfter)) ended.delete(requestId)
  }

  /** Everything of one `grant` or `end`; what is given up half way may still come about. */
  const within = <A>(work: Effect.Effect<A, Provider.ProviderError>): Effect.Effect<A, Provider.ProviderError> =>
    Effect.timeoutOrElse(work, {
      duration: config.operation_seconds * 1000,
      orElse: () =>
        Effect.fail(
          refuse(
            "ProviderUnavailable",
            "AWS is not done with this assignment yet",
            `It took longer than ${config.operation_seconds} s (\`providers.aws.operation_seconds\`); the next try waits for it.`,
            { retryable: true, effect: "unknown" }
          )
        )
    })

  const parse: Provider.Provider["parse"] = (ask) =>
    Result.flatMap(AskCheck.check(name, capabilities, ask), ({ durationSeconds, resourceScope, role: asked }) => {
      if (!RoleArn.isAccount(resourceScope)) {
        return Result.fail(
          refuse("InvalidScope", "the scope must be an AWS account: 12 digits", "Ask for the account's id.")
        )
      }
      if (!config.accounts.includes(resourceScope)) {
        return Result.fail(
          refuse(
            "InvalidScope",
            "jitsudo does not reach this account",
            "Add it to `providers.aws.accounts` if it should."
          )
        )
      }
      const role = nameByArn.get(asked) ?? asked
      if (!isPermissionSetName(role)) {
        return Result.fail(
          refuse(
            "InvalidRole",
            "the role must be the name of a permission set: at most 32 letters, digits and _+=,.@-",
            "An ARN may be asked for where `providers.aws.permission_set_arns` says whose it is."
          )
        )
      }
      if (!config.permission_sets.some((pattern) => RoleArn.matches(pattern, role))) {
        return Result.fail(
          refuse(
            "InvalidRole",
            "jitsudo does not assign this permission set",
            "Add it to `providers.aws.permission_sets` if it should."
          )
        )
      }
      return Result.succeed({ role, resourceScope, durationSeconds })
    })

  const look = (canonical: Provider.Canonical, grantee: Provider.Grantee) =>
    Effect.gen(function* () {
      const value = IdentityCenterUser.valueOf(config, grantee)
      if (value === null) {
        return yield* refuse(
          "PrincipalNotFound",
          "IAM Identity Center does not know you",
          "`providers.aws.user_template` makes no user of this requester: without a verified address, or with one that no user can have."
        )
      }
      const set = yield* permissionSet(canonical.role)
      const userId = yield* calls.userId(value)
      return { permissionSetArn: set.arn, sessionSeconds: set.sessionSeconds, userId }
    })

  const check: Provider.Provider["check"] = (canonical, grantee) =>
    Effect.gen(function* () {
      const found = yield* look(canonical, grantee)
      const existed = yield* operations.isThere({ account: canonical.resourceScope, ...found })
      const facts: Facts = { ...found, existed }
      return { maxDurationSeconds: config.max_duration_seconds, facts }
    })

  /** What is known of a request: its stored facts, or what can still be found out without them. */
  const factsOf = ({ canonical, checked, grantee }: Pick<Provider.EndRequest, "canonical" | "checked" | "grantee">) => {
    const stored = readFacts(checked)
    return Result.isSuccess(stored)
      ? Effect.succeed(stored.success)
      : // Nobody knows whether it was there before: AWS's record has to say.
        Effect.map(look(canonical, grantee), (found): Facts => ({ ...found, existed: true }))
  }

  const placeOf = (account: string, { permissionSetArn, userId }: Facts): Place => ({
    account,
    permissionSetArn,
    userId
  })

  /** Until when a right of this request may live: a repeat never longer than the first. */
  const endOf = (request: Provider.GrantRequest): Result.Result<Time.Time, Provider.ProviderError> => {
    const asked = Time.plusSeconds(request.unknownSince ?? request.now, request.canonical.durationSeconds)
    const notAfter = Time.min(begun.get(request.requestId)?.notAfter ?? asked, asked)
    return notAfter > request.now
      ? Result.succeed(notAfter)
      : Result.fail(
          refuse(
            "ProviderConflict",
            "it was granted before and its time is over",
            "An earlier attempt may have assigned the permission set: the request must be ended.",
            { effect: "unknown" }
          )
        )
  }

  /** Whether reads show it, given that ours were deleted lately and may still be shown. */
  const isReallyThere = (place: Place, deletedLately: boolean): Effect.Effect<boolean, Provider.ProviderError> =>
    Effect.gen(function* () {
      for (let read = 0; read < (deletedLately ? staleReads : 0); read += 1) {
        if (!(yield* operations.isThere(place))) return false
        yield* operations.pause(read)
      }
      return yield* operations.isThere(place)
    })

  /** Whether what may be left without a reference is this request's. */
  const isOurs = (
    { now, requestId }: { readonly now: Time.Time; readonly requestId: string },
    facts: Facts,
    place: Place
  ) => {
    if (!facts.existed || begun.get(requestId)?.made === true) return Effect.succeed(true)
    const asked = askedAt(requestId)
    const since = asked !== null && asked <= now ? asked : now - unreadableIdMillis
    return operations.wasCreatedSince(place, since - clockDifferenceMillis)
  }

  /** Whether the person has it from elsewhere, before anything is called; an error where that cannot be known. */
  const standsAlready = (request: Provider.GrantRequest, facts: Facts, place: Place) =>
    Effect.gen(function* () {
      const others = besides(request.neighbours, place)
      const made = ({ reference, state }: Beside) => reference?.existed === false && state !== "ended"
      if (begun.get(request.requestId)?.made === true || others.some(made)) return false
      const deletedLately = others.some(({ reference, state }) => reference?.existed === false && state === "ended")
      if (!(yield* isReallyThere(place, deletedLately))) return false
      if (others.some(({ reference, state }) => reference === null && state === "ending")) {
        return yield* refuse(
          "ProviderConflict",
          "another grant of this is being ended",
          "What that one left is not known yet. It is tried again when it has ended.",
          { retryable: true }
        )
      }
      if (facts.existed || others.some(({ reference }) => reference?.existed === true)) {
        // An attempt that another process lost may have made what is there.
        return request.unknownSince === undefined || !(yield* isOurs(request, facts, place))
      }
      if (request.unknownSince !== undefined) return false
      return yield* refuse(
        "ProviderConflict",
        "somebody assigned this to you meanwhile",
        `${place.permissionSetArn} was not assigned when it was asked for, and is now. Ask again; jitsudo does not take over what others assigned.`
      )
    })

  /** What had no effect is no earlier attempt: what stands there later is not taken for its own. */
  const forgetAttempt = (
    { requestId }: Provider.GrantRequest,
    { effect }: Provider.ProviderError,
    before: Attempt | undefined
  ): Effect.Effect<void> =>
    Effect.sync(() => {
      if (effect !== "none") return
      if (before === undefined) begun.delete(requestId)
      else begun.set(requestId, before)
    })

  const grant: Provider.Provider["grant"] = (request) =>
    within(
      Effect.gen(function* () {
        forgetOld(request.now)
        const facts = yield* factsOf(request)
        const place = placeOf(request.canonical.resourceScope, facts)
        const notAfter = yield* Effect.fromResult(endOf(request))
        const existed = yield* standsAlready(request, facts, place)
        const before = begun.get(request.requestId)
        // Before the call: its answer may be lost.
        begun.set(request.requestId, { notAfter, made: !existed })
        ended.delete(request.requestId)
        if (!existed)
          yield* Effect.tapError(operations.create(place), (failure) => forgetAttempt(request, failure, before))
        const reference: Reference = { requestId: request.requestId, ...place, existed, issuedAt: request.now }
        return {
          issuedAt: request.now,
          notAfter,
          reference,
          credentials: {
            AWS_REGION: config.region,
            AWS_DEFAULT_REGION: config.region,
            JITSUDO_AWS_ACCOUNT_ID: place.account,
            JITSUDO_AWS_PERMISSION_SET: request.canonical.role
          }
        }
      })
    )

  const endOrKeep = (request: Provider.EndRequest, facts: Facts, place: Place) =>
    Effect.gen(function* () {
      const others = besides(request.neighbours, place)
      const own = referenceIn(request.reference)
      const known = own?.requestId === request.requestId && AssignmentOperations.samePlace(own, place) ? own : null
      if (others.some(({ state }) => state === "active")) {
        return "another grant of this permission set to the same person is active: it stays assigned until that one ends"
      }
      if (request.neverGranted === true && known === null) return "nothing was granted, so nothing was taken back"
      if (known?.existed === true) return "it was assigned before the request was made, and stays assigned"
      if (known === null && !(yield* isOurs(request, facts, place))) {
        return "whatever is assigned was assigned before the request was made, and stays assigned"
      }
      yield* operations.remove(place)
      const until = Time.toRfc3339(Time.plusSeconds(request.now, facts.sessionSeconds))
      return `sessions that were opened before live on, until ${until} at the latest`
    })

  const end: Provider.Provider["end"] = (request) =>
    within(
      Effect.gen(function* () {
        const facts = yield* factsOf(request)
        const note = yield* endOrKeep(request, facts, placeOf(request.canonical.resourceScope, facts))
        begun.delete(request.requestId)
        ended.set(request.requestId, request.notAfter)
        forgetOld(request.now)
        return { note }
      })
    )

  const inspect: Provider.Provider["inspect"] = (request) =>
    Effect.gen(function* () {
      // Another grant may hold the assignment; this one is over all the same.
      if (ended.has(request.requestId)) return "ended"
      const facts = yield* factsOf(request)
      const place = placeOf(request.canonical.resourceScope, facts)
      const reference = referenceIn(request.reference)
      // Without one, what is there may be anybody's.
      if (yield* operations.isThere(place)) return reference === null ? "unknown" : "active"
      const issuedAt = reference?.issuedAt ?? request.now
      return request.now < issuedAt + lagSeconds * 1000 ? "unknown" : "ended"
    })

  return {
    name,
    capabilities,
    parse,
    check,
    grant,
    end,
    resourceKey: ({ resourceScope, role }, grantee) =>
      `${resourceScope}/${role}/${IdentityCenterUser.keyOf(config, grantee)}`,
    inspect,
    list: () => Effect.succeed([]),
    diagnose: IdentityCenterDiagnosis.make(config, calls)
  }
}
