/**
 * The provider `gcp`: a role binding under a condition that Google ends, in the allow policy of a project, folder or
 * organisation.
 *
 * 1. Each request has a binding of its own, found again by its title alone. A repeated grant finds it and reports the
 *    end that stands in it, never another one.
 * 2. Every change reads the policy, changes its own binding, and writes with the etag that was read. Whoever was faster
 *    wins: the policy is read again, after a pause that doubles, with jitter. Nobody's change is lost.
 * 3. `end` confirms by a write that Google accepted: also when the policy as read shows nothing of the grant, it is
 *    written back as it was read. Reads may be old; a write with an old etag is refused, so one that is accepted proves
 *    that the policy read was the newest, and no `setIamPolicy` still under way can take effect after it.
 * 4. Grants of ours that are over are cleared away on the way, in writes that are made anyway.
 * 5. With `impersonate` the role is bound to a service account that is the grantee's alone, and the child process gets
 *    an access token of it. No two people share an account (`MemberRule.ts`): a token says who somebody is, not which
 *    grant they use, so a shared account would lend one person's right to another's token. One person's grants overlap
 *    as they do for a person's own account.
 *
 * What it cannot do: make a change effective at once (Google spreads it within minutes), or take back what was made
 * with the right while it was there.
 */
import { AskCheck, Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Result from "effect/Result"
import * as ConditionalBinding from "./ConditionalBinding.ts"
import type { OwnCredentials } from "./GcpAuth.ts"
import * as GcpCalls from "./GcpCalls.ts"
import { GcpConfig, whyNotConfig } from "./GcpConfig.ts"
import * as GcpSdk from "./GcpSdk.ts"
import * as MemberRule from "./MemberRule.ts"
import * as PolicyEdit from "./PolicyEdit.ts"
import * as ResourceName from "./ResourceName.ts"
import * as RoleName from "./RoleName.ts"

const name = "gcp"

/** Google spreads a change typically in 2 minutes, potentially in 7 or more: https://cloud.google.com/iam/docs/access-change-propagation */
const spreadSeconds = 420

/** How long a read may not show what was written: https://cloud.google.com/iam/docs/overview#consistency names no number. */
const settleSeconds = 120

/** Tries when somebody else is faster, and the pauses between them: 50 ms doubled up to 1 s, each by up to a half more. */
const mostTries = 8
const firstPauseMillis = 50
const longestPauseMillis = 1000

export interface Options {
  /** The daemon's own identity as a JSON document of Google's; as configured when absent. */
  readonly credentials?: OwnCredentials
  /** How the SDKs are loaded; the installed packages when absent. */
  readonly load?: GcpSdk.Loaders
}

const refuse = (
  reason: Provider.ProviderReason,
  message: string,
  hint: string,
  more: { readonly effect?: "none" | "unknown"; readonly retryable?: boolean } = {}
): Provider.ProviderError =>
  new Provider.ProviderError({
    provider: name,
    reason,
    retryable: more.retryable ?? false,
    effect: more.effect ?? "none",
    message,
    hint
  })

const textIn = (reference: Provider.EndRequest["reference"], key: string): string | null => {
  const value = reference !== null && Object.hasOwn(reference, key) ? reference[key] : undefined
  return typeof value === "string" ? value : null
}

/** What one round of reading and deciding comes to. */
type Round<A> = { readonly done: A } | { readonly write: PolicyEdit.Policy; readonly then: (etag: string) => A }

/** The provider over given calls. */
export const fromCalls = (config: GcpConfig, calls: GcpCalls.GcpCalls): Provider.Provider => {
  const prefix = config.condition_title_prefix
  const longest = Math.min(config.max_duration_seconds, config.impersonate?.max_token_seconds ?? Infinity)
  const capabilities: Provider.Capabilities = {
    nativeExpiry: true,
    earlyRevocation: {
      supported: true,
      withinSeconds: spreadSeconds,
      note:
        "Google stops it typically within 2 minutes, sometimes 7 or more; until then everything goes on working, and a new grant may take as long to begin to work." +
        (config.impersonate === undefined
          ? ""
          : " The access token stays valid until it expires, but only as a name: it is without the right once Google has spread the change.")
    },
    listing: true,
    inspection: true,
    minDurationSeconds: 60,
    maxDurationSeconds: longest
  }
  /** The etag after our own last write to each resource: a read with it is no older than that write. */
  const written = new Map<string, string>()

  const mayTouch = (role: string): boolean => config.roles.some((pattern) => RoleName.matches(pattern, role))

  const parse: Provider.Provider["parse"] = (ask) =>
    Result.flatMap(AskCheck.check(name, capabilities, ask), ({ durationSeconds, ...asked }) => {
      const resourceScope = ResourceName.canonical(asked.resourceScope)
      if (resourceScope === null) {
        return Result.fail(
          refuse(
            "InvalidScope",
            "the scope must be a project's id, projects/ID, folders/NUMBER or organizations/NUMBER",
            "A project is asked for by its id, not by its number."
          )
        )
      }
      if (!config.resources.includes(resourceScope)) {
        return Result.fail(
          refuse(
            "InvalidScope",
            "jitsudo does not reach this resource",
            "Add it to `providers.gcp.resources` if it should."
          )
        )
      }
      const role = RoleName.canonical(asked.role)
      if (role === null) {
        return Result.fail(
          refuse(
            "InvalidRole",
            "the role must be a predefined role's name, projects/ID/roles/NAME or organizations/NUMBER/roles/NAME",
            "Predefined roles may be asked for with or without roles/ before them."
          )
        )
      }
      if (RoleName.isBasic(role)) {
        return Result.fail(
          refuse(
            "InvalidRole",
            "owner, editor and viewer cannot be granted for a time: Google accepts no condition on basic roles",
            "Ask for the predefined roles that the task needs, or define a custom role."
          )
        )
      }
      const elsewhere = RoleName.whyNotOn(role, resourceScope)
      if (elsewhere !== null) {
        return Result.fail(refuse("InvalidRole", elsewhere, "Ask for a role that is defined where the scope is."))
      }
      if (!mayTouch(role)) {
        return Result.fail(
          refuse("InvalidRole", "jitsudo does not grant this role", "Add it to `providers.gcp.roles` if it should.")
        )
      }
      return Result.succeed({ role, resourceScope, durationSeconds })
    })

  const whoIs = (grantee: Provider.Grantee): Result.Result<string, Provider.ProviderError> => {
    const member = MemberRule.memberOf(config.members, grantee)
    return member === null
      ? Result.fail(
          refuse(
            "PrincipalNotFound",
            "jitsudo does not know who this is in Google Cloud",
            "No rule of `providers.gcp.members` makes a member of this grantee."
          )
        )
      : Result.succeed(member)
  }

  const neededOn = (resource: string): ReadonlyArray<string> => [
    ResourceName.permissionOn(resource, "getIamPolicy"),
    ResourceName.permissionOn(resource, "setIamPolicy")
  ]

  const missingOn = (resource: string): Effect.Effect<ReadonlyArray<string>, Provider.ProviderError> =>
    Effect.map(calls.testPermissions(resource, neededOn(resource)), (allowed) =>
      neededOn(resource).filter((one) => !allowed.includes(one))
    )

  const whyNotRole = (role: string): Effect.Effect<void, Provider.ProviderError> =>
    Effect.flatMap(calls.getRole(role), ({ deleted, stage }) =>
      deleted || stage === "DISABLED"
        ? Effect.fail(refuse("RoleNotFound", "this role cannot be granted any more", `${role} is deleted or disabled.`))
        : Effect.void
    )

  const check: Provider.Provider["check"] = (canonical, grantee) =>
    Effect.gen(function* () {
      const member = yield* Effect.fromResult(whoIs(grantee))
      const missing = yield* missingOn(canonical.resourceScope)
      if (missing.length > 0) {
        return yield* refuse(
          "ProviderDenied",
          "Google does not let jitsudo do this",
          `Allow ${missing.join(" and ")} on ${canonical.resourceScope} to the daemon's identity; Google says the same of what does not exist.`
        )
      }
      if (config.read_roles) yield* whyNotRole(canonical.role)
      return { maxDurationSeconds: longest, facts: { member } }
    })

  /** Read, decide, and write if nobody was faster; else again, after a pause. */
  const change = <A>(
    resource: string,
    decide: (policy: PolicyEdit.Policy) => Effect.Effect<Round<A>, Provider.ProviderError>
  ): Effect.Effect<A, Provider.ProviderError> =>
    Effect.gen(function* () {
      for (let tried = 1; ; tried += 1) {
        const round = yield* Effect.flatMap(calls.getPolicy(resource), decide)
        if ("done" in round) return round.done
        const outcome = yield* calls.setPolicy(resource, round.write)
        if (typeof outcome === "string") {
          written.set(resource, outcome)
          return round.then(outcome)
        }
        if (tried === mostTries) return yield* outcome.conflict
        const pause = Math.min(firstPauseMillis * 2 ** (tried - 1), longestPauseMillis)
        yield* Effect.sleep(pause * (1 + (yield* Random.next) / 2))
      }
    })

  /** What stands there of this very request, if it is what we would have written. */
  const standing = (
    found: ReadonlyArray<PolicyEdit.Found>,
    wanted: ConditionalBinding.Binding,
    latest: Time.Time
  ): Result.Result<Time.Time | null, Provider.ProviderError> => {
    const [first, ...more] = found
    if (first === undefined) return Result.succeed(null)
    const notAfter = first.mark.notAfter
    return more.length === 0 && first.binding.role === wanted.role && notAfter !== null && notAfter <= latest
      ? Result.succeed(notAfter)
      : Result.fail(
          refuse(
            "ProviderConflict",
            "somebody changed this grant at Google",
            `The binding ${wanted.condition?.title} has another role or end than jitsudo gave it; the request must be ended.`,
            { effect: "unknown" }
          )
        )
  }

  const environmentOf = (resource: string): Readonly<Record<string, string>> => {
    const project = ResourceName.projectOf(resource)
    return project === null ? {} : { CLOUDSDK_CORE_PROJECT: project, GOOGLE_CLOUD_PROJECT: project }
  }

  /** The token for the child process: it may outlive a right that was taken back, and then is only a name. */
  const tokenFor = (
    member: string,
    seconds: number
  ): Effect.Effect<Readonly<Record<string, string>>, Provider.ProviderError> => {
    const account = MemberRule.accountOf(member)
    if (config.impersonate === undefined || account === null) return Effect.succeed({})
    return Effect.map(calls.accessToken(account, seconds, config.impersonate.scopes), ({ accessToken }) => ({
      CLOUDSDK_AUTH_ACCESS_TOKEN: accessToken,
      GOOGLE_OAUTH_ACCESS_TOKEN: accessToken
    }))
  }

  const grant: Provider.Provider["grant"] = (request) =>
    Effect.gen(function* () {
      const { canonical, now, requestId } = request
      if (!ConditionalBinding.isMarkable(requestId)) {
        return yield* refuse("InvalidReference", "the request's id cannot mark a binding", "Ids are req_ and a ULID.")
      }
      const resource = canonical.resourceScope
      const stored = textIn(request.checked, "member")
      const member = stored ?? (yield* Effect.fromResult(whoIs(request.grantee)))
      const latest = ConditionalBinding.endOf(now, canonical.durationSeconds)
      const wanted = ConditionalBinding.make({
        prefix,
        requestId,
        role: canonical.role,
        member,
        notAfter: latest,
        installation: request.installation ?? null
      })
      // First, because it changes nothing: an account without the binding has no right that a token could carry.
      const token = yield* tokenFor(member, Time.secondsBetween(now, latest))
      const notAfter = yield* change<Time.Time>(resource, (policy) =>
        Effect.gen(function* () {
          const found = PolicyEdit.found(prefix, policy, requestId, member)
          const before = yield* Effect.fromResult(standing(found, wanted, latest))
          if (before !== null) return { done: before }
          const write = PolicyEdit.withGrant(PolicyEdit.cleared(prefix, policy, now, mayTouch, requestId), wanted)
          const full = PolicyEdit.whyFull(write, wanted)
          return full === null
            ? { write, then: () => latest }
            : yield* refuse(
                "QuotaExceeded",
                "a quota of Google is full",
                `Google allows ${full}: ${resource} has no room. Wait for grants to end, grant to groups, or remove bindings.`,
                { retryable: true }
              )
        })
      )
      return {
        issuedAt: Time.min(now, notAfter),
        notAfter,
        reference: {
          resource,
          role: canonical.role,
          member,
          title: ConditionalBinding.titleOf(prefix, requestId)
        },
        credentials: { ...environmentOf(resource), ...token }
      }
    })

  /** The resource of a grant: as asked for, or where nothing is known of the request, as the mark was listed. */
  const resourceOf = ({ canonical, reference }: Provider.EndRequest): Result.Result<string, Provider.ProviderError> => {
    const known = canonical.resourceScope === "" ? (textIn(reference, "resource") ?? "") : canonical.resourceScope
    return ResourceName.isCanonical(known)
      ? Result.succeed(known)
      : Result.fail(
          refuse(
            "InvalidReference",
            "this grant cannot be found at Google",
            "Neither it nor its reference names a resource."
          )
        )
  }

  /** Whom the grant was for, as far as the request says; the binding's description says it too. */
  const memberOf = ({ canonical, checked, grantee, reference }: Provider.EndRequest): string | null =>
    textIn(checked, "member") ??
    (canonical.resourceScope === "" ? textIn(reference, "member") : MemberRule.memberOf(config.members, grantee))

  const foundFor = (policy: PolicyEdit.Policy, request: Provider.EndRequest): ReadonlyArray<PolicyEdit.Found> =>
    PolicyEdit.found(prefix, policy, request.requestId, memberOf(request))

  const end: Provider.Provider["end"] = (request) =>
    Effect.gen(function* () {
      const resource = yield* Effect.fromResult(resourceOf(request))
      const { notAfter, now, requestId } = request
      const isOver = request.why === "expired" && notAfter <= now
      const note = (left: number): Provider.Ended => ({
        note:
          left === 0
            ? null
            : `${left} ${left === 1 ? "member" : "members"} that somebody else put into the grant's binding on ${resource} stay there until its condition ends`
      })
      return yield* change<Provider.Ended>(resource, (policy) => {
        const found = foundFor(policy, request)
        const left = found.reduce((count, { binding, members }) => count + binding.members.length - members.length, 0)
        // Google's clock has ended it, and nothing is left to clear away.
        if (isOver && found.length === 0) return Effect.succeed({ done: { note: null } })
        const rest = PolicyEdit.cleared(prefix, policy, now, mayTouch, requestId)
        return Effect.succeed({ write: PolicyEdit.withoutGrant(rest, found), then: () => note(left) })
      }).pipe(
        Effect.catchTag("ProviderError", (failure) =>
          isOver && failure.reason === "ProviderDenied" && !failure.retryable
            ? Effect.succeed({
                note: `Google ended it at ${Time.toRfc3339(notAfter)}; its binding could not be cleared away: ${failure.hint}`
              })
            : Effect.fail(failure)
        )
      )
    })

  const inspect: Provider.Provider["inspect"] = (request) =>
    Effect.gen(function* () {
      const resource = yield* Effect.fromResult(resourceOf(request))
      const { canonical, notAfter, now } = request
      const policy = yield* calls.getPolicy(resource)
      const ends = foundFor(policy, request).map(({ mark }) => mark.notAfter)
      if (ends.some((instant) => instant === null || now < instant)) return "active"
      if (ends.length > 0 || notAfter <= now) return "ended"
      // Not shown. A read that is as new as our last write, or a grant that is old enough to be shown, leaves no doubt.
      const begun = Time.plusSeconds(notAfter, -canonical.durationSeconds)
      const isSettled = canonical.durationSeconds > 0 && settleSeconds <= Time.secondsBetween(begun, now)
      return policy.etag === written.get(resource) || isSettled ? "ended" : "unknown"
    })

  const list: Provider.Provider["list"] = () =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const policies = yield* Effect.forEach(
        config.resources,
        (resource) => Effect.map(calls.getPolicy(resource), (policy) => ({ resource, policy })),
        { concurrency: 4 }
      )
      return policies.flatMap(({ policy, resource }) => {
        const marked = policy.bindings.flatMap((binding) => {
          const mark = ConditionalBinding.markOf(prefix, binding)
          const isOver = mark !== null && mark.notAfter !== null && mark.notAfter <= now
          const [member] = mark === null || isOver ? [] : ConditionalBinding.ownMembers(binding, mark.member)
          return mark === null || member === undefined ? [] : [{ binding, mark, member: mark.member ?? member }]
        })
        return marked
          .filter((one, index) => marked.findIndex(({ mark }) => mark.requestId === one.mark.requestId) === index)
          .map(({ binding, mark, member }) => ({
            requestId: mark.requestId,
            resourceKey: resource,
            reference: {
              resource,
              role: binding.role,
              member,
              title: ConditionalBinding.titleOf(prefix, mark.requestId)
            },
            notAfter: mark.notAfter,
            installation: mark.installation,
            canonical: { role: binding.role, resourceScope: resource, durationSeconds: 0 },
            checked: { member }
          }))
      })
    })

  const finding = (what: string, ok: boolean | null, hint = "", missing: string | null = null): Provider.Finding => ({
    what,
    ok,
    missing,
    hint
  })

  const diagnose: Provider.Provider["diagnose"] = ({ canonical, grantee }) =>
    Effect.gen(function* () {
      const signedIn = yield* Effect.result(calls.signIn)
      if (Result.isFailure(signedIn)) return [finding("credentials", false, signedIn.failure.hint)]
      const resources = canonical === null ? config.resources : [canonical.resourceScope]
      const permissions = yield* Effect.forEach(
        resources,
        (resource) =>
          Effect.map(Effect.result(missingOn(resource)), (missing): ReadonlyArray<Provider.Finding> => {
            if (Result.isFailure(missing)) {
              return [finding(`permissions on ${resource}`, false, missing.failure.hint)]
            }
            return neededOn(resource).map((one) =>
              missing.success.includes(one)
                ? finding(`${one} on ${resource}`, false, "Grant the daemon a role that has it.", one)
                : finding(`${one} on ${resource}`, true)
            )
          }),
        { concurrency: 4 }
      )
      const account = grantee === null ? null : MemberRule.memberOf(config.members, grantee)
      const people =
        grantee === null
          ? []
          : [
              account === null
                ? finding("member", false, "No rule of `providers.gcp.members` makes a member of this grantee.")
                : finding("member", true, `bound as ${account}`)
            ]
      const tokens =
        config.impersonate === undefined
          ? []
          : [
              finding(
                `iam.serviceAccounts.getAccessToken${account === null ? "" : ` on ${account}`}`,
                null,
                "Only a grant issues a token."
              )
            ]
      return [finding("credentials", true), ...permissions.flat(), ...people, ...tokens]
    })

  return {
    name,
    capabilities,
    parse,
    check,
    grant,
    end,
    resourceKey: ({ resourceScope }) => resourceScope,
    inspect,
    list,
    diagnose
  }
}

/** The provider of this configuration; an unusable one is refused with the key at fault. */
export const make = (
  config: GcpConfig,
  options: Options = {}
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError> =>
  Effect.gen(function* () {
    const why = whyNotConfig(config)
    if (why !== null) return yield* why
    const sdk = yield* GcpSdk.loadSdk(options.load ?? GcpSdk.installed)
    return fromCalls(config, GcpCalls.make(sdk, config, options.credentials))
  })

/** How the daemon loads it. */
export const plugin: ProviderPlugin.ProviderPlugin<GcpConfig> = {
  name,
  config: GcpConfig,
  make: (config) => make(config)
}
