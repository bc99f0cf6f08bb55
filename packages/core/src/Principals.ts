/**
 * Who is known: sign-ins, trust tiers, owners, locks. A change that matters raises the principal's version and is in
 * the log; a sign-in that changes nothing is bookkeeping.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Access from "./Access.ts"
import { decline, refuse, Unavailable, type ElevationError, type Problem, type Refused } from "./ElevationError.ts"
import { Elevations } from "./Elevations.ts"
import * as Ids from "./Ids.ts"
import type { NewJob } from "./Job.ts"
import type { JsonObject } from "./Json.ts"
import type { Lock, Locks, LockTarget } from "./Lock.ts"
import type { Principal, PrincipalKey, PrincipalKind, TrustTier } from "./Principal.ts"
import { keyOf, operator, sameParty, system } from "./Principal.ts"
import * as Records from "./Records.ts"
import { lockedRefusal, lockOnActor } from "./rules/Standing.ts"
import { Settings } from "./Settings.ts"
import { Store, type Page, type StepConflict, type StoredFacts } from "./Store.ts"
import * as Text from "./Text.ts"
import type { Time } from "./Time.ts"
import * as Times from "./Time.ts"
import { actorIn, storeTrouble, Transitions } from "./Transitions.ts"
import type { Actor } from "./Elevation.ts"

/** What a verified token, or the host, says about somebody. */
export interface SignIn extends PrincipalKey {
  /** Verified; null when there is none. */
  readonly email: string | null
  readonly groups: ReadonlyArray<string>
  /** When the issuer said so: the token's `iat`. An older saying never replaces a newer one. */
  readonly groupsReadAt: Time
  readonly kind: PrincipalKind
  /** Set where the token or the configuration names one. */
  readonly owner: PrincipalKey | null
  readonly authTime: Time | null
  readonly amr: ReadonlyArray<string>
}

export class Principals extends Context.Service<
  Principals,
  {
    /** Somebody was authenticated by the host. Gives the principal as it now stands. */
    readonly signIn: (who: SignIn) => Effect.Effect<Principal, ElevationError>
    /** Oneself, or anybody for auditors. */
    readonly get: (by: PrincipalKey, key: PrincipalKey) => Effect.Effect<Principal, ElevationError>
    readonly list: (
      by: PrincipalKey,
      options: { readonly email?: string; readonly limit: number; readonly cursor?: string }
    ) => Effect.Effect<Page<Principal>, ElevationError>
    /** Human administrators, never for their own side. */
    readonly setTrust: (
      by: PrincipalKey,
      key: PrincipalKey,
      trust: { readonly tier: number; readonly notes: string }
    ) => Effect.Effect<Principal, ElevationError>
    /** Human administrators: who answers for an agent. */
    readonly setOwner: (
      by: PrincipalKey,
      key: PrincipalKey,
      owner: PrincipalKey
    ) => Effect.Effect<Principal, ElevationError>
    readonly lock: (by: PrincipalKey, target: LockTarget, reason: string) => Effect.Effect<Lock, ElevationError>
    readonly unlock: (by: PrincipalKey, id: string) => Effect.Effect<void, ElevationError>
    readonly locks: (by: PrincipalKey) => Effect.Effect<Locks, ElevationError>
  }
>()("@jitsudo/core/Principals") {}

const retries = 8

const sameList = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((one, index) => one === b[index])

const normalGroups = (groups: ReadonlyArray<string>): ReadonlyArray<string> => [...new Set(groups)].sort()

const ownerKey = (principal: Principal): string => (principal.owner === null ? "" : keyOf(principal.owner))

/** UTF-8 bytes of group names that an entry has room for, twice. */
const mostGroupBytes = 16_384

/** The groups as an entry says them: an issuer may state more than an entry can hold. */
const recordedGroups = (groups: ReadonlyArray<string>): JsonObject => {
  const encoder = new TextEncoder()
  const kept: Array<string> = []
  let bytes = 0
  for (const group of groups) {
    bytes += encoder.encode(JSON.stringify(group)).length + 1
    if (bytes > mostGroupBytes) break
    kept.push(group)
  }
  return { groups: kept, ...(kept.length === groups.length ? {} : { groupsLeftOut: groups.length - kept.length }) }
}

const summary = (principal: Principal): JsonObject => ({
  issuer: principal.issuer,
  subject: principal.subject,
  email: principal.email,
  ...recordedGroups(principal.groups),
  kind: principal.kind,
  owner: principal.owner === null ? null : keyOf(principal.owner),
  trustTier: principal.trustTier
})

/** Looks at every live grant for what a lock now hits. */
const sweepJob = (id: string, now: Time): NewJob => ({
  id,
  kind: "lock_sweep",
  requestId: null,
  serialKey: null,
  runAt: now,
  after: null,
  payload: {}
})

