/**
 * The use cases of people and agents: ask, decide, withdraw, give back, use, see. A newcomer starts here.
 *
 * Each reads the same way: validate, ask policy, one step (`Transitions`), and then `settle` (`Granter`), which only
 * hurries what the scheduler would do anyway.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Access from "./Access.ts"
import { stringify } from "./Canonical.ts"
import { decide, type Actor, type AiDecide, type PolicyAnswers, type Recheck } from "./Elevation.ts"
import type { ElevationError, Problem, Refused } from "./ElevationError.ts"
import { decline, refuse, Unavailable } from "./ElevationError.ts"
import { apply } from "./Event.ts"
import { Granter } from "./Granter.ts"
import * as Ids from "./Ids.ts"
import type { JsonObject } from "./Json.ts"
import { Labels } from "./Labels.ts"
import type { Admission, Eligibility, PolicyAction, PolicyUnavailable, RoutingVerdict } from "./Policy.ts"
import { Policy } from "./Policy.ts"
import { heldSeconds, inputOf, type InputParts } from "./PolicyFacts.ts"
import { keyOf, sameParty, type PrincipalKey } from "./Principal.ts"
import { Providers, type Canonical, type Checked, type Provider, type ProviderError } from "./Provider.ts"
import type { Asked, Request, RequestId } from "./Request.ts"
import { admits, openStages } from "./rules/Deciding.ts"
import { isNamed, lockOnActor, lockOnAsked, partyNow } from "./rules/Standing.ts"
import { Sealer } from "./Sealer.ts"
import { Settings } from "./Settings.ts"
import { sha256Hex } from "./Sha256.ts"
import type { Page, RequestFilter, StoredFacts } from "./Store.ts"
import { Store } from "./Store.ts"
import * as Text from "./Text.ts"
import type { Time } from "./Time.ts"
import { actorIn, storeTrouble, Transitions, type LeaseLost, type Outcome, type Prepared } from "./Transitions.ts"
import { resourceKeyOf } from "./Work.ts"

/** What somebody asks for. */
export interface AskInput {
  readonly provider: string
  readonly role: string
  readonly resourceScope: string
  readonly durationSeconds: number
  readonly reason: string
  readonly metadata: Readonly<Record<string, string>>
  readonly breakGlass: boolean
}

/** Where a call came from. */
export interface Origin {
  /** `api`, `cli`, `mcp`, `ui`, `embedded`. */
  readonly channel: string
  readonly sourceIp: string
}

export interface AskOptions extends Origin {
  readonly idempotencyKey?: string
  /** Goes on from this request without a gap. */
  readonly extends?: RequestId
}

/**
 * Who acts, and by which sign-in: policy sees when and how that one was made, whatever a newer one of theirs says.
 * Without them it sees the newest.
 */
export interface Acting extends PrincipalKey {
  readonly authTime?: Time | null
  readonly amr?: ReadonlyArray<string>
}

/** The handed-out credentials of an active grant. Never logged. */
export interface Credentials {
  readonly requestId: RequestId
  readonly values: Readonly<Record<string, string>>
  readonly issuedAt: Time
  readonly notAfter: Time
}

/** Who still has to decide, for people. */
export interface Missing {
  readonly waitingFor: string | null
  readonly open: ReadonlyArray<string>
}

export class Elevations extends Context.Service<
  Elevations,
  {
    /** 201: the request as it stands after policy and, where it was approved at once, the provider. */
    readonly request: (by: Acting, input: AskInput, options: AskOptions) => Effect.Effect<Request, ElevationError>
    /** Another grant that goes on where an active one of the same person, role and scope will end. */
    readonly extend: (
      by: Acting,
      id: RequestId,
      input: { readonly durationSeconds: number; readonly reason: string },
      options: Omit<AskOptions, "extends">
    ) => Effect.Effect<Request, ElevationError>
    /** `digest`: what the decider saw. */
    readonly approve: (
      by: Acting,
      id: RequestId,
      decision: { readonly comment: string; readonly digest: string }
    ) => Effect.Effect<Request, ElevationError>
    readonly deny: (
      by: Acting,
      id: RequestId,
      decision: { readonly comment: string; readonly digest: string }
    ) => Effect.Effect<Request, ElevationError>
    readonly aiDecide: (
      by: Acting,
      id: RequestId,
      answer: Pick<AiDecide, "verdict" | "reasoning" | "confidence" | "risk" | "model" | "digest" | "version">
    ) => Effect.Effect<Request, ElevationError>
    readonly cancel: (by: Acting, id: RequestId, reason: string) => Effect.Effect<Request, ElevationError>
    /** Idempotent. On PENDING it is a cancellation. */
    readonly revoke: (by: Acting, id: RequestId, reason: string) => Effect.Effect<Request, ElevationError>
    readonly credentials: (by: Acting, id: RequestId) => Effect.Effect<Credentials, ElevationError>
    readonly closeReview: (by: Acting, id: RequestId, comment: string) => Effect.Effect<Request, ElevationError>
    /** Look again at a request that waits for somebody's sign-in. */
    readonly recheck: (id: RequestId) => Effect.Effect<Request, ElevationError>
    /**
     * The same for all that wait: those of which this principal is the requester or a decider, or every one. What still
     * waits goes on waiting; trouble with one of them is logged and keeps no other from being looked at.
     */
    readonly recheckWaiting: (concerning: PrincipalKey | null) => Effect.Effect<void, ElevationError>
    readonly get: (by: Acting, id: RequestId) => Effect.Effect<Request, ElevationError>
    /** Newest first; only what `by` may see. */
    readonly list: (
      by: Acting,
      options: {
        readonly filter: RequestFilter
        readonly limit: number
        readonly cursor?: string
        readonly forMe?: boolean
      }
    ) => Effect.Effect<Page<Request>, ElevationError>
    /** May this person decide on it as things stand? */
    readonly mayDecide: (by: Acting, id: RequestId) => Effect.Effect<boolean, ElevationError>
    readonly missing: (request: Request) => Missing
  }
