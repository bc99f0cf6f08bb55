/**
 * The provider `aws` in the mode `sts_assume_role`: a session of a role, and the end of exactly that session.
 *
 * 1. A session lasts exactly as long as was approved; AWS ends it by itself, and nothing is called then.
 * 2. An early end denies the session by its name in one inline policy of the role (`RevocationPolicy.ts`), rebuilt from
 *    this request and its neighbours. Everybody else's sessions live on.
 * 3. A role that IAM does not find confirms nothing.
 * 4. A repeated grant is another session of the same name, which one denial covers. It ends with the first that may have
 *    been issued, whichever process asked for that one, and is refused where less than AWS's shortest session is left.
 *
 * What it cannot do: see sessions (STS lists none), or reach sessions of other roles that were assumed from ours.
 */
import { AskCheck, Provider, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { AssumeRoleCalls } from "./AssumeRoleCalls.ts"
import type { AssumeRoleConfig } from "./AssumeRoleConfig.ts"
import * as AssumeRoleDiagnosis from "./AssumeRoleDiagnosis.ts"
import * as RevocationPolicy from "./RevocationPolicy.ts"
import * as RoleArn from "./RoleArn.ts"
import * as SessionTags from "./SessionTags.ts"

const name = "aws"

/** The shortest session of a role (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html). */
const shortestSession = 900

/** How far the database's clock and AWS's may be apart. */
const clockDifferenceSeconds = 5

const refuse = (
  reason: Provider.ProviderReason,
  message: string,
  hint: string,
  effect: "none" | "unknown" = "none"
): Provider.ProviderError =>
  new Provider.ProviderError({ provider: name, reason, retryable: false, effect, message, hint })

/** How long the sessions of a stored grant were to last; the shortest possible when it is not known. */
const lastedSeconds = (reference: Provider.Neighbour["reference"]): number => {
  const seconds = reference?.["durationSeconds"]
  return typeof seconds === "number" && Number.isSafeInteger(seconds) && seconds >= shortestSession
    ? seconds
    : shortestSession
}

/** A damaged reference must not move a denial out of all time. */
const farFuture = 4_102_444_800_000

const issuedAtIn = (reference: Provider.Neighbour["reference"]): number | null => {
  const issuedAt = reference?.["issuedAt"]
  return typeof issuedAt === "number" && Number.isSafeInteger(issuedAt) && issuedAt < farFuture ? issuedAt : null
}

/** The provider over given calls. */
export const fromCalls = (config: AssumeRoleConfig, calls: AssumeRoleCalls): Provider.Provider => {
  const capabilities: Provider.Capabilities = {
    nativeExpiry: true,
    earlyRevocation: {
      supported: true,
      // IAM is eventually consistent and names no number; a minute is what to count on.
      withinSeconds: 60,
      note: "The session is refused within a minute, usually within seconds. Sessions of other roles that were assumed from it live on, for an hour at most."
    },
    listing: false,
    inspection: false,
    minDurationSeconds: shortestSession,
    maxDurationSeconds: config.max_session_seconds
  }
  /** Sessions that this process has the answer for, while they live: the end of each request's first. */
  const issued = new Map<string, Time.Time>()

  const arnOf = (canonical: Provider.Canonical): string =>
    RoleArn.expand(config.role_arn_template, canonical.resourceScope, canonical.role)

  const parse: Provider.Provider["parse"] = (ask) =>
    Result.flatMap(AskCheck.check(name, capabilities, ask), ({ role, resourceScope, durationSeconds }) => {
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
      const canonical = { role, resourceScope, durationSeconds }
      if (!RoleArn.isRoleName(role) || !RoleArn.isRoleName(RoleArn.nameIn(arnOf(canonical)))) {
        return Result.fail(
          refuse(
            "InvalidRole",
            "the role must be a name of letters, digits and _+=,.@-, no path and no ARN",
            "With the prefix of `providers.aws.role_arn_template` a name has at most 64 characters."
          )
        )
      }
      if (!config.roles.some((pattern) => RoleArn.matches(pattern, role))) {
        return Result.fail(
          refuse("InvalidRole", "jitsudo does not grant this role", "Add it to `providers.aws.roles` if it should.")
        )
      }
      return Result.succeed(canonical)
    })

  const check: Provider.Provider["check"] = (canonical) =>
    config.read_limits
      ? Effect.flatMap(calls.maxSessionSeconds(arnOf(canonical), canonical.resourceScope), (allowed) => {
          const longest = Math.min(allowed, config.max_session_seconds)
          return canonical.durationSeconds <= longest
            ? Effect.succeed({ maxDurationSeconds: longest, facts: {} })
            : Effect.fail(
                refuse(
                  "DurationOutOfRange",
                  `this role is granted for at most ${longest} seconds`,
                  `MaxSessionDuration of ${arnOf(canonical)} is ${allowed}.`
                )
              )
        })
      : Effect.succeed({ maxDurationSeconds: config.max_session_seconds, facts: {} })

  /** How long a session may be: as approved, or what is left of the first one that this request may have. */
  const secondsFor = (request: Provider.GrantRequest): Result.Result<number, Provider.ProviderError> => {
    for (const [requestId, end] of issued) if (end <= request.now) issued.delete(requestId)
    const { durationSeconds } = request.canonical
    const { unknownSince } = request
    const ends = [
      issued.get(request.requestId),
      unknownSince === undefined ? undefined : Time.plusSeconds(unknownSince, durationSeconds)
    ].filter((end) => end !== undefined)
    if (ends.length === 0) return Result.succeed(durationSeconds)
    const left = Math.min(durationSeconds, ...ends.map((end) => Time.secondsBetween(request.now, end)))
    return left >= shortestSession
      ? Result.succeed(left)
      : Result.fail(
          refuse(
            "ProviderConflict",
            "it was granted before and has too little time left to be granted again",
            "AWS has no sessions under 900 s. The request has a session and must be ended.",
            "unknown"
          )
        )
  }

  const grant: Provider.Provider["grant"] = (request) =>
    Effect.gen(function* () {
      const sessionName = RevocationPolicy.sessionNameOf(request.requestId)
      // The name stands in a policy later, where `*` and `?` would match other sessions.
      if (!/^[\w+=,.@-]{2,64}$/u.test(sessionName)) {
        return yield* refuse("InvalidReference", "the request's id cannot name a session", "Ids are req_ and a ULID.")
      }
      const seconds = yield* Effect.fromResult(secondsFor(request))
      const roleArn = arnOf(request.canonical)
      const answer = yield* calls.assumeRole({
        RoleArn: roleArn,
        RoleSessionName: sessionName,
        DurationSeconds: seconds,
        ...(config.session_tags ? { Tags: [...SessionTags.tagsOf(request)] } : {}),
        ...(config.source_identity ? { SourceIdentity: SessionTags.sourceIdentityOf(request.grantee) } : {})
      })
      const credentials = answer.Credentials
      const assumedRoleId = answer.AssumedRoleUser?.AssumedRoleId
      if (
        credentials?.AccessKeyId === undefined ||
        credentials.SecretAccessKey === undefined ||
        credentials.SessionToken === undefined ||
        credentials.Expiration === undefined ||
        assumedRoleId?.endsWith(`:${sessionName}`) !== true
      ) {
        return yield* refuse(
          "ProviderUnavailable",
          "AWS gave an answer that cannot be used",
          `AssumeRole of ${roleArn} answered without credentials, expiration or the session's name.`,
          "unknown"
        )
      }
      const notAfter = Time.make(credentials.Expiration.getTime())
      const issuedAt = Time.plusSeconds(notAfter, -seconds)
      issued.set(request.requestId, Time.min(notAfter, issued.get(request.requestId) ?? notAfter))
      return {
        issuedAt,
        notAfter,
        reference: {
          roleArn,
          sessionName,
          assumedRoleId,
          issuedAt,
          durationSeconds: request.canonical.durationSeconds
        },
        credentials: {
          AWS_ACCESS_KEY_ID: credentials.AccessKeyId,
          AWS_SECRET_ACCESS_KEY: credentials.SecretAccessKey,
          AWS_SESSION_TOKEN: credentials.SessionToken,
          AWS_REGION: config.region,
          AWS_DEFAULT_REGION: config.region,
          AWS_CREDENTIAL_EXPIRATION: credentials.Expiration.toISOString(),
          ...(config.child_endpoint_url === undefined ? {} : { AWS_ENDPOINT_URL: config.child_endpoint_url })
        }
      }
    })

  /** Sessions on this role that must be denied and could still live, this request's among them. */
  const revokedOf = (request: Provider.EndRequest): ReadonlyArray<RevocationPolicy.Revoked> => {
    // AWS stamps by its own clock: what it answered counts, and where it did not the clocks may differ.
    const latest = Time.plusSeconds(request.now, clockDifferenceSeconds)
    const issuedBy = (notAfter: Time.Time, seconds: number, reference: Provider.Neighbour["reference"]): Time.Time =>
      Time.make(Math.max(Math.min(notAfter - seconds * 1000, latest), issuedAtIn(reference) ?? 0, 0))
    const own = {
      requestId: request.requestId,
      notAfter: request.notAfter,
      issuedBy: issuedBy(request.notAfter, request.canonical.durationSeconds, request.reference)
    }
    const others = request.neighbours
      .filter(({ state }) => state !== "active")
      .map(({ requestId, notAfter, reference }) => ({
        requestId,
        notAfter,
        issuedBy: issuedBy(notAfter, lastedSeconds(reference), reference)
      }))
    return RevocationPolicy.inFoldingOrder([own, ...others].filter(({ notAfter }) => request.now < notAfter))
  }

  /** What the audit entry must say about a folded list. */
  const noteOf = (request: Provider.EndRequest, folded: number, until: Time.Time): string => {
    const hit = request.neighbours.filter(({ state, reference }) => {
      const issuedAt = issuedAtIn(reference)
      return state === "active" && (issuedAt === null || issuedAt <= until)
    })
    const cost =
      hit.length === 0
        ? "no active grant is among them"
        : `${hit.length} active ${hit.length === 1 ? "grant is" : "grants are"} among them`
    return (
      `the role's quota for inline policies is full: ${folded} ended sessions are denied together with every session ` +
      `that jitsudo issued for this role until ${Time.toRfc3339(until)}; ${cost}`
    )
  }

  const end: Provider.Provider["end"] = (request) =>
    Effect.gen(function* () {
      // AWS has ended it. Whatever is done now could only hit others.
      if (request.why === "expired") return { note: null }
      const roleArn = arnOf(request.canonical)
      const revoked = revokedOf(request)
      let folded = RevocationPolicy.leastFolded(revoked)
      for (;;) {
        const outcome = yield* calls.putRolePolicy(
          roleArn,
          request.canonical.resourceScope,
          RevocationPolicy.policyName,
          RevocationPolicy.documentOf(revoked, folded)
        )
        if (outcome === "put") break
        if (folded === revoked.length) {
          return yield* new Provider.ProviderError({
            provider: name,
            reason: "QuotaExceeded",
            retryable: true,
            effect: "none",
            message: "a quota of AWS is full",
            hint: `The inline policies of ${roleArn} leave no room for jitsudo's; move others to managed policies.`
          })
        }
        // Others' policies share the quota and we do not read them: fold half of what is left.
        folded += Math.ceil((revoked.length - folded) / 2)
      }
      const until = RevocationPolicy.foldedUntil(revoked, folded)
      return { note: until === null ? null : noteOf(request, folded, until) }
    })

  return {
    name,
    capabilities,
    parse,
    check,
    grant,
    end,
    resourceKey: arnOf,
    inspect: (request) => Effect.succeed(request.now >= request.notAfter ? "ended" : "unknown"),
    list: () => Effect.succeed([]),
    diagnose: AssumeRoleDiagnosis.make(config, calls)
  }
}
