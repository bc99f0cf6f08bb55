/**
 * A game against the rule book: random people, policies, locks, clocks and answers of a provider, one request.
 *
 * The game draws commands that an engine could give, and some that it never would; it keeps what a store would keep
 * (the request, its jobs) and what only the game knows (what was really begun and answered). It judges nothing: what must
 * hold is in `RuleBookInvariants.ts`. Everything follows from the seed.
 */
import * as Result from "effect/Result"
import { decide, type Actor, type Command, type Decided, type Facts, type PolicyAnswers } from "../../src/Elevation.ts"
import type { Refused } from "../../src/ElevationError.ts"
import { apply, type Event } from "../../src/Event.ts"
import type { NewJob } from "../../src/Job.ts"
import type { Lock, LockTarget } from "../../src/Lock.ts"
import type { Admission, StageRule, Tier } from "../../src/Policy.ts"
import { keyOf, operator, type Principal, type PrincipalKey } from "../../src/Principal.ts"
import { ProviderError, type Granted } from "../../src/Provider.ts"
import * as Records from "../../src/Records.ts"
import type { AuditRecord } from "../../src/AuditRecord.ts"
import { terminal, type Asked, type Request } from "../../src/Request.ts"
import { defaults, type DomainSettings } from "../../src/Settings.ts"
import type { Time } from "../../src/Time.ts"
import * as Times from "../../src/Time.ts"
import { jobId, workOf } from "../../src/Work.ts"

/** What is under test: the rules as they are, or a mutant of them. */
export interface RuleBook {
  readonly decide: typeof decide
  readonly apply: typeof apply
  readonly recordsOf: typeof Records.recordsOf
  readonly workOf: typeof workOf
}

export const sound: RuleBook = { decide, apply, recordsOf: Records.recordsOf, workOf }

/** Texts that must never stand in an entry's details. */
export const secrets = {
  reason: "REASON-IN-CONFIDENCE",
  comment: "COMMENT-IN-CONFIDENCE",
  reasoning: "REASONING-IN-CONFIDENCE: it reads only, and the ticket is open",
  lock: "LOCK-IN-CONFIDENCE",
  revoke: "REVOKED-IN-CONFIDENCE"
} as const

export const start: Time = Times.make(Date.UTC(2026, 0, 5, 9))

/** One move with everything that a judge may want to know. */
export interface Move {
  readonly command: Command
  readonly facts: Facts
  readonly before: Request | undefined
  readonly decided: Result.Result<Decided, Refused>
  readonly events: ReadonlyArray<Event>
  /** The request afterwards; `before` when nothing changed. */
  readonly after: Request | undefined
  readonly records: ReadonlyArray<AuditRecord>
  readonly newJobs: ReadonlyArray<NewJob>
  /** The jobs that stand after the step, by id. */
  readonly jobs: ReadonlyMap<string, NewJob>
  readonly people: ReadonlyMap<string, Principal>
  readonly truth: Truth
}

/** What only the game knows. */
export interface Truth {
  /** Attempts whose call was made. */
  begun: number
  /** Of these, answered with a promise that nothing happened. */
  refusedWithoutEffect: number
  /** The first `notAfter` that was written. */
  notAfter: Time | null
}

/** mulberry32: small, and the same everywhere. */
const randomOf = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

const here = "https://a.example"
const there = "https://b.example"

const someone = (
  issuer: string,
  subject: string,
  more: Partial<Principal> & { readonly groups?: ReadonlyArray<string> } = {}
): Principal => ({
  issuer,
  subject,
  version: 1,
  email: `${subject}@example.test`,
  groups: [],
  groupsReadAt: start,
  kind: "human",
  owner: null,
  trustTier: 0,
  trustNotes: "",
  openReviews: 0,
  authTime: start,
  amr: [],
  firstSeenAt: start,
  ...more
})

const agentOf = (subject: string, owner: PrincipalKey | null, groups: ReadonlyArray<string> = []): Principal =>
  someone(here, subject, { kind: "agent", email: null, owner, groups })

const key = (issuer: string, subject: string): PrincipalKey => ({ issuer, subject })

/** Ana and Ben have a second identity each; two agents answer to them, one to the operator, one to nobody. */
const cast = (): ReadonlyArray<Principal> => [
  someone(here, "ana", { groups: ["sre", "leads"] }),
  someone(there, "ana-b", { email: "ana@example.test", groups: ["leads", "security"] }),
  someone(here, "ben", { groups: ["leads"] }),
  someone(there, "ben-b", { email: "ben@example.test", groups: ["leads", "security"] }),
  someone(here, "cleo", { groups: ["jitsudo-admins", "leads"] }),
  someone(here, "dan", { groups: ["leads", "security"] }),
  someone(here, "eve", { groups: ["security"] }),
  someone(here, "fay"),
  agentOf("scout", key(here, "ana"), ["leads"]),
  agentOf("bot", key(here, "ben"), ["leads"]),
  agentOf("twin", key(there, "ana-b")),
  agentOf("reviewer", operator),
  agentOf("runner", operator),
  agentOf("stray", null, ["leads"])
]

