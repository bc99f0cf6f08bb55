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
 * 4. Grants of ours of the same role that are over are cleared away on the way, in writes that are made anyway.
 * 5. With `impersonate` the role is bound to a service account that is the grantee's alone, and the child process gets
 *    an access token of it. No two people share an account (`MemberRule.ts`): a token says who somebody is, not which
 *    grant they use, so a shared account would lend one person's right to another's token. One person's grants overlap
 *    as they do for a person's own account.
 *
 * What it cannot do: make a change effective at once (Google spreads it within minutes), or take back what was made
 * with the right while it was there.
 */
import { type Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ConditionalBinding from "./ConditionalBinding.ts"
import * as GcpAsk from "./GcpAsk.ts"
import type { OwnCredentials } from "./GcpAuth.ts"
import * as GcpCalls from "./GcpCalls.ts"
import { GcpConfig, territory, whyNotConfig } from "./GcpConfig.ts"
import * as GcpDiagnosis from "./GcpDiagnosis.ts"
import * as GcpSdk from "./GcpSdk.ts"
import * as MarkedGrants from "./MarkedGrants.ts"
import * as MemberRule from "./MemberRule.ts"
import * as PolicyChange from "./PolicyChange.ts"
import * as PolicyEdit from "./PolicyEdit.ts"
import { refuse } from "./Refuse.ts"
import * as ResourceName from "./ResourceName.ts"

const name = "gcp"

/** Typically 2 minutes, potentially 7 or more: https://cloud.google.com/iam/docs/access-change-propagation */
const spreadSeconds = 420

/** After which a read shows what was written. Google names no number: https://cloud.google.com/iam/docs/overview#consistency */
const settleSeconds = 120

/** A right of less than a minute would be over before Google has spread it. */
const shortestSeconds = 60

export interface Options {
  /** The daemon's own identity as a JSON document of Google's; as configured when absent. */
  readonly credentials?: OwnCredentials
  /** How the SDKs are loaded; the installed packages when absent. */
  readonly load?: GcpSdk.Loaders
}

const capabilitiesOf = (config: GcpConfig): Provider.Capabilities => ({
  nativeExpiry: true,
  earlyRevocation: {
    supported: true,
    withinSeconds: spreadSeconds,
    note:
      "Google stops it typically within 2 minutes, sometimes 7 or more; until then everything goes on working, and a new grant may take as long to begin to work." +
      (config.impersonate === undefined
        ? ""
        : " The access token stays valid until it expires, but only as a name: without the right, once Google has spread the change.")
  },
  listing: true,
  inspection: true,
  minDurationSeconds: shortestSeconds,
  maxDurationSeconds: Math.min(config.max_duration_seconds, config.impersonate?.max_token_seconds ?? Infinity)
})

const textIn = (object: Provider.EndRequest["reference"], key: string): string | null => {
  const value = object !== null && Object.hasOwn(object, key) ? object[key] : undefined
  return typeof value === "string" ? value : null
}

/** The resource of a grant: as asked for, or where nothing is known of the request, as its mark was listed. */
const resourceOf = ({ canonical, reference }: Provider.EndRequest): Result.Result<string, Provider.ProviderError> => {
  const known = canonical.resourceScope === "" ? (textIn(reference, "resource") ?? "") : canonical.resourceScope
  return ResourceName.isCanonical(known)
    ? Result.succeed(known)
    : Result.fail(
        refuse(
          "InvalidReference",
          "this grant cannot be found at Google",
          "Neither the request nor its reference names a resource."
        )
      )
}

/** What variables tell Google's tools which project they work in. */
const environmentOf = (resource: string): Readonly<Record<string, string>> => {
  const project = ResourceName.projectOf(resource)
  return project === null ? {} : { CLOUDSDK_CORE_PROJECT: project, GOOGLE_CLOUD_PROJECT: project }
}

/** The end of what stands there of this very request: as we would have written it, or changed by somebody; null: nothing. */
const standingEnd = (
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

const noteOn = (resource: string, found: ReadonlyArray<PolicyEdit.Found>): string | null => {
  const left = found.reduce((count, { binding, members }) => count + binding.members.length - members.length, 0)
  return left === 0
    ? null
    : `somebody else put ${left} more ${left === 1 ? "member" : "members"} into the grant's binding on ${resource}: left there until its condition ends`
}

/** The provider over given calls. */
export const fromCalls = (config: GcpConfig, calls: GcpCalls.GcpCalls): Provider.Provider => {
  const prefix = config.condition_title_prefix
  const capabilities = capabilitiesOf(config)
  const { change, isOurLast } = PolicyChange.make(calls)

  const memberFor = (grantee: Provider.Grantee): Result.Result<string, Provider.ProviderError> => {
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

  const check: Provider.Provider["check"] = ({ resourceScope, role }, grantee) =>
    Effect.gen(function* () {
      const member = yield* Effect.fromResult(memberFor(grantee))
      const missing = yield* GcpDiagnosis.missingOn(calls, resourceScope)
      if (missing.length > 0) {
        return yield* refuse(
          "ProviderDenied",
          "Google does not let jitsudo do this",
          `Allow ${missing.join(" and ")} on ${resourceScope} to the daemon's identity; Google says the same of what does not exist.`
        )
      }
      if (config.read_roles) {
        const { deleted, stage } = yield* calls.getRole(role)
        if (deleted || stage === "DISABLED") {
          return yield* refuse("RoleNotFound", "this role is granted no more", `${role} is deleted or disabled.`)
        }
      }
      return { maxDurationSeconds: capabilities.maxDurationSeconds, facts: { member } }
    })

  /** The token for the child process. It may outlive a right that was taken back, and then is only a name. */
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

  /** The policy without what is over, which is cleared away in writes that are made anyway. */
  const cleared = (
    policy: PolicyEdit.Policy,
    { canonical, now, requestId }: Provider.GrantRequest | Provider.EndRequest
  ): PolicyEdit.Policy => PolicyEdit.cleared(prefix, policy, now, canonical.role, requestId)

  const grant: Provider.Provider["grant"] = (request) =>
    Effect.gen(function* () {
      const { canonical, now, requestId } = request
      if (!ConditionalBinding.isMarkable(requestId)) {
        return yield* refuse("InvalidReference", "the request's id cannot mark a binding", "Ids are req_ and a ULID.")
      }
      const { resourceScope: resource, role } = canonical
      const member = textIn(request.checked, "member") ?? (yield* Effect.fromResult(memberFor(request.grantee)))
      const latest = ConditionalBinding.endOf(now, canonical.durationSeconds)
      const installation = request.installation ?? null
      const wanted = ConditionalBinding.make({ prefix, requestId, role, member, notAfter: latest, installation })
      // First, because it changes nothing: without the binding the account has no right that a token could carry.
      const token = yield* tokenFor(member, Time.secondsBetween(now, latest))
      const notAfter = yield* change(resource, (policy) =>
        Effect.gen(function* () {
          const found = PolicyEdit.found(prefix, policy, requestId, member)
          const before = yield* Effect.fromResult(standingEnd(found, wanted, latest))
          if (before !== null) return { answer: before, write: null }
          const write = PolicyEdit.withGrant(cleared(policy, request), wanted)
          const full = PolicyEdit.whyFull(write, wanted)
          if (full === null) return { answer: latest, write }
          return yield* refuse(
            "QuotaExceeded",
            "a quota of Google is full",
            `Google allows ${full}, and ${resource} has no room. Wait for grants to end, grant to groups, or remove bindings.`,
            { retryable: true }
          )
        })
      )
      return {
        // Of a repeat, when the first try granted it.
        issuedAt: Time.plusSeconds(notAfter, -canonical.durationSeconds),
        notAfter,
        reference: { resource, role, member, title: ConditionalBinding.titleOf(prefix, requestId) },
        credentials: { ...environmentOf(resource), ...token }
      }
    })

  /** Whom the grant was for, as far as the request says; the binding's description says it too. */
  const knownMember = ({ canonical, checked, grantee, reference }: Provider.EndRequest): string | null =>
    textIn(checked, "member") ??
    (canonical.resourceScope === "" ? textIn(reference, "member") : MemberRule.memberOf(config.members, grantee))

  const foundFor = (policy: PolicyEdit.Policy, request: Provider.EndRequest): ReadonlyArray<PolicyEdit.Found> =>
    PolicyEdit.found(prefix, policy, request.requestId, knownMember(request))

  const end: Provider.Provider["end"] = (request) =>
    Effect.gen(function* () {
      const resource = yield* Effect.fromResult(resourceOf(request))
      const isOver = request.why === "expired" && request.notAfter <= request.now
      return yield* change(resource, (policy) => {
        const found = foundFor(policy, request)
        // Google's clock has ended it, and nothing is left to clear away.
        if (isOver && found.length === 0) return Effect.succeed({ answer: { note: null }, write: null })
        return Effect.succeed({
          answer: { note: noteOn(resource, found) },
          write: PolicyEdit.withoutGrant(cleared(policy, request), found)
        })
      }).pipe(
        Effect.catchTag("ProviderError", (failure) =>
          isOver && failure.reason === "ProviderDenied" && !failure.retryable
            ? Effect.succeed({
                note: `Google ended it at ${Time.toRfc3339(request.notAfter)}; its binding could not be cleared away: ${failure.hint}`
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
      // Not shown. A read as new as our last write, or a grant that is old enough to be shown, leaves no doubt.
      const begun = Time.plusSeconds(notAfter, -canonical.durationSeconds)
      const isSettled = canonical.durationSeconds > 0 && settleSeconds <= Time.secondsBetween(begun, now)
      return isOurLast(resource, policy) || isSettled ? "ended" : "unknown"
    })

  const list: Provider.Provider["list"] = () =>
    Effect.gen(function* () {
      const now = Time.make(yield* Clock.currentTimeMillis)
      const marked = yield* Effect.forEach(
        config.resources,
        (resource) =>
          Effect.map(calls.getPolicy(resource), (policy) => MarkedGrants.inPolicy(prefix, resource, policy, now)),
        { concurrency: 4 }
      )
      return marked.flat()
    })

  return {
    name,
    capabilities,
    parse: (ask) => GcpAsk.parse(config, capabilities, ask),
    check,
    grant,
    end,
    resourceKey: ({ resourceScope }) => resourceScope,
    inspect,
    list,
    diagnose: (probe) => GcpDiagnosis.diagnose(config, calls, probe)
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
  make: (config) => make(config),
  territory
}