>()("@jitsudo/core/Elevations") {}

const nobody = refuse("not_permitted", "nobody has signed in as this principal", "run `jitsudo login`")

const policyTrouble = (error: PolicyUnavailable): Unavailable =>
  new Unavailable({ what: "policy", message: error.message, retryAfterSeconds: 1 })

/** A provider's error before anything was granted: the asker's fault, or trouble. */
const providerTrouble = (error: ProviderError): ElevationError => {
  const field =
    error.reason === "InvalidRole" || error.reason === "RoleNotFound"
      ? "role"
      : error.reason === "InvalidScope"
        ? "resourceScope"
        : error.reason === "DurationOutOfRange"
          ? "durationSeconds"
          : undefined
  return error.retryable && field === undefined
    ? new Unavailable({ what: "provider", message: error.message, retryAfterSeconds: error.retryAfterSeconds ?? 5 })
    : decline("provider_refused", error.message, error.hint, {
        problems: [{ message: error.message, ...(field === undefined ? {} : { field }) }]
      })
}

const inputProblems = (input: AskInput, maxDurationSeconds: number): ReadonlyArray<Problem> => {
  const problems: Array<Problem> = [
    // Nothing is removed from these: what is granted is never another right than what was asked for.
    ...Text.problemsOf("provider", input.provider, { max: Text.limits.provider, required: true, visible: true }),
    ...Text.problemsOf("role", input.role, { max: Text.limits.role, required: true, visible: true }),
    ...Text.problemsOf("resourceScope", input.resourceScope, { max: Text.limits.resourceScope, visible: true }),
    ...Text.problemsOf("reason", input.reason, { max: Text.limits.reason })
  ]
  if (!Number.isSafeInteger(input.durationSeconds) || input.durationSeconds <= 0) {
    problems.push({ field: "durationSeconds", message: "must be a whole number of seconds above 0" })
  } else if (input.durationSeconds > maxDurationSeconds) {
    problems.push({
      field: "durationSeconds",
      message: `must be at most ${maxDurationSeconds} (${maxDurationSeconds / 3600} h)`
    })
  }
  const entries = Object.entries(input.metadata)
  if (entries.length > Text.limits.metadataKeys) {
    problems.push({ field: "metadata", message: `must have at most ${Text.limits.metadataKeys} keys` })
  }
  for (const [key, value] of entries.slice(0, Text.limits.metadataKeys)) {
    if (!/^[a-zA-Z0-9_.-]{1,64}$/u.test(key) || key === "__proto__") {
      problems.push({ field: "metadata", message: "keys must have 1-64 letters, digits, `_`, `.` or `-`" })
    }
    problems.push(
      ...Text.problemsOf(`metadata.${key.slice(0, 64)}`, value, { max: Text.limits.metadataValue, singleLine: true })
    )
  }
  return problems
}

const cleanInput = (input: AskInput): AskInput => ({
  ...input,
  provider: Text.clean(input.provider),
  role: Text.clean(input.role),
  resourceScope: Text.clean(input.resourceScope),
  reason: Text.clean(input.reason),
  metadata: Object.fromEntries(Object.entries(input.metadata).map(([key, value]) => [key, Text.clean(value)]))
})

const askedJson = (asked: Asked, requester: PrincipalKey): JsonObject => ({
  requester: { issuer: requester.issuer, subject: requester.subject },
  provider: asked.provider,
  role: asked.role,
  resourceScope: asked.resourceScope,
  durationSeconds: asked.durationSeconds,
  reason: asked.reason,
  metadata: { ...asked.metadata },
  breakGlass: asked.breakGlass
})

/** SHA-256 of the canonical JSON of what is asked: what a decision is made on. */
export const digestOf = (asked: Asked, requester: PrincipalKey): Effect.Effect<string> =>
  sha256Hex(stringify(askedJson(asked, requester)))

const invalid = (problems: ReadonlyArray<Problem>): Refused =>
  decline(
    "invalid_input",
    `${problems.length} problem(s) in what was asked`,
    "correct the named fields and ask again",
    { problems }
  )

const noRouting: RoutingVerdict = { tier: "human", stages: [], openQuorum: 1, findings: [] }
const noAdmission: Admission = { allowed: false, denied: false, reasons: [], findings: [] }