const stageChoices: ReadonlyArray<ReadonlyArray<StageRule>> = [
  [],
  [{ policy: "one", groups: ["leads"], users: [], quorum: 1 }],
  [{ policy: "two", groups: ["leads"], users: [], quorum: 2 }],
  [{ policy: "three", groups: ["leads", "security"], users: [], quorum: 3 }],
  [
    { policy: "lead", groups: ["leads"], users: [], quorum: 1 },
    { policy: "sec", groups: ["security"], users: [], quorum: 1 }
  ],
  [{ policy: "named", groups: [], users: ["dan@example.test", `${here}#cleo`], quorum: 1 }]
]

interface PolicyNow {
  readonly answers: PolicyAnswers
  readonly admission: (who: Principal) => Admission
}

export class Game {
  readonly truth: Truth = { begun: 0, refusedWithoutEffect: 0, notAfter: null }
  readonly people = new Map<string, Principal>()
  readonly jobs = new Map<string, NewJob>()
  readonly settings: DomainSettings
  now: Time = start
  request: Request | undefined
  private readonly book: RuleBook
  private readonly random: () => number
  private locks: ReadonlyArray<Lock> = []
  private policy: PolicyNow
  private inFlight = 0
  private numbers = 0

  constructor(book: RuleBook, seed: number) {
    this.book = book
    this.random = randomOf(seed)
    for (const one of cast()) this.people.set(keyOf(one), one)
    this.settings = { ...defaults, alertChannels: this.chance(0.85) ? ["log"] : [] }
    this.policy = this.newPolicy()
  }

  private chance(of: number): boolean {
    return this.random() < of
  }

  private pick<A>(of: ReadonlyArray<A>): A {
    const found = of[Math.floor(this.random() * of.length)]
    if (found === undefined) throw new Error("nothing to pick from")
    return found
  }

  private someone(): Principal {
    return this.pick([...this.people.values()])
  }

  private current(of: PrincipalKey): Principal {
    const found = this.people.get(keyOf(of))
    if (found === undefined) throw new Error(`${keyOf(of)} is not in the game`)
    return found
  }

  /** The party as the engine works it out, from the marks of a principal and of their owners. */
  actor(principal: Principal): Actor {
    const marks = new Set<string>()
    for (let one: Principal | undefined = principal, steps = 0; one !== undefined && steps < 5; steps++) {
      marks.add(`key:${keyOf(one)}`)
      if (one.email !== null) marks.add(`email:${one.email}`)
      if (one.owner !== null) marks.add(`key:${keyOf(one.owner)}`)
      one = one.owner === null ? undefined : this.people.get(keyOf(one.owner))
    }
    return { principal, party: [...marks].sort() }
  }

  private newPolicy(): PolicyNow {
    const revision = (this.policy?.answers.revision ?? 0) + 1
    const tier: Tier = this.pick(["auto", "ai_review", "ai_review", "human", "human", "human"])
    const words = new Map<string, Admission>()
    for (const [name] of this.people) {
      words.set(name, {
        allowed: this.chance(0.7),
        denied: this.chance(0.1),
        reasons: ["because"],
        findings: []
      })
    }
    return {
      answers: {
        revision,
        hash: revision.toString(16).padStart(64, "0"),
        eligibility: {
          allowed: this.chance(0.9),
          reasons: ["because"],
          maxTotalSeconds: this.pick([null, null, 3 * 3600, 48 * 3600]),
          blockOnOpenReview: this.chance(0.5),
          findings: []
        },
        routing: { tier, stages: this.pick(stageChoices), openQuorum: this.pick([1, 1, 2, 3]), findings: [] },
        heldSeconds: this.pick([0, 0, 0, 600, 2 * 3600, 23 * 3600])
      },
      admission: (who) => words.get(keyOf(who)) ?? { allowed: false, denied: true, reasons: [], findings: [] }
    }
  }

  private readonly targets = (): ReadonlyArray<LockTarget> => [
    { kind: "principal", principal: this.someone() },
    { kind: "principal", principal: this.ownerOf(this.request) ?? this.someone() },
    { kind: "principal", principal: this.ownerOf(this.request) ?? this.someone() },
    { kind: "provider", provider: "mock" },
    { kind: "role", provider: "mock", role: "adm*", resourceScope: "*" },
    { kind: "role", provider: "mock", role: "read*", resourceScope: "*" },
    { kind: "everything" }
  ]

