/**
 * Providers for authors who do not know Effect: promises in, a `Provider` out.
 *
 * What it adds, so that an author writes only what is particular to the platform:
 * 1. Role, scope and duration are checked (`AskCheck`) before the author's `parse` sees them, and the canonical form may
 *    not change the duration.
 * 2. What the author throws with `refusal(...)` is the error that jitsudo sees. Anything else becomes
 *    `ProviderUnavailable` with `effect: "unknown"`: jitsudo then takes back whatever the call may have left.
 * 3. Every call has a time limit and an `AbortSignal`; running over it is an unknown outcome too.
 * 4. An answer of the wrong shape is trouble, not a grant.
 *
 * Text of foreign errors is not passed on: it may hold secrets. Their name and code are.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AskCheck from "./AskCheck.ts"
import {
  type Ask,
  type Canonical,
  type Capabilities,
  type Checked,
  type EndRequest,
  type Finding,
  type Granted,
  type Grantee,
  type GrantRequest,
  type Liveness,
  type Probe,
  type Provider,
  ProviderError,
  type ProviderReason,
  type Tagged
} from "./Provider.ts"
import { isName } from "./Providers.ts"

/** What an author throws to refuse; `effect: "none"` is a promise that the call changed nothing. */
export interface Refusal {
  readonly reason: ProviderReason
  /** For the requester: no secrets, no account internals. */
  readonly message: string
  /** For the operator: what to do about it. */
  readonly hint: string
  /** Default false. */
  readonly retryable?: boolean
  /** Default `unknown`. */
  readonly effect?: "none" | "unknown"
  readonly retryAfterSeconds?: number
}

class AuthorRefusal extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal.message)
    this.name = "AuthorRefusal"
    this.refusal = refusal
  }
}

/** An error to throw from any method of a definition. */
export const refusal = (refused: Refusal): Error => new AuthorRefusal(refused)

/** A provider as promises. The rules of `Provider` hold for every method. */
export interface ProviderDefinition {
  readonly name: string
  readonly capabilities: Capabilities
  /** Pure; the canonical form, or throw a `refusal`. Default: the ask as it stands. */
  readonly parse?: (ask: Ask) => Canonical
  /** Default: everything exists, up to `capabilities.maxDurationSeconds`. */
  readonly check?: (canonical: Canonical, grantee: Grantee, signal: AbortSignal) => Promise<Checked>
  readonly grant: (request: GrantRequest, signal: AbortSignal) => Promise<Granted>
  /** A string is the note for the audit entry. */
  readonly end: (request: EndRequest, signal: AbortSignal) => Promise<string | void>
  /** Default: one key per role, scope and grantee. */
  readonly resourceKey?: (canonical: Canonical, grantee: Grantee) => string
  /** Required when `capabilities.inspection` is true. */
  readonly inspect?: (request: EndRequest, signal: AbortSignal) => Promise<Liveness>
  /** Required when `capabilities.listing` is true. */
  readonly list?: (signal: AbortSignal) => Promise<ReadonlyArray<Tagged>>
  /** For `jitsudod provider check`; must write nothing. Default: what `check`, `list` and `inspect` show. */
  readonly diagnose?: (probe: Probe, signal: AbortSignal) => Promise<ReadonlyArray<Finding>>
  /** Longest time for one call; default 30. */
  readonly timeoutSeconds?: number
}

const credentialName = /^[A-Z_][A-Z0-9_]{0,127}$/u

const isInstant = (value: unknown): boolean => typeof value === "number" && Number.isSafeInteger(value) && value >= 0

/** What is wrong with an answer of `grant`, or null. */
const whyNotGranted = (granted: Granted): string | null => {
  if (typeof granted !== "object" || granted === null) return "is not an object"
  if (!isInstant(granted.issuedAt) || !isInstant(granted.notAfter)) return "has no instants `issuedAt` and `notAfter`"
  if (granted.notAfter <= granted.issuedAt) return "ends before it begins"
  if (typeof granted.reference !== "object" || granted.reference === null) return "has no `reference`"
  if (typeof granted.credentials !== "object" || granted.credentials === null) return "has no `credentials`"
  for (const [variable, value] of Object.entries(granted.credentials)) {
    if (!credentialName.test(variable)) return "has a credential whose name is no environment variable"
    if (typeof value !== "string" || value.includes("\u0000")) return "has a credential that is no text"
  }
  return null
}

const expectSound = (definition: ProviderDefinition): void => {
  const { name, capabilities } = definition
  const complain = (rule: string): never => {
    throw new Error(`defineProvider(${JSON.stringify(name)}): ${rule}`)
  }
  if (!isName(name)) complain('`name` must be lower-case letters, digits and "-", beginning with a letter')
  const { minDurationSeconds: least, maxDurationSeconds: most, earlyRevocation } = capabilities
  if (!Number.isSafeInteger(least) || least < 1) complain("`minDurationSeconds` must be a whole number, at least 1")
  if (!Number.isSafeInteger(most) || most < least) complain("`maxDurationSeconds` must not be below the minimum")
  if (!(earlyRevocation.withinSeconds >= 0)) complain("`earlyRevocation.withinSeconds` must be 0 or more")
  if (capabilities.listing && definition.list === undefined) complain("`listing` is true, so `list` is needed")
  if (capabilities.inspection && definition.inspect === undefined)
    complain("`inspection` is true, so `inspect` is needed")
}