const targetProblems = (target: LockTarget): ReadonlyArray<Problem> => {
  const named = (field: string, text: string, max: number) =>
    Text.problemsOf(field, text, { max, required: true, visible: true })
  switch (target.kind) {
    case "everything":
      return []
    case "provider":
      return named("target.provider", target.provider, Text.limits.provider)
    case "principal":
      return [
        ...named("target.principal.issuer", target.principal.issuer, 2048),
        ...named("target.principal.subject", target.principal.subject, 256)
      ]
    case "role":
      return [
        ...named("target.provider", target.provider, Text.limits.provider),
        ...named("target.role", target.role, Text.limits.role),
        ...named("target.resourceScope", target.resourceScope, Text.limits.resourceScope)
      ]
  }
}

const make = Effect.gen(function* () {
  const store = yield* Store
  const settings = yield* Settings
  const transitions = yield* Transitions
  const elevations = yield* Elevations
  const random = yield* Ids.RandomBytes

  /** Read, decide, commit; again after a lost race. */
  const again = <A>(attempt: Effect.Effect<A, ElevationError | StepConflict>): Effect.Effect<A, ElevationError> =>
    attempt.pipe(
      Effect.retry({ times: retries, while: (error) => error._tag === "StepConflict" }),
      Effect.catchTag("StepConflict", (conflict) =>
        Effect.fail(
          new Unavailable({
            what: "contention",
            message: `the ${conflict.conflict.kind} keeps changing`,
            retryAfterSeconds: 1
          })
        )
      )
    )

  const refused = (
    facts: StoredFacts,
    by: Actor | PrincipalKey,
    action: "principal.refused" | "lock.refused",
    refusal: Refused
  ) =>
    Effect.andThen(
      transitions.state(
        [
          Records.plain(
            "principal" in by ? Records.actorOf(by.principal) : { ...by, email: null, kind: "human" },
            action,
            "refused",
            Records.refusalDetails(refusal)
          )
        ],
        facts.now
      ),
      Effect.fail(refusal)
    )

  const admin = Effect.fnUntraced(function* (
    facts: StoredFacts,
    by: PrincipalKey,
    what: string,
    action: "principal.refused" | "lock.refused"
  ) {
    const who = actorIn(facts, by)
    if (who === undefined || !Access.isAdmin(who.principal, settings)) {
      return yield* refused(facts, who ?? by, action, Access.adminRefusal(what))
    }
    // An administrator who is locked stays locked: another one must release them.
    const lock = lockOnActor(who, { now: facts.now, locks: facts.locks, settings })
    return lock === undefined ? who : yield* refused(facts, who, action, lockedRefusal(lock))
  })

  /** Whoever answers for an agent from now on may be locked: what that hits ends. */
  const ownerSweep = (facts: StoredFacts, after: Principal) =>
    facts.locks.active.length === 0 || after.owner === null
      ? []
      : [sweepJob(`${keyOf(after)}:owner:${after.version}:sweep`, facts.now)]

  const signInOnce = Effect.fnUntraced(function* (said: SignIn) {
    const key = { issuer: said.issuer, subject: said.subject }
    if (keyOf(key) === keyOf(system) || keyOf(key) === keyOf(operator)) {
      return yield* decline("not_permitted", `${keyOf(key)} is reserved`, "nobody signs in as the daemon itself")
    }
    const facts = yield* transitions.facts({ principals: [key] })
    const before = facts.principals.get(keyOf(key))
    const who: SignIn = {
      ...said,
      email: said.email === null || said.email.trim() === "" ? null : said.email.trim().toLowerCase(),
      // Nothing that an issuer says is newer than now: it would never be too old.
      groupsReadAt: Times.min(said.groupsReadAt, facts.now)
    }
    if (before?.kind === "human" && who.kind !== "human") {
      return yield* decline(
        "agent_not_allowed",
        `${keyOf(key)} is a person: an agent needs a subject of its own`,
        "let the issuer give the agent's client a subject of its own, or sign in at a client for people"
      )
    }
    const groups = normalGroups(who.groups)
    if (before === undefined) {
      const first: Principal = {
        ...key,
        version: 1,
        email: who.email,
        groups,
        groupsReadAt: who.groupsReadAt,
        kind: who.kind,
        owner: who.owner,
        trustTier: 0,
        trustNotes: "",
        openReviews: 0,
        authTime: who.authTime,
        amr: who.amr,
        firstSeenAt: facts.now
      }
      yield* transitions.commit({
        now: facts.now,
        writes: [{ kind: "principal", expect: 0, next: first }],
        records: [
          Records.plain(Records.actorOf(first), "principal.changed", "success", {
            why: "first sign-in",
            after: summary(first)
          })
        ]
      })
      return first
    }
    // An older token never takes back what a newer one said.
    const current = who.groupsReadAt >= before.groupsReadAt
    const next: Principal = current
      ? {
          ...before,
          email: who.email,
          groups,
          groupsReadAt: who.groupsReadAt,
          kind: who.kind,
          owner: who.owner ?? before.owner,
          authTime: who.authTime ?? before.authTime,
          amr: who.amr
        }
      : before
    const changed =
      next.email !== before.email ||
      !sameList(next.groups, before.groups) ||
      next.kind !== before.kind ||
      ownerKey(next) !== ownerKey(before)
    if (changed) {
      const raised = { ...next, version: before.version + 1 }
      yield* transitions.commit({
        now: facts.now,
        writes: [{ kind: "principal", expect: before.version, next: raised }],
        records: [
          Records.plain(Records.actorOf(raised), "principal.changed", "success", {
            why: "sign-in",
            before: summary(before),
            after: summary(raised)
          })
        ],
        jobs: ownerKey(raised) === ownerKey(before) ? [] : ownerSweep(facts, raised)
      })
      yield* recheckWaiting(key)
      return raised
    }
    if (next.groupsReadAt > before.groupsReadAt) {
      yield* Effect.mapError(
        store.touchPrincipal(key, { groupsReadAt: next.groupsReadAt, authTime: next.authTime, amr: next.amr }),
        storeTrouble
      )
      yield* recheckWaiting(key)
    }
    return next
  })

  /** Requests that wait for this sign-in go on. What is missed here, reconciliation finds. */
  const recheckWaiting = (key: PrincipalKey) =>
    Effect.catch(elevations.recheckWaiting(key), (error) =>
      Effect.logWarning(`what waits for ${keyOf(key)} could not be looked at again: ${error.message}`)
    )

  const find = (key: PrincipalKey): Effect.Effect<Principal, ElevationError> =>
    Effect.flatMap(Effect.mapError(store.principal(key), storeTrouble), (found) =>
      Option.isSome(found) ? Effect.succeed(found.value) : Effect.fail(unknown(key))
    )

  const unknown = (key: PrincipalKey): Refused =>
    decline("not_found", `nobody is known as ${keyOf(key)}`, "principals are known from their first sign-in on")

  const change = (
    by: PrincipalKey,
    key: PrincipalKey,
    what: string,
    action: "principal.trust_changed" | "principal.changed",
    next: (before: Principal) => Effect.Effect<Principal, ElevationError>,
    records: (before: Principal, after: Principal) => JsonObject,
    texts: Readonly<Record<string, string>>
  ) =>
    again(
      Effect.gen(function* () {
        const facts = yield* transitions.facts({ principals: [by, key] })
        const who = yield* admin(facts, by, what, "principal.refused")
        const before = actorIn(facts, key)
        if (before === undefined) return yield* unknown(key)
        if (sameParty(who.party, before.party)) {
          return yield* refused(
            facts,
            who,
            "principal.refused",
            refuse("self_decision", `${what} of one's own side is not allowed`, "another administrator must do it")
          )
        }
        const after = yield* next(before.principal)
        yield* transitions.commit({
          now: facts.now,
          guards: [
            { kind: "principal", key: keyIn(who), version: who.principal.version },
            { kind: "locks", revision: facts.locks.revision }
          ],
          writes: [{ kind: "principal", expect: before.principal.version, next: after }],
          records: [
            Records.plain(Records.actorOf(who.principal), action, "success", records(before.principal, after), texts)
          ],
          jobs: ownerKey(after) === ownerKey(before.principal) ? [] : ownerSweep(facts, after)
        })
        return after
      })
    )

  const setTrust: Principals["Service"]["setTrust"] = Effect.fn("Principals.setTrust")(function* (by, key, trust) {
    const problems = Text.problemsOf("notes", trust.notes, { max: Text.limits.comment })
    const { tier } = trust
    if (!Number.isInteger(tier) || tier < 0 || tier > 4 || problems.length > 0) {
      return yield* decline("invalid_input", "a trust tier is a whole number from 0 to 4", "0 unknown ... 4 highest", {
        problems: [
          ...problems,
          ...(Number.isInteger(tier) && tier >= 0 && tier <= 4
            ? []
            : [{ field: "trustTier", message: "must be 0, 1, 2, 3 or 4" }])
        ]
      })
    }
    const notes = Text.clean(trust.notes)
    return yield* change(
      by,
      key,
      "changing a trust tier",
      "principal.trust_changed",
      (before) =>
        Effect.succeed({ ...before, version: before.version + 1, trustTier: tier as TrustTier, trustNotes: notes }),
      (before, after) => ({ principal: keyOf(key), before: before.trustTier, after: after.trustTier }),
      { notes }
    )
  })

  const setOwner: Principals["Service"]["setOwner"] = Effect.fn("Principals.setOwner")(function* (by, key, owner) {
    const person = yield* find(owner)
    if (person.kind !== "human") {
      return yield* decline("invalid_input", "an agent's owner is a person", "name a person who has signed in", {
        problems: [{ field: "owner", message: "must be a person" }]
      })
    }
    return yield* change(
      by,
      key,
      "changing an owner",
      "principal.changed",
      (before) =>
        before.kind === "agent"
          ? Effect.succeed({
              ...before,
              version: before.version + 1,
              owner: { issuer: person.issuer, subject: person.subject }
            })
          : Effect.fail(decline("invalid_input", "only agents have owners", "people answer for themselves")),
      (before, after) => ({
        why: "owner",
        principal: keyOf(key),
        before: summary(before),
        after: summary(after)
      }),
      {}
    )
  })

  const keyIn = (who: Actor): PrincipalKey => ({ issuer: who.principal.issuer, subject: who.principal.subject })

  const alertJob = (id: string, change: "created" | "released", lock: Lock, now: Time) => ({
    id: `${id}:${change}:notify`,
    kind: "notify" as const,
    requestId: null,
    serialKey: null,
    runAt: now,
    after: null,
    payload: {
      event: "lock_changed",
      facts: { lock: id, change, target: { ...lock.target } as JsonObject, reason: lock.reason }
    }
  })

  const lock: Principals["Service"]["lock"] = Effect.fn("Principals.lock")(function* (by, target, reason) {
    const problems = [
      ...Text.problemsOf("reason", reason, { max: Text.limits.reason, required: true }),
      ...targetProblems(target)
    ]
    if (problems.length > 0) {
      return yield* decline("invalid_input", "a lock needs a target and a reason", "correct the named fields", {
        problems
      })
    }
    return yield* again(
      Effect.gen(function* () {
        const facts = yield* transitions.facts({ principals: [by] })
        const who = yield* admin(facts, by, "locking", "lock.refused")
        const created: Lock = {
          id: Ids.make("lck", facts.now, random),
          target,
          reason: Text.clean(reason),
          by: { issuer: by.issuer, subject: by.subject, email: who.principal.email },
          since: facts.now
        }
        yield* transitions.commit({
          now: facts.now,
          guards: [
            { kind: "principal", key: keyIn(who), version: who.principal.version },
            { kind: "locks", revision: facts.locks.revision }
          ],
          writes: [{ kind: "lock", lock: created }],
          records: [
            Records.plain(
              Records.actorOf(who.principal),
              "lock.created",
              "success",
              { lock: created.id, target: { ...target } as JsonObject },
              { reason: created.reason }
            )
          ],
          jobs: [sweepJob(`${created.id}:sweep`, facts.now), alertJob(created.id, "created", created, facts.now)]
        })
        return created
      })
    )
  })

  const unlock: Principals["Service"]["unlock"] = Effect.fn("Principals.unlock")(function* (by, id) {
    yield* again(
      Effect.gen(function* () {
        const facts = yield* transitions.facts({ principals: [by] })
        const who = yield* admin(facts, by, "unlocking", "lock.refused")
        const released = facts.locks.active.find((one) => one.id === id)
        if (released === undefined) {
          return yield* decline("not_found", `there is no lock ${id}`, "`jitsudo principal locks` lists them")
        }
        yield* transitions.commit({
          now: facts.now,
          guards: [
            { kind: "principal", key: keyIn(who), version: who.principal.version },
            { kind: "locks", revision: facts.locks.revision }
          ],
          writes: [{ kind: "unlock", id }],
          records: [
            Records.plain(Records.actorOf(who.principal), "lock.released", "success", {
              lock: id,
              target: { ...released.target } as JsonObject
            })
          ],
          jobs: [alertJob(id, "released", released, facts.now)]
        })
      })
    )
  })

  const mustAudit = Effect.fnUntraced(function* (by: PrincipalKey) {
    const who = yield* find(by)
    if (!Access.isAuditor(who, settings)) {
      return yield* refuse("not_permitted", "this is for administrators and auditors", "ask one of them")
    }
  })

  return Principals.of({
    signIn: Effect.fn("Principals.signIn")((who) => again(signInOnce(who))),
    get: Effect.fn("Principals.get")(function* (by, key) {
      if (keyOf(by) !== keyOf(key)) yield* mustAudit(by)
      return yield* find(key)
    }),
    list: Effect.fn("Principals.list")(function* (by, options) {
      yield* mustAudit(by)
      return yield* Effect.mapError(store.principals(options), storeTrouble)
    }),
    setTrust,
    setOwner,
    lock,
    unlock,
    locks: Effect.fn("Principals.locks")(function* (by) {
      yield* mustAudit(by)
      return yield* Effect.mapError(store.locks, storeTrouble)
    })
  })
})

export const layer: Layer.Layer<Principals, never, Store | Settings | Transitions | Elevations> = Layer.effect(
  Principals,
  make
)