  private ownerOf(request: Request | undefined): PrincipalKey | null {
    return request === undefined ? null : this.current(request.requester).owner
  }

  /** The world goes on: the clock, people's facts, policy, locks. */
  private drift(): void {
    const request = this.request
    const edges = [request?.decideBy, request?.lapsesAt, request?.startBy, request?.grant?.notAfter].filter(
      (one): one is Time => typeof one === "number" && one > this.now
    )
    if (this.chance(0.12) && edges.length > 0) {
      this.now = Times.plusMillis(this.pick(edges), this.pick([-1, 0, 1]))
    } else if (this.chance(0.8)) {
      this.now = Times.plusMillis(this.now, this.pick([0, 1, 999, 10_000, 60_000, 250_000]))
    } else if (this.chance(0.3)) {
      this.now = Times.plusSeconds(this.now, this.pick([3600, 3601, 6 * 3600, 12 * 3600, 12 * 3600 + 1, 25 * 3600]))
    }
    if (this.chance(0.06)) this.policy = this.newPolicy()
    const asker = request === undefined ? [] : [this.current(request.requester)]
    for (const one of [this.someone(), this.someone(), ...asker]) {
      if (this.chance(0.25)) this.people.set(keyOf(one), { ...one, groupsReadAt: this.now })
      if (this.chance(0.08)) this.people.set(keyOf(one), this.changed(one))
    }
    if (this.chance(0.04)) {
      const lock: Lock = {
        id: `lck_${this.numbers++}`,
        target: this.pick(this.targets()),
        reason: secrets.lock,
        by: { issuer: here, subject: "cleo", email: null },
        since: this.now
      }
      this.locks = [...this.locks, lock]
    } else if (this.locks.length > 0 && this.chance(0.35)) this.locks = this.locks.slice(1)
  }

  private changed(one: Principal): Principal {
    const raised = { ...one, version: one.version + 1, groupsReadAt: this.now }
    switch (one.kind === "agent" ? this.pick(["groups", "owner", "owner"]) : this.pick(["groups", "groups", "email"])) {
      case "groups":
        return { ...raised, groups: this.pick([[], ["leads"], ["security"], ["leads", "security"], ["sre"]]) }
      case "email":
        return one.kind === "human"
          ? { ...raised, email: this.pick(["ana@example.test", "ben@example.test", "new@example.test", null]) }
          : raised
      default:
        return one.kind === "agent" ? { ...raised, owner: key(here, this.pick(["ana", "ben", "cleo", "dan"])) } : raised
    }
  }

  private facts(): Facts {
    return {
      now: this.now,
      locks: { revision: this.numbers, active: this.locks },
      settings: this.settings
    }
  }

  private answers(): PolicyAnswers {
    return this.policy.answers
  }

  private submit(): Command {
    const breakGlass = this.chance(0.2)
    const by = this.pick([
      ...["ana", "ana", "ana", "ben", "scout", "stray", "runner", "bot"].map((name) => this.current(key(here, name))),
      this.current(key(there, "ana-b"))
    ])
    const asked: Asked = {
      provider: "mock",
      role: this.pick(["reader", "admin"]),
      resourceScope: "project/checkout",
      durationSeconds: this.pick([60, 900, 3600, 7200]),
      reason: this.chance(0.95) ? secrets.reason : "",
      metadata: {},
      breakGlass
    }
    return {
      type: "Submit",
      id: "req_01JGAME",
      by: this.actor(by),
      asked,
      roleAsked: asked.role,
      digest: `digest-${asked.role}-${asked.durationSeconds}`,
      checked: {},
      labels: { facts_ok: this.chance(0.95) },
      channel: "cli",
      sourceIp: "",
      extends: null,
      openReviews: this.pick([0, 0, 0, 1]),
      answers: this.answers()
    }
  }

  private earlier(request: Request) {
    return request.decisions.flatMap((decision, index) => {
      if (decision.verdict !== "approve" || decision.struck !== null || "policy" in decision.by) return []
      const who = this.chance(0.98) ? this.people.get(keyOf(decision.by)) : undefined
      return [
        {
          index,
          actor: who === undefined ? undefined : this.actor(who),
          admission: who === undefined ? denied : this.policy.admission(who)
        }
      ]
    })
  }

