/**
 * Who is known: sign-ins, trust tiers, owners, locks. A change that matters raises the principal's version and is in
 * the log; a sign-in that changes nothing is bookkeeping.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Access from "./Access.ts"
import { decline, refuse, Unavailable, type ElevationError } from "./ElevationError.ts"
import { Elevations } from "./Elevations.ts"
import * as Ids from "./Ids.ts"
import type { JsonObject } from "./Json.ts"
import type { Lock, Locks, LockTarget } from "./Lock.ts"
import type { Principal, PrincipalKey, PrincipalKind, TrustTier } from "./Principal.ts"
import { keyOf, sameParty } from "./Principal.ts"
import * as Records from "./Records.ts"
import { Settings } from "./Settings.ts"
import { Store, type Page, type StoredFacts } from "./Store.ts"
import * as Text from "./Text.ts"
import type { Time } from "./Time.ts"
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

const summary = (principal: Principal): JsonObject => ({
  issuer: principal.issuer,
  subject: principal.subject,
  email: principal.email,
  groups: [...principal.groups],
  kind: principal.kind,
  owner: principal.owner === null ? null : keyOf(principal.owner),
  trustTier: principal.trustTier
})

const make = Effect.gen(function* () {
  const store = yield* Store
  const settings = yield* Settings
  const transitions = yield* Transitions
  const elevations = yield* Elevations
  const random = yield* Ids.RandomBytes

  /** Read, decide, commit; again after a lost race. */
  const again = <A>(
    attempt: Effect.Effect<A, ElevationError | import("./Store.ts").StepConflict>
  ): Effect.Effect<A, ElevationError> =>
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
    refusal: import("./ElevationError.ts").Refused
  ) =>
    Effect.andThen(
      transitions.commit({
        now: facts.now,
        records: [
          Records.plain(
            "principal" in by ? Records.actorOf(by.principal) : { ...by, email: null, kind: "human" },
            action,
            "refused",
            Records.refusalDetails(refusal)
          )
        ]
      }),
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
    return who
  })

  const signInOnce = Effect.fnUntraced(function* (who: SignIn) {
    const key = { issuer: who.issuer, subject: who.subject }
    const facts = yield* transitions.facts({ principals: [key] })
    const before = facts.principals.get(keyOf(key))
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
      (next.owner === null ? "" : keyOf(next.owner)) !== (before.owner === null ? "" : keyOf(before.owner))
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
        ]
      })
      yield* recheckWaiting
      return raised
    }
    if (next.groupsReadAt > before.groupsReadAt) {
      yield* Effect.mapError(
        store.touchPrincipal(key, { groupsReadAt: next.groupsReadAt, authTime: next.authTime, amr: next.amr }),
        storeTrouble
      )
      yield* recheckWaiting
    }
    return next
  })

  /** Requests that wait for somebody's sign-in are looked at again; what still waits goes on waiting. */
  const recheckWaiting = Effect.gen(function* () {
    const waiting = yield* Effect.mapError(
      store.requests({ filter: { waiting: true, states: ["PENDING"] }, limit: 100 }),
      storeTrouble
    )
    yield* Effect.forEach(waiting.items, (request) => elevations.recheck(request.id), { discard: true })
  }).pipe(
    Effect.catch((error) => Effect.logWarning(`a waiting request could not be looked at again: ${error.message}`))
  )

  const find = (key: PrincipalKey): Effect.Effect<Principal, ElevationError> =>
    Effect.flatMap(Effect.mapError(store.principal(key), storeTrouble), (found) =>
      Option.isSome(found)
        ? Effect.succeed(found.value)
        : Effect.fail(
            decline("not_found", `nobody is known as ${keyOf(key)}`, "principals are known from their first sign-in on")
          )
    )

  const change = (
    by: PrincipalKey,
    key: PrincipalKey,
    what: string,
    next: (before: Principal) => Effect.Effect<Principal, ElevationError>,
    records: (before: Principal, after: Principal) => JsonObject,
    texts: Readonly<Record<string, string>>
  ) =>
    again(
      Effect.gen(function* () {
        const facts = yield* transitions.facts({ principals: [by, key] })
        const who = yield* admin(facts, by, what, "principal.refused")
        const before = actorIn(facts, key)
        if (before === undefined) return yield* Effect.asVoid(find(key)).pipe(Effect.andThen(find(key)))
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
          guards: [{ kind: "principal", key: by, version: who.principal.version }],
          writes: [{ kind: "principal", expect: before.principal.version, next: after }],
          records: [
            Records.plain(
              Records.actorOf(who.principal),
              "principal.trust_changed",
              "success",
              records(before.principal, after),
              texts
            )
          ]
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
      (before) =>
        before.kind === "agent"
          ? Effect.succeed({
              ...before,
              version: before.version + 1,
              owner: { issuer: person.issuer, subject: person.subject }
            })
          : Effect.fail(decline("invalid_input", "only agents have owners", "people answer for themselves")),
      (before, after) => ({ principal: keyOf(key), before: summary(before), after: summary(after) }),
      {}
    )
  })

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
    const problems = Text.problemsOf("reason", reason, { max: Text.limits.reason, required: true })
    if (problems.length > 0) return yield* decline("invalid_input", "a lock needs a reason", "say why", { problems })
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
          guards: [{ kind: "principal", key: by, version: who.principal.version }],
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
          jobs: [
            {
              id: `${created.id}:sweep`,
              kind: "lock_sweep",
              requestId: null,
              serialKey: null,
              runAt: facts.now,
              after: null,
              payload: { lock: created.id }
            },
            alertJob(created.id, "created", created, facts.now)
          ]
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
            { kind: "principal", key: by, version: who.principal.version },
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
