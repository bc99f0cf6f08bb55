/**
 * The port to a platform that grants and takes back (a cloud, a cluster, an in-house system).
 *
 * Invariants that every provider keeps (the contract suite in `@jitsudo/core/testing` checks them):
 * 1. `parse` is pure. Its canonical form is what policy, approvers, the digest and `grant` see; two askings that
 *    mean the same right have the same canonical form.
 * 2. `check` writes nothing.
 * 3. `grant` is idempotent by `requestId`: a repeat gives the same right, never a second one, and never a longer one.
 * 4. What is granted ends by itself where the platform can (`capabilities.nativeExpiry`), never later than asked.
 * 5. `end` returns only when the platform confirms that nothing of this grant is left; a repeat is safe; an `end`
 *    for a grant whose outcome is unknown (`reference` null) takes back whatever that attempt may have left.
 * 6. Grants are independent: ending one never cuts another off.
 * 7. An error says whether the call can have had an effect. `effect: "none"` is a promise.
 * 8. `list` says of each mark whose it is, and gives all that `end` needs to take it back: the request may be one that
 *    nobody here knows (another installation's, or one that a restored backup has forgotten).
 *
 * A provider never calls back into jitsudo and knows nothing of requests but what it is given.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Result from "effect/Result"
import type { JsonObject } from "./Json.ts"
import type { Time } from "./Time.ts"

/** What a platform can do, shown to users before they rely on it. */
export interface Capabilities {
  /** The platform ends the right at `notAfter` without being asked. */
  readonly nativeExpiry: boolean
  /** How ending before `notAfter` works. */
  readonly earlyRevocation: {
    readonly supported: boolean
    /** Seconds until it bites, as the platform documents it. */
    readonly withinSeconds: number
    /** One sentence for the requester: what goes on working, and until when. */
    readonly note: string
  }
  /** `list` finds everything that carries our mark. */
  readonly listing: boolean
  /** `inspect` sees the platform's truth (otherwise it can only answer `unknown`, or by the clock). */
  readonly inspection: boolean
  readonly minDurationSeconds: number
  readonly maxDurationSeconds: number
}

/** What somebody asks for, in their own words. */
export interface Ask {
  readonly role: string
  readonly resourceScope: string
  readonly durationSeconds: number
}

/** What is asked for in the provider's canonical form. */
export interface Canonical {
  readonly role: string
  readonly resourceScope: string
  readonly durationSeconds: number
}

/** Who gets the right, as far as a platform may need to know. */
export interface Grantee {
  readonly issuer: string
  readonly subject: string
  readonly email: string | null
}

/** What `check` read from the platform; stored with the request and given to `grant`. */
export interface Checked {
  /** Longest grant of this role and scope, in seconds, as the platform says now. */
  readonly maxDurationSeconds: number
  /** Ids and facts that `grant` will need (a role's id, a principal's object id). Never a secret. */
  readonly facts: JsonObject
}

/** Another grant on the same resource key, known to us and not yet past its end. */
export interface Neighbour {
  readonly requestId: string
  readonly state: "active" | "ending" | "ended"
  readonly notAfter: Time
  readonly reference: JsonObject | null
}

export interface GrantRequest {
  /** `req_` + ULID: the idempotency key, and the mark that is left at the platform. */
  readonly requestId: string
  /**
   * Which jitsudo asks (`isInstallation`): a word to leave beside the request id wherever the platform has room for it
   * (a label, a tag, a description), so that `list` can say whose a mark is. Several installations may share one account.
   * Absent: leave none.
   */
  readonly installation?: string
  readonly grantee: Grantee
  readonly canonical: Canonical
  readonly checked: JsonObject
  readonly reason: string
  readonly metadata: Readonly<Record<string, string>>
  /** Now, by the database's clock. */
  readonly now: Time
  /**
   * Given where an earlier attempt of this request may have had its effect: when the first attempt began. What is granted
   * now must not live past that plus the duration, whatever this process knows of the earlier attempts; and what is at
   * the platform in this request's place may be an earlier attempt's. Absent: nothing of this request can be there.
   */
  readonly unknownSince?: Time
  readonly neighbours: ReadonlyArray<Neighbour>
}

export interface Granted {
  /** When the platform granted it. */
  readonly issuedAt: Time
  /** What the platform really enforces. The engine refuses and takes back what is longer than approved. */
  readonly notAfter: Time
  /** What `end` and `inspect` need. Not secret; stored in clear. */
  readonly reference: JsonObject
  /**
   * Environment variables for the child of `jitsudo exec`. Secret; sealed before it is stored. What tools read from a
   * file is `JITSUDO_FILE_<NAME>`: the CLI writes it to a private file and sets `<NAME>` to its path.
   */
  readonly credentials: Readonly<Record<string, string>>
}

export interface EndRequest {
  readonly requestId: string
  readonly grantee: Grantee
  readonly canonical: Canonical
  readonly checked: JsonObject
  /** Null when the outcome of `grant` is unknown: end whatever it may have left. */
  readonly reference: JsonObject | null
  /**
   * Given where nothing of this request can be at the platform: `grant` was never called, or promised each time to have
   * changed nothing. What is found in its place is somebody else's then.
   */
  readonly neverGranted?: true
  /** The latest instant at which anything of this grant may live. */
  readonly notAfter: Time
  /** `expired`: its time is over. `early`: it must stop before. */
  readonly why: "expired" | "early"
  readonly now: Time
  readonly neighbours: ReadonlyArray<Neighbour>
}