  private decision(request: Request, type: "Approve" | "Deny"): Command {
    const { stages } = this.policy.answers.routing
    const named = [...this.people.values()].filter((one) =>
      stages.some((stage) => stage.groups.some((group) => one.groups.includes(group)))
    )
    const by = named.length > 0 && this.chance(0.75) ? this.pick(named) : this.someone()
    const common = {
      by: this.actor(by),
      comment: secrets.comment,
      digest: this.chance(0.95) ? request.digest : "digest-of-something-else",
      admission: this.policy.admission(by),
      requester: this.actor(this.current(request.requester)),
      answers: this.answers()
    }
    return type === "Approve" ? { type, ...common, earlier: this.earlier(request) } : { type, ...common }
  }

  private review(request: Request): Command {
    const agents = ["reviewer", "reviewer", "scout", "bot", "stray", "twin"].map((name) =>
      this.current(key(here, name))
    )
    const by = this.pick([...agents, ...agents, this.someone()])
    const seen = this.chance(0.8) ? request : { digest: request.digest, version: request.version - 1 }
    return {
      type: "AiDecide",
      by: this.actor(by),
      verdict: this.pick(["approve", "approve", "approve", "deny", "escalate"]),
      reasoning: this.chance(0.95) ? secrets.reasoning : "ok",
      confidence: this.pick([0.9, 0.99, 1, 0, Number.NaN, 2]),
      risk: "low",
      model: "m-1",
      digest: seen.digest,
      version: seen.version,
      malformed: this.chance(0.03) ? "risk must be a single line" : null,
      admission: this.policy.admission(by),
      requester: this.actor(this.current(request.requester)),
      answers: this.answers()
    }
  }

  private granted(request: Request): Granted {
    const issuedAt = this.pick([
      this.now,
      this.now,
      request.grant?.attemptedAt ?? this.now,
      Times.plusSeconds(this.now, 5)
    ])
    const factor = this.pick([1, 1, 1, 0.5, 2])
    return {
      issuedAt,
      notAfter: Times.plusSeconds(issuedAt, Math.round(request.asked.durationSeconds * factor)),
      reference: { session: `s-${this.numbers++}` },
      credentials: { TOKEN: "SECRET-TOKEN" }
    }
  }

  private providerError(): ProviderError {
    const effect = this.pick(["none", "none", "unknown"] as const)
    return new ProviderError({
      provider: "mock",
      reason: "ProviderUnavailable",
      retryable: this.chance(0.5),
      effect,
      message: "the platform said no",
      hint: ""
    })
  }

  /** A command that could come now, and the job in whose name it comes. */
  private choose(): { readonly command: Command; readonly via?: string } {
    const request = this.request
    if (request === undefined) return { command: this.submit() }
    const requester = () => this.actor(this.current(request.requester))
    const person = () => this.actor(this.chance(0.5) ? this.current(request.requester) : this.someone())
    const due = [...this.jobs.values()].filter((job) => job.runAt <= this.now && job.kind !== "notify")
    if (due.length > 0 && this.chance(0.45)) {
      const job = this.pick(due)
      switch (job.kind) {
        case "grant":
          return { command: { type: "StartGrant", resourceKey: "mock:k", requester: requester() }, via: job.id }
        case "end":
          return this.chance(0.6)
            ? { command: { type: "EndConfirmed", note: null }, via: job.id }
            : { command: { type: "EndRefused", error: this.providerError() }, via: job.id }
        case "expire":
          return { command: { type: "Expire" }, via: job.id }
        case "deadline":
          return { command: { type: "Deadline" }, via: job.id }
        default:
          return { command: { type: "RemindReview" }, via: job.id }
      }
    }
    if (this.inFlight > 0 && this.chance(0.7)) {
      this.inFlight -= 1
      const answer = this.pick(["yes", "yes", "yes", "no", "no", "late", "lost"])
      const via = jobId.grant(request.id)
      // An answer counts only under the lease of the job; without the job there is none.
      if (answer === "late" || !this.jobs.has(via)) {
        return {
          command: { type: "LeaseLost", granted: this.chance(0.8) ? this.granted(request) : undefined }
        }
      }
      if (answer === "yes") return { command: { type: "GrantSucceeded", granted: this.granted(request) }, via }
      if (answer === "no") return { command: { type: "GrantRefused", error: this.providerError() }, via }
      return { command: { type: "RemindReview" } }
    }
    if (this.locks.length > 0 && this.chance(0.2)) return { command: { type: "LockHit", requester: requester() } }
    if (request.state === "PENDING" && this.chance(0.9)) {
      const tier = request.routing.tier
      if (tier === "ai_review" ? this.chance(0.5) : this.chance(0.1)) return { command: this.review(request) }
      if (request.waitingFor !== null && this.chance(0.5)) {
        return {
          command: { type: "Recheck", requester: requester(), earlier: this.earlier(request), answers: this.answers() }
        }
      }
      return { command: this.decision(request, this.chance(0.93) ? "Approve" : "Deny") }
    }
    const by = person()
    return this.pick<() => { readonly command: Command }>([
      () => ({ command: { type: "Cancel", by, reason: "changed my mind" } }),
      () => ({
        command: {
          type: "Revoke",
          by,
          reason: secrets.revoke,
          admin: by.principal.groups.includes("jitsudo-admins") && by.principal.kind === "human",
          admission: this.policy.admission(by.principal)
        }
      }),
      () => ({ command: { type: "LockHit", requester: requester() } }),
      () => ({ command: { type: "LockHit", requester: requester() } }),
      () => ({ command: { type: "ReadCredentials", by } }),
      () => ({ command: { type: "ReadCredentials", by } }),
      () => ({ command: { type: "ReadCredentials", by: requester() } }),
      () => ({ command: { type: "Deadline" } }),
      () => ({ command: { type: "Expire" } }),
      () => ({ command: { type: "RemovedExternally" } }),
      () => ({ command: { type: "RemindReview" } }),
      () => ({
        command: {
          type: "CloseReview",
          by,
          admin: this.chance(0.7),
          comment: secrets.comment,
          requester: requester()
        }
      }),
      () => ({ command: { type: "LinkExtension", extension: "req_01JNEXT" } }),
      () => ({ command: this.review(request) }),
      () => ({ command: this.decision(request, "Approve") }),
      () => ({
        command: { type: "Recheck", requester: requester(), earlier: this.earlier(request), answers: this.answers() }
      })
    ])()
  }

