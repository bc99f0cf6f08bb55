/**
 * The engine's part for the cases of the provider contract: it parses, checks, grants and ends as the engine does.
 *
 * 1. Calls on one resource key never run side by side.
 * 2. `grant` gets what `check` found; both `grant` and `end` get the neighbours that the engine would name.
 * 3. A defect of the provider is a violation of whatever case runs.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import * as Semaphore from "effect/Semaphore"
import type { JsonObject } from "../Json.ts"
import {
  type Ask,
  type Canonical,
  type Ended,
  endOfTagged,
  type EndRequest,
  type Granted,
  type Grantee,
  type GrantRequest,
  type Liveness,
  type Neighbour,
  type Provider,
  type ProviderError,
  type Tagged
} from "../Provider.ts"
import * as Time from "../Time.ts"
import { ContractViolation } from "./ContractViolation.ts"
import type { ProviderFixture } from "./ProviderFixture.ts"

/** What the engine stores about one request. */
interface Entry {
  readonly canonical: Canonical
  readonly grantee: Grantee
  readonly checked: JsonObject
  readonly resourceKey: string
  state: "active" | "ending" | "ended"
  notAfter: Time.Time
  reference: JsonObject | null
  /** When the first attempt began, of those that may have had their effect. */
  unknownSince: Time.Time | null
}

export interface GrantOptions {
  readonly ask?: Ask
  readonly grantee?: Grantee
  readonly installation?: string
  readonly reason?: string
  readonly metadata?: Readonly<{ [key: string]: string }>
  /** Another process's provider. */
  readonly by?: Provider
}

export interface EndOptions {
  readonly why?: EndRequest["why"]
  /** Another reference than the stored one. */
  readonly reference?: JsonObject | null
}

export interface ProviderDesk {
  readonly newId: () => string
  readonly canonicalOf: (ask: Ask) => Effect.Effect<Canonical, ContractViolation>
  /** Ask for it and say how it went; a defect is a violation. */
  readonly tryGrant: (
    requestId: string,
    options?: GrantOptions
  ) => Effect.Effect<Result.Result<Granted, ProviderError>, ContractViolation>
  /** Ask for it; anything but a grant is a violation. */
  readonly grant: (requestId: string, options?: GrantOptions) => Effect.Effect<Granted, ContractViolation>
  readonly tryEnd: (
    requestId: string,
    options?: EndOptions
  ) => Effect.Effect<Result.Result<Ended, ProviderError>, ContractViolation>
  readonly end: (requestId: string, options?: EndOptions) => Effect.Effect<Ended, ContractViolation>
  readonly inspect: (requestId: string) => Effect.Effect<Liveness, ContractViolation>
  /** End what `list` gave as one does who knows nothing else of it. */
  readonly endListed: (tagged: Tagged) => Effect.Effect<Ended, ContractViolation>
  readonly inspectListed: (tagged: Tagged) => Effect.Effect<Liveness, ContractViolation>
  readonly list: Effect.Effect<ReadonlyArray<Tagged>, ContractViolation>
  readonly expect: (holds: boolean, expected: string, found: string) => Effect.Effect<void, ContractViolation>
  /** The request's marks among what is alive at the platform. */
  readonly liveOf: (
    requestId: string
  ) => Effect.Effect<ReadonlyArray<{ readonly notAfter: Time.Time }>, ContractViolation>
  readonly expectLive: (requestId: string, when: string) => Effect.Effect<void, ContractViolation>
  readonly expectGone: (requestId: string, when: string) => Effect.Effect<void, ContractViolation>
  readonly keyOf: (requestId: string) => string
}

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const randomId = (): string =>
  `req_${[...globalThis.crypto.getRandomValues(new Uint8Array(26))].map((byte) => alphabet[byte % 32]).join("")}`

const told = (error: ProviderError): string => `${error.reason} (effect ${error.effect}): ${error.message}`