const commentOf = (field: string, text: string): Effect.Effect<string, Refused> => {
  const problems = Text.problemsOf(field, text, { max: Text.limits.comment })
  return problems.length === 0 ? Effect.succeed(Text.clean(text)) : Effect.fail(invalid(problems))
}

const make = Effect.gen(function* () {
  const store = yield* Store
  const policy = yield* Policy
  const providers = yield* Providers
  const labels = yield* Labels
  const settings = yield* Settings
  const sealer = yield* Sealer
  const granter = yield* Granter
  const transitions = yield* Transitions
  const random = yield* Ids.RandomBytes

  // No job stands behind a caller's step, so no lease can be lost.
  const run = (transition: Parameters<typeof transitions.run>[0]): Effect.Effect<Outcome, ElevationError> =>
    Effect.catchTag(transitions.run(transition), "LeaseLost", (lost: LeaseLost) => Effect.die(lost))

  const eligibility = (revision: number, parts: InputParts) =>
    Effect.mapError(policy.eligibility(revision, inputOf(parts)), policyTrouble)
  const routing = (revision: number, parts: InputParts) =>
    Effect.mapError(policy.routing(revision, inputOf(parts)), policyTrouble)
  const admission = (revision: number, parts: InputParts) =>
    Effect.mapError(policy.admission(revision, inputOf(parts)), policyTrouble)

  const actor = (facts: StoredFacts, key: Acting): Effect.Effect<Actor, Refused> => {
    const found = actorIn(facts, key)
    if (found === undefined) return Effect.fail(nobody)
    const { amr = found.principal.amr, authTime = found.principal.authTime } = key
    return Effect.succeed({ ...found, principal: { ...found.principal, amr, authTime } })
  }

  const providerOf = (name: string): Effect.Effect<Provider, Refused> => {
    const provider = providers.get(name)
    return provider === undefined
      ? Effect.fail(
          decline(
            "unknown_provider",
            `there is no provider "${name}" here`,
            `configured: ${providers.names.join(", ") || "none"}`,
            {
              problems: [{ field: "provider", message: `unknown; configured: ${providers.names.join(", ") || "none"}` }]
            }
          )
        )
      : Effect.succeed(provider)
  }

  const keyFor = (request: Request): string => resourceKeyOf(providers.get(request.asked.provider), request)

  /** What a provider throws, or never says, is trouble of the provider's. */
  const checkAt = (provider: Provider, canonical: Canonical, who: PrincipalKey & { readonly email: string | null }) => {
    const trouble = (message: string) =>
      new Unavailable({ what: "provider", message: `${provider.name} ${message}`, retryAfterSeconds: 5 })
    return Effect.mapError(provider.check(canonical, who), providerTrouble).pipe(
      Effect.timeoutOrElse({
        duration: settings.callTimeoutSeconds * 1000,
        orElse: () => Effect.fail(trouble("did not answer in time"))
      }),
      Effect.catchDefect((defect) =>
        Effect.andThen(Effect.logError(`provider ${provider.name} threw`, defect), Effect.fail(trouble("broke")))
      )
    )
  }

  const parse = Effect.fnUntraced(function* (raw: AskInput) {
    const problems = inputProblems(raw, settings.maxDurationSeconds)
    if (problems.length > 0) return yield* invalid(problems)
    const input = cleanInput(raw)
    const provider = yield* providerOf(input.provider)
    const canonical = yield* Effect.mapError(Effect.fromResult(provider.parse(input)), providerTrouble)
    const asked: Asked = {
      ...canonical,
      provider: provider.name,
      reason: input.reason,
      metadata: input.metadata,
      breakGlass: input.breakGlass
    }
    return { provider, canonical, asked, roleAsked: input.role }
  })

  /** The parts of policy's input about a request that does not exist yet. */
  const newParts = (
    action: PolicyAction,
    by: Actor,
    facts: StoredFacts,
    about: {
      readonly id: string
      readonly asked: Asked
      readonly roleAsked: string
      readonly labels: JsonObject
    } & Origin
  ): InputParts => ({
    action,
    now: facts.now,
    user: by,
    requester: by,
    request: { ...about, createdAt: facts.now, decisions: [] },
    activeGrants: facts.activeGrants,
    heldSeconds: heldSeconds(facts.held, facts.now),
    openReviews: openReviewsOf(by, facts)
  })

  /** Break-glass reviews of a person, under every identity that was read with these facts. */
  const openReviewsOf = (by: Actor, facts: StoredFacts): number => {
    const { email, issuer, subject } = by.principal
    let open = 0
    for (const one of facts.principals.values()) {
      const own = one.issuer === issuer && one.subject === subject
      if (own || (email !== null && one.email === email && one.kind === "human")) open += one.openReviews
    }
    return open
  }

  /** The other identities of a person: those with the same verified e-mail address. */
  const kinOf = Effect.fnUntraced(function* (by: Acting) {
    const self = yield* Effect.mapError(store.principal(by), storeTrouble)
    if (Option.isNone(self) || self.value.email === null) return []
    const page = yield* Effect.mapError(store.principals({ email: self.value.email, limit: 100 }), storeTrouble)
    return page.items.map((one): PrincipalKey => ({ issuer: one.issuer, subject: one.subject }))
  })

  const request: Elevations["Service"]["request"] = Effect.fn("Elevations.request")(function* (by, raw, options) {
    const keyProblems =
      options.idempotencyKey === undefined
        ? []
        : Text.problemsOf("Idempotency-Key", options.idempotencyKey, {
            max: Text.limits.idempotencyKey,
            required: true,
            visible: true
          })
    if (keyProblems.length > 0) return yield* invalid(keyProblems)
    const { asked, canonical, provider, roleAsked } = yield* parse(raw)
    // A review that is open under one identity counts under all.
    const kin = asked.breakGlass ? yield* kinOf(by) : []
    const digest = yield* digestOf(asked, by)
    const labelsNow = yield* labels.of({
      provider: asked.provider,
      role: asked.role,
      resourceScope: asked.resourceScope,
      requester: by,
      ticket: asked.metadata["ticket"] ?? ""
    })
    const route = options.extends === undefined ? "requests" : `requests/${options.extends}/extend`
    const idempotency =
      options.idempotencyKey === undefined ? undefined : { principal: by, route, key: options.idempotencyKey }
    const bodyHash = yield* sha256Hex(stringify({ ...askedJson(asked, by), extends: options.extends ?? null }))
    let id: RequestId | undefined
    let checked: Checked | undefined

    const outcome = yield* run({
      query: {
        principals: [by, ...kin],
        history: { principal: by, provider: asked.provider, role: asked.role, resourceScope: asked.resourceScope },
        ...(idempotency === undefined ? {} : { idempotency })
      },
      resourceKey: keyFor,
      prepare: Effect.fnUntraced(function* (facts) {
        if (facts.idempotency !== undefined) {
          if (facts.idempotency.bodyHash !== bodyHash) {
            return yield* decline(
              "idempotency_mismatch",
              "this idempotency key was used for another request",
              "use a new key for a new request",
              { problems: [{ field: "Idempotency-Key", message: "was used with another body" }] }
            )
          }
          return { instead: facts.idempotency.requestId }
        }
        const who = yield* actor(facts, by)
        id ??= Ids.make("req", facts.now, random)
        const about = { id, asked, roleAsked, labels: labelsNow, channel: options.channel, sourceIp: options.sourceIp }
        const standsInTheWay = lockOnActor(who, facts_(facts)) ?? lockOnAsked(asked, who.party, facts_(facts))
        const verdict: Eligibility =
          standsInTheWay === undefined
            ? yield* eligibility(
                facts.policy.number,
                newParts(asked.breakGlass ? "break_glass" : "request", who, facts, about)
              )
            : { allowed: false, reasons: [], maxTotalSeconds: null, blockOnOpenReview: false, findings: [] }
        let routed = noRouting
        // Nobody probes the cloud through us before policy allows the request.
        if (verdict.allowed) {
          checked ??= yield* checkAt(provider, canonical, who.principal)
          if (asked.durationSeconds > checked.maxDurationSeconds) {
            return yield* decline(
              "provider_refused",
              `${asked.provider} grants this role for at most ${checked.maxDurationSeconds} s`,
              "ask for a shorter time",
              { problems: [{ field: "durationSeconds", message: `must be at most ${checked.maxDurationSeconds}` }] }
            )
          }
          if (!asked.breakGlass) routed = yield* routing(facts.policy.number, newParts("route", who, facts, about))
          // What is granted at once leaves nothing for anybody to decide.
          if (!asked.breakGlass && routed.tier !== "auto") yield* mayWait(by)
        }
        const answers: PolicyAnswers = {
          revision: facts.policy.number,
          hash: facts.policy.hash,
          eligibility: verdict,
          routing: routed,
          heldSeconds: heldSeconds(facts.held, facts.now)
        }
        const link =
          options.extends === undefined ? undefined : yield* extensionWrite(options.extends, id, by, asked, facts)
        return {
          command: {
            type: "Submit",
            id,
            by: who,
            asked,
            roleAsked,
            digest,
            checked: checked?.facts ?? {},
            labels: labelsNow,
            channel: options.channel,
            sourceIp: options.sourceIp,
            extends: options.extends ?? null,
            openReviews: openReviewsOf(who, facts),
            answers
          },
          rests: { policy: true, principals: true, locks: true },
          also: (after) => ({
            guards: [],
            writes: [
              ...(idempotency === undefined
                ? []
                : [{ kind: "idempotency" as const, ...idempotency, bodyHash, requestId: after.id }]),
              ...(asked.breakGlass
                ? [
                    {
                      kind: "principal" as const,
                      expect: who.principal.version,
                      next: {
                        ...who.principal,
                        version: who.principal.version + 1,
                        openReviews: who.principal.openReviews + 1
                      }
                    }
                  ]
                : []),
              ...(link === undefined ? [] : [link])
            ]
          })
        } satisfies Prepared
      })
    })
    return yield* settled(outcome.request)
  })

  const facts_ = (facts: StoredFacts) => ({ now: facts.now, locks: facts.locks, settings })

  const fresh = (id: RequestId): Effect.Effect<Request, ElevationError> =>
    Effect.flatMap(Effect.mapError(store.request(id), storeTrouble), (found) =>
      Option.isSome(found) ? Effect.succeed(found.value) : Effect.fail(notFound())
    )

  /** Bounds what one person can heap up for others to decide. Asks at the same instant are not counted by each other. */
  const mayWait = Effect.fnUntraced(function* (by: Acting) {
    const most = settings.maxPendingPerPrincipal
    const filter = { requester: by, states: ["PENDING"] } as const
    const pending = yield* Effect.mapError(store.requests({ filter, limit: most }), storeTrouble)
    if (pending.items.length < most) return
    return yield* decline(
      "too_many_pending",
      `${most} of your requests wait for a decision already`,
      "withdraw some with `jitsudo cancel`, or wait until they are decided"
    )
  })

  /**
   * Hurry the work that a step caused, and show the request as it then stands. The step is committed: where the request
   * cannot be read again, it is shown as the step left it, because an error would say that nothing happened.
   */
  const settled = (request: Request): Effect.Effect<Request> =>
    Effect.flatMap(granter.settle(request), () =>
      Effect.catch(fresh(request.id), (error) =>
        Effect.as(Effect.logWarning(`${request.id} is shown as it was committed: ${error.message}`), request)
      )
    )

  const extensionWrite = Effect.fnUntraced(function* (
    id: RequestId,
    extension: RequestId,
    by: Acting,
    asked: Asked,
    facts: StoredFacts
  ) {
    const old = yield* fresh(id)
    if (keyOf(old.requester) !== keyOf(by)) return yield* notFound()
    const same =
      old.asked.provider === asked.provider &&
      old.asked.role === asked.role &&
      old.asked.resourceScope === asked.resourceScope
    if (!same)
      return yield* decline(
        "invalid_input",
        "an extension is for the same role and scope",
        "ask for another role with jitsudo request"
      )
    const linked = yield* Effect.fromResult(decide(old, { type: "LinkExtension", extension }, facts_(facts)))
    return { kind: "request" as const, expect: old.version, next: apply(old, linked.events, facts.now) }
  })

  const extend: Elevations["Service"]["extend"] = Effect.fn("Elevations.extend")(function* (by, id, input, options) {
    const old = yield* fresh(id)
    if (keyOf(old.requester) !== keyOf(by)) return yield* notFound()
    return yield* request(
      by,
      {
        provider: old.asked.provider,
        role: old.roleAsked,
        resourceScope: old.asked.resourceScope,
        durationSeconds: input.durationSeconds,
        reason: input.reason,
        metadata: old.asked.metadata,
        breakGlass: false
      },
      { ...options, extends: id }
    )
  })

  /** The parts of policy's input about an existing request, for somebody. */
  const partsOf = (
    action: PolicyAction,
    target: Request,
    user: Actor,
    requester: Actor,
    facts: StoredFacts
  ): InputParts => ({
    action,
    now: facts.now,
    user,
    requester,
    request: target,
    activeGrants: facts.activeGrants,
    heldSeconds: heldSeconds(facts.held, facts.now),
    openReviews: openReviewsOf(requester, facts)
  })

  const answersFor = Effect.fnUntraced(function* (target: Request, requester: Actor, facts: StoredFacts) {
    const revision = facts.policy.number
    const verdict = yield* eligibility(revision, partsOf("request", target, requester, requester, facts))
    const routed = yield* routing(revision, partsOf("route", target, requester, requester, facts))
    return {
      revision,
      hash: facts.policy.hash,
      eligibility: verdict,
      routing: routed,
      heldSeconds: heldSeconds(facts.held, facts.now)
    } satisfies PolicyAnswers
  })

  const recheckAll = (target: Request, requester: Actor, facts: StoredFacts) =>
    Effect.forEach(
      target.decisions.flatMap((decision, index) =>
        decision.verdict === "approve" && decision.struck === null && !("policy" in decision.by)
          ? [{ index, by: decision.by }]
          : []
      ),
      Effect.fnUntraced(function* ({ by, index }) {
        const who = actorIn(facts, by)
        const admitted =
          who === undefined
            ? noAdmission
            : yield* admission(facts.policy.number, partsOf("approve", target, who, requester, facts))
        return { index, actor: who, admission: admitted } satisfies Recheck
      })
    )

  const needRequest = (facts: StoredFacts): Effect.Effect<Request, Refused> =>
    facts.request === undefined ? Effect.fail(notFound()) : Effect.succeed(facts.request)

  /** The facts of a decision on a stored request: its requester, deciders and history are read with it. */
  const decisionQuery = Effect.fnUntraced(function* (id: RequestId, by: ReadonlyArray<PrincipalKey>) {
    const target = yield* fresh(id)
    return {
      requestId: id,
      principals: [...by, target.requester],
      withDeciders: true,
      history: {
        principal: target.requester,
        provider: target.asked.provider,
        role: target.asked.role,
        resourceScope: target.asked.resourceScope
      }
    }
  })

  const allFacts = { policy: true, principals: true, locks: true }

  /** A request that one may not see is not there, whatever one tries to do with it. */
  const mustSee = Effect.fnUntraced(function* (target: Request, who: Actor, requester: Actor, facts: StoredFacts) {
    if (yield* maySee(target, who, requester, facts)) return
    return yield* notFound()
  })

  const maySee = Effect.fnUntraced(function* (
    target: Request,
    who: Actor,
    requester: Actor | undefined,
    facts: StoredFacts
  ) {
    const { principal } = who
    if (Access.isOwn(target, principal) || Access.isAuditor(principal, settings)) return true
    if (Access.isNamedApprover(target, who) || Access.hasDecided(target, principal)) return true
    if (target.state !== "PENDING" || requester === undefined) return false
    // Whom policy names by now may decide, and so may look.
    const routed = yield* routing(facts.policy.number, partsOf("route", target, requester, requester, facts))
    if (routed.stages.length > 0) return routed.stages.some((stage) => isNamed(stage, principal))
    const admitted = yield* admission(facts.policy.number, partsOf("approve", target, who, requester, facts))
    return admitted.allowed && !admitted.denied
  })

  const decideAsPerson = (type: "Approve" | "Deny") =>
    Effect.fnUntraced(function* (
      by: Acting,
      id: RequestId,
      decision: { readonly comment: string; readonly digest: string }
    ) {
      const comment = yield* commentOf("comment", decision.comment)
      const query = yield* decisionQuery(id, [by])
      const outcome = yield* run({
        query,
        resourceKey: keyFor,
        prepare: Effect.fnUntraced(function* (facts) {
          const target = yield* needRequest(facts)
          const who = yield* actor(facts, by)
          const requester = yield* actor(facts, target.requester)
          yield* mustSee(target, who, requester, facts)
          const answers =
            target.state === "PENDING"
              ? yield* answersFor(target, requester, facts)
              : {
                  revision: facts.policy.number,
                  hash: facts.policy.hash,
                  eligibility: nothingAllowed,
                  routing: noRouting,
                  heldSeconds: 0
                }
          const admitted = yield* admission(
            facts.policy.number,
            partsOf(type === "Approve" ? "approve" : "deny", target, who, requester, facts)
          )
          const earlier =
            type === "Approve" && target.state === "PENDING" ? yield* recheckAll(target, requester, facts) : []
          const common = { by: who, comment, digest: decision.digest, admission: admitted, requester, answers }
          return {
            command: type === "Approve" ? { type, ...common, earlier } : { type, ...common },
            rests: allFacts
          } satisfies Prepared
        })
      })
      return yield* settled(outcome.request)
    })

  const nothingAllowed: Eligibility = {
    allowed: false,
    reasons: [],
    maxTotalSeconds: null,
    blockOnOpenReview: false,
    findings: []
  }

  const aiDecide: Elevations["Service"]["aiDecide"] = Effect.fn("Elevations.aiDecide")(function* (by, id, answer) {
    // What is malformed escalates like anything else that fails; as much of it is recorded as can be.
    const problems = [
      ...Text.problemsOf("reasoning", answer.reasoning, { max: Text.limits.reasoning }),
      ...Text.problemsOf("risk", answer.risk, { max: Text.limits.risk, singleLine: true }),
      ...Text.problemsOf("model", answer.model, { max: Text.limits.model, singleLine: true })
    ]
    const query = yield* decisionQuery(id, [by])
    const outcome = yield* run({
      query,
      resourceKey: keyFor,
      prepare: Effect.fnUntraced(function* (facts) {
        const target = yield* needRequest(facts)
        const who = yield* actor(facts, by)
        const requester = yield* actor(facts, target.requester)
        const answers = yield* answersFor(target, requester, facts)
        const admitted = yield* admission(facts.policy.number, {
          ...partsOf("ai_approve", target, who, requester, facts),
          review: {
            confidence: Number.isFinite(answer.confidence) ? answer.confidence : 0,
            risk: Text.kept(answer.risk, Text.limits.risk),
            model: Text.kept(answer.model, Text.limits.model)
          }
        })
        return {
          command: {
            type: "AiDecide",
            by: who,
            verdict: answer.verdict,
            confidence: answer.confidence,
            digest: answer.digest,
            version: answer.version,
            reasoning: Text.kept(answer.reasoning, Text.limits.reasoning),
            risk: Text.kept(answer.risk, Text.limits.risk),
            model: Text.kept(answer.model, Text.limits.model),
            malformed:
              problems.length === 0
                ? null
                : problems.map((problem) => `${problem.field ?? ""} ${problem.message}`).join("; "),
            admission: admitted,
            requester,
            answers
          },
          rests: allFacts
        } satisfies Prepared
      })
    })
    return yield* settled(outcome.request)
  })

  const cancel: Elevations["Service"]["cancel"] = Effect.fn("Elevations.cancel")(function* (by, id, reason) {
    const text = yield* commentOf("reason", reason)
    const query = yield* decisionQuery(id, [by])
    const outcome = yield* run({
      query,
      resourceKey: keyFor,
      prepare: Effect.fnUntraced(function* (facts) {
        const target = yield* needRequest(facts)
        const who = yield* actor(facts, by)
        yield* mustSee(target, who, yield* actor(facts, target.requester), facts)
        return {
          command: { type: "Cancel", by: who, reason: text },
          rests: { policy: false, principals: false, locks: false }
        } satisfies Prepared
      })
    })
    return outcome.request
  })

  const revoke: Elevations["Service"]["revoke"] = Effect.fn("Elevations.revoke")(function* (by, id, reason) {
    const text = yield* commentOf("reason", reason)
    const query = yield* decisionQuery(id, [by])
    const outcome = yield* run({
      query,
      resourceKey: keyFor,
      prepare: Effect.fnUntraced(function* (facts) {
        const target = yield* needRequest(facts)
        const who = yield* actor(facts, by)
        const requester = yield* actor(facts, target.requester)
        const admin = Access.isAdmin(who.principal, settings)
        const own = Access.isOwn(target, who.principal)
        // Taking back must not depend on policy where it does not have to.
        const admitted =
          admin || own
            ? noAdmission
            : yield* admission(facts.policy.number, partsOf("revoke", target, who, requester, facts))
        if (!(admitted.allowed && !admitted.denied)) yield* mustSee(target, who, requester, facts)
        return {
          command: { type: "Revoke", by: who, reason: text, admin, admission: admitted },
          rests: { policy: !admin && !own, principals: !own, locks: false }
        } satisfies Prepared
      })
    })
    return yield* settled(outcome.request)
  })

  const credentials: Elevations["Service"]["credentials"] = Effect.fn("Elevations.credentials")(function* (by, id) {
    const query = yield* decisionQuery(id, [by])
    const outcome = yield* run({
      query,
      resourceKey: keyFor,
      prepare: Effect.fnUntraced(function* (facts) {
        const target = yield* needRequest(facts)
        const who = yield* actor(facts, by)
        if (keyOf(target.requester) !== keyOf(by)) {
          yield* mustSee(target, who, yield* actor(facts, target.requester), facts)
        }
        return {
          command: { type: "ReadCredentials", by: who },
          rests: { policy: false, principals: true, locks: true }
        } satisfies Prepared
      })
    })
    const grant = outcome.request.grant
    const sealed = yield* Effect.mapError(store.credentials(id), storeTrouble)
    if (grant === null || grant.notAfter === null || grant.issuedAt === null || Option.isNone(sealed)) {
      return yield* refuse("grant_over", `the credentials of ${id} are gone`, "ask again with jitsudo request")
    }
    const values = yield* Effect.catchTag(
      sealer.open(sealed.value, { requestId: id, requester: outcome.request.requester, notAfter: grant.notAfter }),
      "UnsealError",
      (error) => Effect.fail(unsealRefusal(id, error.why))
    )
    return { requestId: id, values, issuedAt: grant.issuedAt, notAfter: grant.notAfter }
  })

  const unsealRefusal = (id: RequestId, why: string): ElevationError =>
    why === "key_unknown"
      ? new Unavailable({
          what: "store",
          message: `the key that sealed the credentials of ${id} is not configured`,
          retryAfterSeconds: 60
        })
      : refuse(
          "not_permitted",
          `the stored credentials of ${id} do not belong to it`,
          "an operator must look at the database: they were changed outside of jitsudo"
        )

  const closeReview: Elevations["Service"]["closeReview"] = Effect.fn("Elevations.closeReview")(
    function* (by, id, text) {
      const comment = yield* commentOf("comment", text)
      const query = yield* decisionQuery(id, [by])
      const outcome = yield* run({
        query,
        resourceKey: keyFor,
        prepare: Effect.fnUntraced(function* (facts) {
          const target = yield* needRequest(facts)
          const who = yield* actor(facts, by)
          const requester = yield* actor(facts, target.requester)
          yield* mustSee(target, who, requester, facts)
          return {
            command: {
              type: "CloseReview",
              by: who,
              admin: Access.isAdmin(who.principal, settings),
              comment,
              requester
            },
            rests: { policy: false, principals: true, locks: true },
            also: () => ({
              guards: [],
              writes: [
                {
                  kind: "principal" as const,
                  expect: requester.principal.version,
                  next: {
                    ...requester.principal,
                    version: requester.principal.version + 1,
                    openReviews: Math.max(0, requester.principal.openReviews - 1)
                  }
                }
              ]
            })
          } satisfies Prepared
        })
      })
      return outcome.request
    }
  )

  const recheck: Elevations["Service"]["recheck"] = Effect.fn("Elevations.recheck")(function* (id) {
    const query = yield* decisionQuery(id, [])
    const outcome = yield* run({
      query,
      resourceKey: keyFor,
      prepare: Effect.fnUntraced(function* (facts) {
        const target = yield* needRequest(facts)
        const requester = yield* actor(facts, target.requester)
        const answers = yield* answersFor(target, requester, facts)
        const earlier = yield* recheckAll(target, requester, facts)
        return { command: { type: "Recheck", requester, earlier, answers }, rests: allFacts } satisfies Prepared
      })
    })
    return yield* settled(outcome.request)
  })

  const concerns = (target: Request, key: PrincipalKey): boolean =>
    keyOf(target.requester) === keyOf(key) ||
    target.decisions.some((decision) => !("policy" in decision.by) && keyOf(decision.by) === keyOf(key))

  const recheckWaiting: Elevations["Service"]["recheckWaiting"] = Effect.fn("Elevations.recheckWaiting")(
    function* (concerning) {
      let cursor: string | undefined
      do {
        const page = yield* Effect.mapError(
          store.requests({
            filter: { waiting: true, states: ["PENDING"] },
            limit: 100,
            ...(cursor === undefined ? {} : { cursor })
          }),
          storeTrouble
        )
        for (const target of page.items) {
          if (concerning !== null && !concerns(target, concerning)) continue
          yield* Effect.catch(recheck(target.id), (error) =>
            Effect.logWarning(`${target.id} waits and could not be looked at again: ${error.message}`)
          )
        }
        cursor = page.nextCursor ?? undefined
      } while (cursor !== undefined)
    }
  )

  const seen = Effect.fnUntraced(function* (by: Acting, id: RequestId) {
    const query = yield* decisionQuery(id, [by])
    const facts = yield* transitions.facts(query)
    const target = yield* needRequest(facts)
    const who = yield* actor(facts, by)
    const requester = actorIn(facts, target.requester)
    if (!(yield* maySee(target, who, requester, facts))) return yield* notFound()
    return { target, who, requester, facts }
  })

  const get: Elevations["Service"]["get"] = Effect.fn("Elevations.get")(function* (by, id) {
    return (yield* seen(by, id)).target
  })

  const mayDecide: Elevations["Service"]["mayDecide"] = Effect.fn("Elevations.mayDecide")(function* (by, id) {
    const { facts, requester, target, who } = yield* seen(by, id)
    if (target.state !== "PENDING" || requester === undefined || who.principal.kind !== "human") return false
    if (facts.now >= target.lapsesAt || hasApproved(target, by)) return false
    if (who.party.some((mark) => partyNow(target, requester).includes(mark))) return false
    const admitted = yield* admission(facts.policy.number, partsOf("approve", target, who, requester, facts))
    if (admitted.denied) return false
    return admits(yield* answersFor(target, requester, facts), who, admitted)
  })

  const list: Elevations["Service"]["list"] = Effect.fn("Elevations.list")(function* (by, options) {
    const facts = yield* transitions.facts({ principals: [by] })
    const who = yield* actor(facts, by)
    const everything = Access.isAuditor(who.principal, settings) && options.forMe !== true
    const page = yield* Effect.mapError(
      store.requests({
        filter: options.filter,
        limit: options.limit,
        ...(options.cursor === undefined ? {} : { cursor: options.cursor }),
        ...(everything
          ? {}
          : { visibleTo: { principal: by, email: who.principal.email, groups: who.principal.groups } })
      }),
      storeTrouble
    )
    if (everything) return page
    // An open quorum is visible to whom policy admits: ask it about each.
    const items = yield* Effect.filter(page.items, (target) => {
      if (Access.isOwn(target, who.principal)) return Effect.succeed(options.forMe !== true)
      const isOver = target.state !== "PENDING" || sameParty(target.party, who.party) || hasApproved(target, by)
      if (options.forMe === true && isOver) return Effect.succeed(false)
      if (target.routing.stages.length > 0) return Effect.succeed(true)
      return Effect.flatMap(transitions.facts({ principals: [by, target.requester] }), (now) =>
        maySee(target, who, actorIn(now, target.requester), now)
      )
    })
    return { items, nextCursor: page.nextCursor }
  })

  const missing: Elevations["Service"]["missing"] = (target) => {
    if (target.state !== "PENDING") return { waitingFor: null, open: [] }
    const counting = target.decisions.flatMap((decision) =>
      decision.verdict === "approve" && decision.struck === null && !("policy" in decision.by)
        ? [{ who: { ...decision.by, groups: decision.groups }, party: decision.party }]
        : []
    )
    return {
      waitingFor: target.waitingFor,
      open: openStages(target.routing.stages, target.routing.openQuorum, counting)
    }
  }

  return Elevations.of({
    request,
    extend,
    approve: decideAsPerson("Approve"),
    deny: decideAsPerson("Deny"),
    aiDecide,
    cancel,
    revoke,
    credentials,
    closeReview,
    recheck,
    recheckWaiting,
    get,
    list,
    mayDecide,
    missing
  })
})

/** An approval of theirs stands: there is nothing more that they can do. */
const hasApproved = (target: Request, by: PrincipalKey): boolean =>
  target.decisions.some(
    (one) => one.verdict === "approve" && one.struck === null && !("policy" in one.by) && keyOf(one.by) === keyOf(by)
  )

const notFound = (): Refused =>
  decline("not_found", "no such request, or you may not see it", "`jitsudo status` lists the requests that you may see")

export const layer: Layer.Layer<
  Elevations,
  never,
  Store | Policy | Providers | Labels | Settings | Sealer | Granter | Transitions
> = Layer.effect(Elevations, make)
