/**
 * Whether this process can do its work: database, clock, policy, issuers, evidence. Details are for operators and hold no
 * host, user or driver text, because anybody may ask.
 */
import { Policy, PolicyFacts, Store, type Elevation, type Principal } from "@jitsudo/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Tokens } from "./auth/Tokens.ts"
import { SigningStatus } from "./evidence/Checkpoints.ts"

interface Check {
  readonly name: string
  readonly ok: boolean
  readonly detail: string
}

/** A clock that is further off than this says so: decisions use the database's. */
const clockToleranceMillis = 2000

const probeActor = (now: Parameters<typeof PolicyFacts.inputOf>[0]["now"]): Elevation.Actor => {
  const principal: Principal.Principal = {
    issuer: "jitsudo",
    subject: "readiness",
    version: 0,
    email: null,
    groups: [],
    groupsReadAt: now,
    kind: "system",
    owner: null,
    trustTier: 0,
    trustNotes: "",
    openReviews: 0,
    authTime: null,
    amr: [],
    firstSeenAt: now
  }
  return { principal, party: [] }
}

export const checks = Effect.gen(function* () {
  const store = yield* Store.Store
  const policy = yield* Policy.Policy
  const tokens = yield* Tokens
  const signing = yield* SigningStatus

  const database = Effect.gen(function* () {
    const before = yield* Clock.currentTimeMillis
    const facts = yield* Effect.timeoutOrElse(store.facts({}), {
      duration: "3 seconds",
      orElse: () => Effect.fail("too slow" as const)
    })
    const after = yield* Clock.currentTimeMillis
    return { facts, skew: Math.abs(facts.now - (before + after) / 2) }
  })

  return Effect.gen(function* () {
    const found: Array<Check> = []
    const read = yield* Effect.result(database)
    if (Result.isFailure(read)) {
      found.push({ name: "database", ok: false, detail: "it does not answer" })
    } else {
      const { facts, skew } = read.success
      found.push({ name: "database", ok: true, detail: "it answers" })
      found.push({
        name: "clock",
        ok: skew <= clockToleranceMillis,
        detail:
          skew <= clockToleranceMillis
            ? "agrees with the database's"
            : `differs from the database's by ${Math.round(skew / 1000)} s: set this machine's clock`
      })
      const actor = probeActor(facts.now)
      const served = yield* Effect.result(
        policy.eligibility(
          facts.policy.number,
          PolicyFacts.inputOf({
            action: "request",
            now: facts.now,
            user: actor,
            requester: actor,
            request: {
              id: "",
              asked: {
                provider: "",
                role: "",
                resourceScope: "",
                durationSeconds: 1,
                reason: "",
                metadata: {},
                breakGlass: false
              },
              roleAsked: "",
              createdAt: facts.now,
              labels: {},
              channel: "",
              sourceIp: "",
              decisions: []
            },
            activeGrants: [],
            heldSeconds: 0
          })
        )
      )
      found.push({
        name: "policy",
        ok: Result.isSuccess(served),
        detail: Result.isSuccess(served)
          ? `revision ${facts.policy.number} is served`
          : `revision ${facts.policy.number} cannot be loaded`
      })
    }
    const issuers = yield* tokens.ready
    found.push({
      name: "issuers",
      ok: issuers.ready,
      detail: issuers.ready ? "tokens can be verified" : "no issuer's keys could be read yet"
    })
    if (signing.refused() !== null) {
      const detail = "the database contradicts what was signed: see the log and the alert"
      found.push({ name: "evidence", ok: false, detail })
    }
    return { ready: found.every((check) => check.ok), checks: found }
  })
})