const nameOf = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return typeof thrown
  const code: unknown = "code" in thrown ? thrown.code : undefined
  const shown = typeof code === "string" && /^\w{1,64}$/u.test(code) ? ` (${code})` : ""
  return `${/^[\w.]{1,64}$/u.test(thrown.name) ? thrown.name : "Error"}${shown}`
}

/** A `Provider` from promises. Throws when the definition itself is unsound. */
export const defineProvider = (definition: ProviderDefinition): Provider => {
  expectSound(definition)
  const { name, capabilities } = definition
  const timeout = definition.timeoutSeconds ?? 30

  const unavailable = (message: string, hint: string, retryable: boolean): ProviderError =>
    new ProviderError({ provider: name, reason: "ProviderUnavailable", retryable, effect: "unknown", message, hint })

  const asError = (thrown: unknown): ProviderError => {
    if (thrown instanceof ProviderError) return thrown
    if (thrown instanceof AuthorRefusal) {
      const { retryAfterSeconds, ...refused } = thrown.refusal
      return new ProviderError({
        provider: name,
        retryable: false,
        effect: "unknown",
        ...refused,
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds })
      })
    }
    return unavailable(
      "the platform could not be asked",
      `The provider threw ${nameOf(thrown)}, which is none of its refusals; its own log says more.`,
      true
    )
  }

  const call = <A>(method: string, run: (signal: AbortSignal) => Promise<A>): Effect.Effect<A, ProviderError> =>
    Effect.tryPromise({ try: (signal) => run(signal), catch: asError }).pipe(
      Effect.timeoutOrElse({
        duration: `${timeout} seconds`,
        orElse: () =>
          Effect.fail(
            unavailable("the platform did not answer in time", `\`${method}\` took longer than ${timeout} s.`, true)
          )
      })
    )

  return {
    name,
    capabilities,
    parse: (ask) =>
      Result.flatMap(AskCheck.check(name, capabilities, ask), ({ role, resourceScope, durationSeconds }) => {
        const asked = { role, resourceScope, durationSeconds }
        if (definition.parse === undefined) return Result.succeed(asked)
        const parsed = Result.try({ try: () => definition.parse?.(asked) ?? asked, catch: (thrown) => thrown })
        if (Result.isFailure(parsed)) {
          // A bug of the author's grammar is a defect; only a refusal is an answer.
          if (!(parsed.failure instanceof AuthorRefusal || parsed.failure instanceof ProviderError))
            throw parsed.failure
          return Result.fail(new ProviderError({ ...fieldsOf(asError(parsed.failure)), effect: "none" }))
        }
        if (parsed.success.durationSeconds !== durationSeconds) {
          throw new Error(`the provider ${name} changed the duration in \`parse\`; refuse it with DurationOutOfRange`)
        }
        return Result.succeed(parsed.success)
      }),
    check: (canonical, grantee) =>
      definition.check === undefined
        ? Effect.succeed({ maxDurationSeconds: capabilities.maxDurationSeconds, facts: {} })
        : call("check", async (signal) => {
            const checked = await definition.check?.(canonical, grantee, signal)
            if (checked === undefined || !Number.isSafeInteger(checked.maxDurationSeconds)) {
              throw new TypeError("check")
            }
            return checked
          }),
    grant: (request) =>
      Effect.flatMap(
        call("grant", (signal) => definition.grant(request, signal)),
        (granted) => {
          const why = whyNotGranted(granted)
          return why === null
            ? Effect.succeed(granted)
            : Effect.fail(
                unavailable(
                  "the platform's answer cannot be used",
                  `What the provider's \`grant\` returned ${why}.`,
                  false
                )
              )
        }
      ),
    end: (request) =>
      Effect.map(
        call("end", (signal) => definition.end(request, signal)),
        (note) => ({ note: typeof note === "string" ? note : null })
      ),
    resourceKey:
      definition.resourceKey ??
      ((canonical, grantee) =>
        JSON.stringify([name, canonical.resourceScope, canonical.role, grantee.issuer, grantee.subject])),
    inspect: (request) =>
      definition.inspect === undefined
        ? Effect.succeed(request.now >= request.notAfter && capabilities.nativeExpiry ? "ended" : "unknown")
        : call("inspect", async (signal) => (await definition.inspect?.(request, signal)) ?? "unknown"),
    list: () =>
      definition.list === undefined
        ? Effect.succeed([])
        : call("list", async (signal) => (await definition.list?.(signal)) ?? []),
    ...(definition.diagnose === undefined
      ? {}
      : {
          diagnose: (probe) => call("diagnose", async (signal) => (await definition.diagnose?.(probe, signal)) ?? [])
        })
  }
}

const fieldsOf = ({ provider, reason, retryable, effect, message, hint }: ProviderError) => ({
  provider,
  reason,
  retryable,
  effect,
  message,
  hint
})