/** What `end` did. `note` goes into the audit entry (for example that a quota made a wider denial necessary). */
export interface Ended {
  readonly note: string | null
}

export type Liveness = "active" | "ended" | "unknown"

/**
 * Something at the platform that carries our mark, whichever installation left it.
 *
 * Where no request is known for it, `end` and `inspect` are called with what stands here: its reference, and
 * `canonical`, `grantee` and `checked` where they are given (otherwise an empty form, an empty name and no facts).
 * `neighbours` are then those on `resourceKey`. So what a provider needs besides the reference it must give here.
 */
export interface Tagged {
  readonly requestId: string
  /** As `resourceKey` would say. */
  readonly resourceKey: string
  readonly reference: JsonObject
  readonly notAfter: Time | null
  /** As the mark says; null or absent where it names none. Only what names ours is taken back without being asked. */
  readonly installation?: string | null
  /** As far as the platform shows it; `durationSeconds` 0 where it does not. */
  readonly canonical?: Canonical
  readonly grantee?: Grantee
  readonly checked?: JsonObject
}

/** A word for an installation: fits into labels, tags, titles and descriptions of every platform. */
export const isInstallation = (word: string): boolean => /^[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?$/u.test(word)

/** What `end` and `inspect` get for something that was found at the platform and that no request is known for. */
export const endOfTagged = (
  { canonical, checked, grantee, reference, requestId }: Tagged,
  { neighbours, notAfter, now }: Pick<EndRequest, "notAfter" | "now" | "neighbours">
): EndRequest => ({
  requestId,
  grantee: grantee ?? { issuer: "", subject: "", email: null },
  canonical: canonical ?? { role: "", resourceScope: "", durationSeconds: 0 },
  checked: checked ?? {},
  reference,
  notAfter,
  why: "early",
  now,
  neighbours
})

export type ProviderReason =
  | "InvalidRole"
  | "InvalidScope"
  | "DurationOutOfRange"
  | "PrincipalNotFound"
  | "RoleNotFound"
  | "ProviderDenied"
  | "ProviderThrottled"
  | "ProviderConflict"
  | "ProviderUnavailable"
  | "QuotaExceeded"
  | "AlreadyGone"
  | "InvalidReference"

/** Everything that can go wrong at a platform. */
export class ProviderError extends Data.TaggedError("ProviderError")<{
  readonly provider: string
  readonly reason: ProviderReason
  /** A later try may succeed without anybody changing anything. */
  readonly retryable: boolean
  /** `none` promises that the call changed nothing; `unknown` is everything else, also a time-out. */
  readonly effect: "none" | "unknown"
  /** For the requester: no secrets, no account internals. */
  readonly message: string
  /** For the operator: what to do about it. */
  readonly hint: string
  /** Seconds to wait before the next try, where the platform said so. */
  readonly retryAfterSeconds?: number
}> {}

/** What an operator wants to know of `diagnose`. */
export interface Probe {
  /** The right in question, as `parse` gave it; null: the connection alone. */
  readonly canonical: Canonical | null
  /** Who would get it; null where the operator named nobody. */
  readonly grantee: Grantee | null
}

/** One thing that was looked at, for an operator who sets a provider up. Never a secret. */
export interface Finding {
  /** What was looked at, in a few words: `credentials`, `sts:AssumeRole on arn:aws:iam::111122223333:role/jitsudo-x`. */
  readonly what: string
  /** Null: it cannot be known without writing something. */
  readonly ok: boolean | null
  /** The permission that is missing, as the platform spells it in its policies; null where none is, or none is known. */
  readonly missing: string | null
  /** What to do about it, or what was found (`signed in as arn:...`); empty where `what` says all. */
  readonly hint: string
}

export interface Provider {
  /** Lower-case, URL-safe, stable across versions: `aws`, `kubernetes`, `mock`. */
  readonly name: string
  readonly capabilities: Capabilities
  /** Pure. The canonical form, or why this cannot be asked for. */
  readonly parse: (ask: Ask) => Result.Result<Canonical, ProviderError>
  /** Reads the platform: exists, grantable, how long. Writes nothing. */
  readonly check: (canonical: Canonical, grantee: Grantee) => Effect.Effect<Checked, ProviderError>
  readonly grant: (request: GrantRequest) => Effect.Effect<Granted, ProviderError>
  readonly end: (request: EndRequest) => Effect.Effect<Ended, ProviderError>
  /** What calls must not run side by side on. */
  readonly resourceKey: (canonical: Canonical, grantee: Grantee) => string
  readonly inspect: (request: EndRequest) => Effect.Effect<Liveness, ProviderError>
  /** Everything that carries our mark. Empty where `capabilities.listing` is false. */
  readonly list: () => Effect.Effect<ReadonlyArray<Tagged>, ProviderError>
  /**
   * For `jitsudod provider check`: whether the credentials work, who they are, and which permissions are missing.
   * Must write nothing; what cannot be known without writing is a finding with `ok` null. It looks at everything it can
   * and goes on after a finding that is not ok; a failure counts as one finding more. Absent: `Diagnosis` goes by
   * `parse`, `check`, `list` and `inspect` alone.
   */
  readonly diagnose?: (probe: Probe) => Effect.Effect<ReadonlyArray<Finding>, ProviderError>
}

/** The providers that this process may use, by name. */
export class Providers extends Context.Service<
  Providers,
  {
    readonly get: (name: string) => Provider | undefined
    readonly names: ReadonlyArray<string>
  }
>()("@jitsudo/core/Providers") {}