  /** One move. Throws what the rule book throws. */
  move(): Move {
    this.drift()
    const facts = this.facts()
    const before = this.request
    const { command, via } = this.choose()
    const decided = this.book.decide(before, command, facts)
    const events = Result.isSuccess(decided) ? decided.success.events : []
    const actor = "by" in command ? Records.actorOf({ ...command.by.principal }) : Records.systemActor
    let after = before
    let records: ReadonlyArray<AuditRecord> = []
    let newJobs: ReadonlyArray<NewJob> = []
    if (events.length > 0) {
      const next = this.book.apply(before, events, this.now)
      after = next
      records = events.flatMap((event) => this.book.recordsOf(event, next, actor))
      const work = events.map((event) => this.book.workOf(event, next, this.now, "mock:k"))
      newJobs = work.flatMap((one) => one.jobs)
      for (const one of work) {
        for (const write of one.writes) if (write.kind === "settle") this.jobs.delete(write.jobId)
      }
    }
    if (via !== undefined && after !== undefined && this.settles(via, command, after, events)) this.jobs.delete(via)
    for (const job of newJobs) if (!this.jobs.has(job.id)) this.jobs.set(job.id, job)
    this.request = after
    this.remember(command, events, after)
    return {
      command,
      facts,
      before,
      decided,
      events,
      after,
      records,
      newJobs,
      jobs: this.jobs,
      people: this.people,
      truth: this.truth
    }
  }

  /** As the engine settles a job. */
  private settles(via: string, command: Command, after: Request, events: ReadonlyArray<Event>): boolean {
    switch (command.type) {
      case "StartGrant":
      case "GrantSucceeded":
      case "GrantRefused":
        return after.state !== "APPROVED"
      case "EndConfirmed":
        return after.state !== "ENDING"
      case "EndRefused":
        return after.state !== "ENDING" && !terminal.has(after.state)
      case "Expire":
        return events.length > 0 || after.state !== "ACTIVE"
      case "Deadline":
      case "RemindReview":
        return events.length > 0 || !this.stillDue(via, after)
      default:
        return false
    }
  }

  private stillDue(via: string, after: Request): boolean {
    const due = after.state === "PENDING" ? after.decideBy : after.state === "APPROVED" ? after.startBy : null
    return due !== null && via === jobId.deadline(after.id, due)
  }

  private remember(command: Command, events: ReadonlyArray<Event>, after: Request | undefined): void {
    for (const event of events) {
      if (event.type === "GrantStarted") {
        this.truth.begun += 1
        this.inFlight += 1
      }
      if (event.type === "GrantIssued") this.truth.notAfter ??= after?.grant?.notAfter ?? null
    }
    if (command.type === "GrantRefused" && command.error.effect === "none") this.truth.refusedWithoutEffect += 1
  }
}

const denied: Admission = { allowed: false, denied: true, reasons: [], findings: [] }
