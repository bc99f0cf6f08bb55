/** What an operator sets about the domain, with the defaults that the specification states. */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

export interface DomainSettings {
  readonly adminGroups: ReadonlyArray<string>
  readonly auditorGroups: ReadonlyArray<string>
  /** Group facts older than this do not count. */
  readonly groupsMaxAgeSeconds: number
  /** The same for `auto` and break-glass. */
  readonly groupsMaxAgeStrictSeconds: number
  /** PENDING lapses after this. */
  readonly pendingSeconds: number
  /** An agent's review escalates after this. */
  readonly aiReviewSeconds: number
  /** APPROVED must be ACTIVE within this. */
  readonly startSeconds: number
  /** A break-glass review is due after this, and reminded as often. */
  readonly reviewDueSeconds: number
  /** Longest unbroken time in one role and scope, unless policy sets another. */
  readonly maxTotalSeconds: number
  /** Longest single grant that anybody may ask for. */
  readonly maxDurationSeconds: number
  /** Undecided requests that one person may have; more are refused until some are decided or withdrawn. */
  readonly maxPendingPerPrincipal: number
  /** Longest that one provider call may take. */
  readonly callTimeoutSeconds: number
  /** How long a job is leased; must exceed `callTimeoutSeconds`. */
  readonly leaseSeconds: number
  /** `grant` is tried this often while its outcome is unknown, then it is taken back. */
  readonly maxUnknownAttempts: number
  /** An ending that is this old, or was tried ten times, needs attention. */
  readonly endAttentionSeconds: number
  /** A reconciliation orphan is taken back when it was seen for this long. */
  readonly orphanGraceSeconds: number
  /**
   * Which jitsudo this is (`Provider.isInstallation`): all processes on one database have the same word, no two databases
   * do. It is left in every mark. Null: none is left, and nothing that no request here knows is ever taken back unasked.
   */
  readonly installation: string | null
  /** Names of the configured alert channels; break-glass is refused while there is none. */
  readonly alertChannels: ReadonlyArray<string>
}

export const defaults: DomainSettings = {
  adminGroups: ["jitsudo-admins"],
  auditorGroups: ["jitsudo-auditors"],
  groupsMaxAgeSeconds: 12 * 3600,
  groupsMaxAgeStrictSeconds: 3600,
  pendingSeconds: 24 * 3600,
  aiReviewSeconds: 300,
  startSeconds: 900,
  reviewDueSeconds: 72 * 3600,
  maxTotalSeconds: 24 * 3600,
  maxDurationSeconds: 12 * 3600,
  maxPendingPerPrincipal: 10_000,
  callTimeoutSeconds: 30,
  leaseSeconds: 60,
  maxUnknownAttempts: 3,
  endAttentionSeconds: 600,
  orphanGraceSeconds: 300,
  installation: null,
  alertChannels: []
}

export class Settings extends Context.Service<Settings, DomainSettings>()("@jitsudo/core/Settings") {}

/** The defaults, with what the operator changed. */
export const layer = (changed: Partial<DomainSettings> = {}): Layer.Layer<Settings> =>
  Layer.succeed(Settings, { ...defaults, ...changed })