/** A desk for one case over one fixture. */
export const make = (contract: string, fixture: ProviderFixture): ProviderDesk => {
  const { provider } = fixture
  const records = new Map<string, Entry>()
  const turns = new Map<string, Semaphore.Semaphore>()

  const violation = (expected: string, found: string): ContractViolation =>
    new ContractViolation({ contract, expected, found })

  const expect: ProviderDesk["expect"] = (holds, expected, found) =>
    holds ? Effect.void : Effect.fail(violation(expected, found))

  const inTurn = <A, E>(key: string, call: Effect.Effect<A, E>): Effect.Effect<A, E> => {
    const turn = turns.get(key) ?? Semaphore.makeUnsafe(1)
    turns.set(key, turn)
    return Semaphore.withPermit(turn, call)
  }

  /** A call whose defects are violations and whose errors are values. */
  const tried = <A>(
    method: string,
    call: () => Effect.Effect<A, ProviderError>
  ): Effect.Effect<Result.Result<A, ProviderError>, ContractViolation> =>
    Effect.flatMap(Effect.exit(Effect.result(Effect.suspend(call))), (exit) => {
      if (Exit.isSuccess(exit)) return Effect.succeed(exit.value)
      if (Cause.hasInterruptsOnly(exit.cause)) return Effect.interrupt
      return Effect.fail(violation(`\`${method}\` answers or fails with a ProviderError`, Cause.pretty(exit.cause)))
    })

  const orViolation = <A>(
    what: string,
    call: Effect.Effect<Result.Result<A, ProviderError>, ContractViolation>
  ): Effect.Effect<A, ContractViolation> =>
    Effect.flatMap(call, (outcome) =>
      Result.isSuccess(outcome) ? Effect.succeed(outcome.success) : Effect.fail(violation(what, told(outcome.failure)))
    )

  const canonicalOf: ProviderDesk["canonicalOf"] = (ask) =>
    Effect.flatMap(
      Effect.try({
        try: () => provider.parse(ask),
        catch: (thrown) => violation("`parse` does not throw", String(thrown))
      }),
      (parsed) =>
        Result.isSuccess(parsed)
          ? Effect.succeed(parsed.success)
          : Effect.fail(violation("the fixture's ask is accepted", told(parsed.failure)))
    )

  const neighboursOf = (requestId: string, key: string, now: Time.Time): ReadonlyArray<Neighbour> =>
    [...records]
      .filter(([id, record]) => id !== requestId && record.resourceKey === key && now < record.notAfter)
      .map(([id, { state, notAfter, reference }]) => ({ requestId: id, state, notAfter, reference }))

  const recordOf = (requestId: string): Entry => {
    const record = records.get(requestId)
    if (record === undefined) throw new Error(`the case never asked for ${requestId}`)
    return record
  }

  /** What is stored of a request; a refusal by `check` (nobody of that name, say) is one before anything was asked for. */
  const enter = (
    requestId: string,
    options: GrantOptions
  ): Effect.Effect<Result.Result<Entry, ProviderError>, ContractViolation> =>
    Effect.gen(function* () {
      const old = records.get(requestId)
      if (old !== undefined) return Result.succeed(old)
      const grantee = options.grantee ?? fixture.grantee
      const canonical = yield* canonicalOf(options.ask ?? fixture.asks[0])
      const checked = yield* tried("check", () => provider.check(canonical, grantee))
      if (Result.isFailure(checked)) return Result.fail(checked.failure)
      const now = yield* fixture.now
      const record: Entry = {
        canonical,
        grantee,
        checked: checked.success.facts,
        resourceKey: provider.resourceKey(canonical, grantee),
        state: "active",
        notAfter: Time.plusSeconds(now, canonical.durationSeconds + fixture.toleranceSeconds),
        reference: null,
        unknownSince: null
      }
      records.set(requestId, record)
      return Result.succeed(record)
    })

  const tryGrant: ProviderDesk["tryGrant"] = (requestId, options = {}) =>
    Effect.gen(function* () {
      const entered = yield* enter(requestId, options)
      if (Result.isFailure(entered)) return Result.fail(entered.failure)
      const record = entered.success
      const call = Effect.gen(function* () {
        const now = yield* fixture.now
        const request: GrantRequest = {
          requestId,
          ...(options.installation === undefined ? {} : { installation: options.installation }),
          grantee: record.grantee,
          canonical: record.canonical,
          checked: record.checked,
          reason: options.reason ?? "contract suite",
          metadata: options.metadata ?? {},
          now,
          ...(record.unknownSince === null ? {} : { unknownSince: record.unknownSince }),
          neighbours: neighboursOf(requestId, record.resourceKey, now)
        }
        const before = record.unknownSince
        // Until it is known what this attempt did.
        record.unknownSince ??= now
        const outcome = yield* tried("grant", () => (options.by ?? provider).grant(request))
        if (Result.isSuccess(outcome)) record.reference = outcome.success.reference
        else if (outcome.failure.effect === "none") record.unknownSince = before
        return outcome
      })
      return yield* inTurn(record.resourceKey, call)
    })

  const requestOf = (requestId: string, options: EndOptions): Effect.Effect<EndRequest> =>
    Effect.map(fixture.now, (now) => {
      const record = recordOf(requestId)
      return {
        requestId,
        grantee: record.grantee,
        canonical: record.canonical,
        checked: record.checked,
        reference: options.reference === undefined ? record.reference : options.reference,
        ...(record.unknownSince === null ? { neverGranted: true as const } : {}),
        notAfter: record.notAfter,
        why: options.why ?? "early",
        now,
        neighbours: neighboursOf(requestId, record.resourceKey, now)
      }
    })

  const tryEnd: ProviderDesk["tryEnd"] = (requestId, options = {}) =>
    Effect.gen(function* () {
      const record = yield* orViolation("`check` accepts the fixture's ask", enter(requestId, {}))
      const call = Effect.gen(function* () {
        record.state = "ending"
        const request = yield* requestOf(requestId, options)
        const outcome = yield* tried("end", () => provider.end(request))
        if (Result.isSuccess(outcome)) record.state = "ended"
        return outcome
      })
      return yield* inTurn(record.resourceKey, call)
    })

  const requestOfListed = (tagged: Tagged): Effect.Effect<EndRequest> =>
    Effect.map(fixture.now, (now) =>
      endOfTagged(tagged, {
        now,
        notAfter: tagged.notAfter ?? Time.plusSeconds(now, provider.capabilities.maxDurationSeconds),
        neighbours: neighboursOf(tagged.requestId, tagged.resourceKey, now)
      })
    )

  const liveOf: ProviderDesk["liveOf"] = (requestId) =>
    fixture.live === null
      ? Effect.fail(violation("a fixture that sees the platform's truth", "`live` is null"))
      : Effect.map(fixture.live, (all) => all.filter((one) => one.requestId === requestId))

  return {
    newId: randomId,
    canonicalOf,
    tryGrant,
    grant: (requestId, options) => orViolation("the grant succeeds", tryGrant(requestId, options)),
    tryEnd,
    end: (requestId, options) => orViolation("the ending is confirmed", tryEnd(requestId, options)),
    inspect: (requestId) =>
      Effect.flatMap(requestOf(requestId, {}), (request) =>
        orViolation(
          "`inspect` answers",
          tried("inspect", () => provider.inspect(request))
        )
      ),
    endListed: (tagged) =>
      inTurn(
        tagged.resourceKey,
        Effect.flatMap(requestOfListed(tagged), (request) =>
          orViolation(
            "the ending of what was listed is confirmed",
            tried("end", () => provider.end(request))
          )
        )
      ),
    inspectListed: (tagged) =>
      Effect.flatMap(requestOfListed(tagged), (request) =>
        orViolation(
          "`inspect` answers for what was listed",
          tried("inspect", () => provider.inspect(request))
        )
      ),
    list: orViolation("`list` answers", tried("list", provider.list)),
    expect,
    liveOf,
    expectLive: (requestId, when) =>
      Effect.flatMap(liveOf(requestId), (live) =>
        expect(live.length === 1, `exactly one live right ${when}`, `${live.length}`)
      ),
    expectGone: (requestId, when) =>
      Effect.flatMap(liveOf(requestId), (live) =>
        expect(live.length === 0, `nothing of the request alive ${when}`, `${live.length} live rights`)
      ),
    keyOf: (requestId) => recordOf(requestId).resourceKey
  }
}
