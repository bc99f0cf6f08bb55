/**
 * The contract of `Provider` as cases: sentences that run.
 *
 * Every built-in provider and every plug-in runs them. A case is plain data, so a test runner, an operator's check of a
 * sandbox account and the mutants test share it. Each case gets a fixture of its own.
 *
 * What a platform cannot offer is declared with a reason: `suite` gives the cases that therefore do not run as `gaps`,
 * to be printed. A fixture that lacks something undeclared, or offers what it declares missing, fails.
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import type { JsonObject } from "../Json.ts"
import type { Ask, ProviderError } from "../Provider.ts"
import { isName } from "../Providers.ts"
import * as Time from "../Time.ts"
import type { Case, DeclaredGap } from "./Case.ts"
import { ContractViolation } from "./ContractViolation.ts"
import { hostileTexts } from "./HostileText.ts"
import * as ProviderDesk from "./ProviderDesk.ts"
import type { PlatformFaults, ProviderFixture } from "./ProviderFixture.ts"

/** What a fixture may be unable to offer. */
export type Offer = "advance" | "live" | "faults" | "hide" | "missing"

export interface Options {
  /** A platform with nothing in it, and the provider that speaks to it. */
  readonly make: Effect.Effect<ProviderFixture, never, Scope.Scope>
  /** What this platform cannot offer, and why. */
  readonly gaps?: Readonly<Partial<{ [offer in Offer]: string }>>
}

export interface Suite {
  readonly cases: ReadonlyArray<Case>
  readonly gaps: ReadonlyArray<DeclaredGap>
}

interface World {
  readonly fixture: ProviderFixture
  readonly desk: ProviderDesk.ProviderDesk
  readonly faults: PlatformFaults
  readonly advance: (seconds: number) => Effect.Effect<void>
}

interface Sentence {
  readonly name: string
  readonly needs: ReadonlyArray<Offer>
  readonly run: (world: World) => Effect.Effect<void, ContractViolation>
}

const sentence = (
  name: string,
  needs: ReadonlyArray<Offer>,
  run: (world: World) => Effect.Effect<void, ContractViolation>
): Sentence => ({ name, needs, run })

const sameCanonical = (a: Ask, b: Ask): boolean =>
  a.role === b.role && a.resourceScope === b.resourceScope && a.durationSeconds === b.durationSeconds

const spoken = (value: number): string => (Object.is(value, -0) ? "-0" : String(value))

const references: ReadonlyArray<readonly [string, JsonObject]> = [
  ["an empty object", {}],
  ["numbers for text", { grant: 1, mock: 2, roleArn: 3, sessionName: 4 }],
  ["a foreign object", { name: "../../etc/passwd", id: "*" }],
  ["a prototype", JSON.parse('{"__proto__":{"grant":"x"},"constructor":{"prototype":{}}}')],
  ["deep nesting", { a: { a: { a: { a: { a: { a: [[[[[[[[]]]]]]]] } } } } } }],
  ["very long text", { grant: "x".repeat(100_000) }]
]

const sentences: ReadonlyArray<Sentence> = [
  sentence("its name can stand in a URL and its capabilities add up", [], ({ fixture: { provider }, desk }) =>
    Effect.gen(function* () {
      const { capabilities } = provider
      yield* desk.expect(isName(provider.name), "a lower-case, URL-safe name", JSON.stringify(provider.name))
      yield* desk.expect(
        Number.isSafeInteger(capabilities.minDurationSeconds) &&
          Number.isSafeInteger(capabilities.maxDurationSeconds) &&
          capabilities.minDurationSeconds >= 1 &&
          capabilities.minDurationSeconds <= capabilities.maxDurationSeconds,
        "whole seconds with 1 <= minimum <= maximum",
        `${capabilities.minDurationSeconds} to ${capabilities.maxDurationSeconds}`
      )
      yield* desk.expect(
        capabilities.earlyRevocation.withinSeconds >= 0 && capabilities.earlyRevocation.note !== "",
        "a sentence for the requester about early revocation",
        JSON.stringify(capabilities.earlyRevocation)
      )
    })
  ),

  sentence("the canonical form is its own canonical form, on every asking", [], ({ fixture, desk }) =>
    Effect.forEach(
      fixture.asks,
      (ask) =>
        Effect.gen(function* () {
          const first = yield* desk.canonicalOf(ask)
          const again = yield* desk.canonicalOf(ask)
          const canonical = yield* desk.canonicalOf(first)
          yield* desk.expect(sameCanonical(first, again), "one form for one ask", JSON.stringify([first, again]))
          yield* desk.expect(sameCanonical(first, canonical), "a fixed point", JSON.stringify([first, canonical]))
          yield* desk.expect(
            first.durationSeconds === ask.durationSeconds,
            "the duration that was asked for",
            spoken(first.durationSeconds)
          )
        }),
      { discard: true }
    )
  ),

  sentence("a duration out of bounds is refused, never rounded or cut", [], ({ fixture, desk }) =>
    Effect.gen(function* () {
      const { provider } = fixture
      const { minDurationSeconds: least, maxDurationSeconds: most } = provider.capabilities
      for (const seconds of [least, most]) {
        const kept = yield* desk.canonicalOf({ ...fixture.asks[0], durationSeconds: seconds })
        yield* desk.expect(
          kept.durationSeconds === seconds,
          `${seconds} s stay ${seconds} s`,
          spoken(kept.durationSeconds)
        )
      }
      for (const seconds of [0, -0, -1, least - 1, least + 0.5, most + 1, 2 ** 53, Infinity, NaN]) {
        const parsed = provider.parse({ ...fixture.asks[0], durationSeconds: seconds })
        yield* desk.expect(
          Result.isFailure(parsed) &&
            parsed.failure.reason === "DurationOutOfRange" &&
            parsed.failure.effect === "none",
          `${spoken(seconds)} s end in DurationOutOfRange`,
          Result.isSuccess(parsed) ? `accepted as ${spoken(parsed.success.durationSeconds)} s` : parsed.failure.reason
        )
      }
    })
  ),

  sentence("hostile roles and scopes are refused, or mean exactly themselves", [], ({ fixture, desk }) =>
    Effect.gen(function* () {
      const { provider } = fixture
      for (const field of ["role", "resourceScope"] as const) {
        const accepted = new Map<string, string>()
        for (const { name, text, unspeakable } of hostileTexts) {
          const what = `${name} as ${field}`
          const ask = { ...fixture.asks[0], [field]: text }
          const parsed = yield* Effect.try({
            try: () => provider.parse(ask),
            catch: (thrown) =>
              new ContractViolation({
                contract: "hostile roles and scopes are refused, or mean exactly themselves",
                expected: `no exception for ${what}`,
                found: String(thrown)
              })
          })
          if (Result.isFailure(parsed)) {
            const { reason, effect, retryable } = parsed.failure
            yield* desk.expect(
              (reason === "InvalidRole" || reason === "InvalidScope") && effect === "none" && !retryable,
              `a final InvalidRole or InvalidScope for ${what}`,
              `${reason}, effect ${effect}`
            )
            continue
          }
          yield* desk.expect(!unspeakable, `a refusal of ${what}`, "it was accepted")
          const canonical = parsed.success[field]
          const other = accepted.get(canonical)
          yield* desk.expect(other === undefined, `${what} to be a right of its own`, `it is the same as ${other}`)
          accepted.set(canonical, name)
          yield* desk.expect(
            sameCanonical(yield* desk.canonicalOf(parsed.success), parsed.success),
            `a fixed point for ${what}`,
            "another form"
          )
        }
      }
    })
  ),

  sentence("a refusal's text is short and carries nothing hostile", [], ({ fixture, desk }) =>
    Effect.gen(function* () {
      for (const { name, text } of hostileTexts) {
        for (const field of ["role", "resourceScope"] as const) {
          const parsed = fixture.provider.parse({ ...fixture.asks[0], [field]: text })
          if (Result.isSuccess(parsed)) continue
          const { message, hint } = parsed.failure
          for (const said of [message, hint]) {
            yield* desk.expect(
              said !== "" && said.length <= 500 && said.isWellFormed() && !/[\p{Cc}\p{Cf}]/u.test(said),
              `a visible sentence of at most 500 characters about ${name}`,
              `${said.length} characters, or invisible ones`
            )
          }
        }
      }
    })
  ),

  sentence("the resource key follows from the canonical form and the grantee alone", [], ({ fixture, desk }) =>
    Effect.gen(function* () {
      for (const ask of fixture.asks) {
        const canonical = yield* desk.canonicalOf(ask)
        const first = fixture.provider.resourceKey(canonical, fixture.grantee)
        const again = fixture.provider.resourceKey({ ...canonical }, { ...fixture.grantee })
        yield* desk.expect(first === again && first !== "", "one key on every call", `${first} and ${again}`)
      }
    })
  ),

  sentence("a check leaves nothing at the platform", ["live"], ({ fixture, desk }) =>
    Effect.gen(function* () {
      const canonical = yield* desk.canonicalOf(fixture.asks[0])
      yield* Effect.result(fixture.provider.check(canonical, fixture.grantee))
      const live = fixture.live === null ? [] : yield* fixture.live
      yield* desk.expect(live.length === 0, "nothing alive after `check`", `${live.length} live rights`)
    })
  ),

  sentence("a grant is alive, within what was asked, and its reference is no secret", ["live"], ({ fixture, desk }) =>
    Effect.gen(function* () {
      const id = desk.newId()
      const before = yield* fixture.now
      const granted = yield* desk.grant(id)
      yield* desk.expectLive(id, "after the grant")
      const latest = Time.plusSeconds(before, fixture.asks[0].durationSeconds + fixture.toleranceSeconds)
      yield* desk.expect(granted.notAfter <= latest, `notAfter at most ${latest}`, spoken(granted.notAfter))
      yield* desk.expect(granted.notAfter > before, "a notAfter in the future", spoken(granted.notAfter))
      for (const { notAfter } of yield* desk.liveOf(id)) {
        yield* desk.expect(notAfter <= granted.notAfter, "no longer at the platform than it says", spoken(notAfter))
      }
      const reference = JSON.stringify(granted.reference)
      for (const [variable, value] of Object.entries(granted.credentials)) {
        yield* desk.expect(/^[A-Z_][A-Z0-9_]*$/u.test(variable), "names of environment variables", variable)
        yield* desk.expect(typeof value === "string" && !value.includes("\u0000"), `text in ${variable}`, typeof value)
        const secret = value.length >= 16 && /KEY|TOKEN|SECRET|PASSWORD/u.test(variable)
        yield* desk.expect(!(secret && reference.includes(value)), `no ${variable} in the reference`, "it is there")
      }
    })
  ),

  sentence(
    "a repeated grant is the same right and lives no longer",
    ["live", "advance"],
    ({ fixture, desk, advance }) =>
      Effect.gen(function* () {
        const id = desk.newId()
        const first = yield* desk.grant(id)
        // Once by this process, which may remember, and once by another, which is told what it needs to know.
        for (const by of [fixture.provider, fixture.elsewhere ?? fixture.provider]) {
          yield* advance(20)
          const again = yield* desk.grant(id, { by })
          const latest = `notAfter at most ${first.notAfter}`
          yield* desk.expect(again.notAfter <= first.notAfter, latest, spoken(again.notAfter))
          yield* desk.expectLive(id, "after a repeated grant")
          for (const { notAfter } of yield* desk.liveOf(id)) {
            yield* desk.expect(notAfter <= first.notAfter, "no longer life at the platform", spoken(notAfter))
          }
        }
        yield* desk.end(id)
        yield* desk.expectGone(id, "after one ending of a repeated grant")
        const live = fixture.live === null ? [] : yield* fixture.live
        yield* desk.expect(live.length === 0, "nothing else alive after that ending", `${live.length} live rights`)
      })
  ),

  sentence("overlapping grants of one right to one person are independent", ["live", "advance"], ({ desk, advance }) =>
    Effect.gen(function* () {
      const [one, other, third] = [desk.newId(), desk.newId(), desk.newId()]
      yield* desk.grant(one)
      yield* advance(5)
      yield* desk.grant(other)
      yield* desk.grant(third)
      yield* desk.end(other)
      yield* desk.expectGone(other, "after it was ended")
      yield* desk.expectLive(one, "although a later one of the same right was ended")
      yield* desk.expectLive(third, "although an earlier one of the same right was ended")
      yield* desk.end(one)
      yield* desk.expectLive(third, "although both others were ended")
      yield* desk.expectGone(other, "after another one was ended, too")
    })
  ),

  sentence(
    "back-to-back grants of one right never cut each other off",
    ["live", "advance"],
    ({ fixture, desk, advance }) =>
      Effect.gen(function* () {
        const [first, second] = [desk.newId(), desk.newId()]
        yield* desk.grant(first)
        yield* advance(fixture.asks[0].durationSeconds - 1)
        yield* desk.grant(second)
        yield* advance(2 + fixture.toleranceSeconds)
        yield* desk.end(first, { why: "expired" })
        yield* desk.expectLive(second, "after the one before it expired and was ended")
      })
  ),

  sentence(
    "an extension goes on where the grant before it ends, whatever becomes of that one",
    ["live", "advance"],
    ({ fixture, desk, advance }) =>
      Effect.gen(function* () {
        const [before, extension] = [desk.newId(), desk.newId()]
        const half = Math.floor(fixture.asks[0].durationSeconds / 2)
        const first = yield* desk.grant(before)
        yield* advance(half)
        const next = yield* desk.grant(extension)
        yield* desk.expect(
          next.notAfter > first.notAfter,
          `an extension that ends after ${first.notAfter}`,
          spoken(next.notAfter)
        )
        yield* desk.expectLive(before, "although it was extended")
        yield* advance(fixture.asks[0].durationSeconds - half + 1 + fixture.toleranceSeconds)
        yield* desk.end(before, { why: "expired" })
        yield* desk.expectLive(extension, "after the grant that it extends expired and was ended")
        yield* desk.expectGone(before, "when its own time was over")
        yield* desk.end(extension)
        yield* desk.expectGone(extension, "after its own ending")
      })
  ),

  sentence("grants and endings of different rights may run side by side", ["live"], ({ fixture, desk }) =>
    Effect.gen(function* () {
      const asked = Array.from({ length: 12 }, (_, index) => ({
        id: desk.newId(),
        ask: fixture.asks[index % fixture.asks.length] ?? fixture.asks[0]
      }))
      yield* Effect.forEach(asked, ({ id, ask }) => desk.grant(id, { ask }), { concurrency: "unbounded" })
      for (const { id } of asked) yield* desk.expectLive(id, "after grants side by side")
      const [ending, staying] = [asked.slice(0, 7), asked.slice(7)]
      yield* Effect.forEach(ending, ({ id }) => desk.end(id), { concurrency: "unbounded" })
      for (const { id } of ending) yield* desk.expectGone(id, "after endings side by side")
      for (const { id } of staying) yield* desk.expectLive(id, "although others were ended side by side")
    })
  ),

  sentence("hostile reasons, metadata and names neither break a grant nor blend two", ["live"], ({ fixture, desk }) =>
    Effect.gen(function* () {
      const ids: Array<string> = []
      for (const { text, name } of hostileTexts) {
        const id = desk.newId()
        const grantee = { ...fixture.grantee, subject: text === "" ? "-" : text, email: text === "" ? null : text }
        const outcome = yield* desk.tryGrant(id, { grantee, reason: text, metadata: { ticket: text, [text]: "x" } })
        if (Result.isFailure(outcome)) {
          const { reason, effect } = outcome.failure
          yield* desk.expect(effect === "none", `no effect of a refusal of ${name}`, `${reason}, effect ${effect}`)
          yield* desk.expectGone(id, `after a refusal of ${name}`)
          continue
        }
        ids.push(id)
        yield* desk.expectLive(id, `with ${name}`)
      }
      for (let id = ids.pop(); id !== undefined; id = ids.pop()) {
        yield* desk.end(id)
        yield* desk.expectGone(id, "after its ending")
        const last = ids.at(-1)
        if (last !== undefined) yield* desk.expectLive(last, "although one with another name was ended")
      }
    })
  ),

  sentence("what a cancelled grant left is taken back without a reference", ["live", "faults"], ({ desk, faults }) =>
    Effect.gen(function* () {
      const id = desk.newId()
      const held = yield* faults.hold("grant")
      const attempt = yield* Effect.forkChild(desk.tryGrant(id), { startImmediately: true })
      // An attempt that ends before the platform has it must not leave the case waiting.
      yield* Effect.race(held.reached, Effect.asVoid(Fiber.await(attempt)))
      yield* desk.expectLive(id, "when the platform has performed the grant")
      yield* Effect.forkChild(Fiber.interrupt(attempt), { startImmediately: true })
      yield* held.release
      yield* Fiber.await(attempt)
      yield* desk.end(id, { reference: null })
      yield* desk.expectGone(id, "after the ending of a cancelled grant")
    })
  ),

  sentence(
    "a lost answer is an unknown outcome, and is taken back without a reference",
    ["live", "faults"],
    ({ desk, faults }) =>
      Effect.gen(function* () {
        const id = desk.newId()
        yield* faults.loseAnswer("grant")
        const outcome = yield* desk.tryGrant(id)
        // A provider that found the answer by itself may give it.
        if (Result.isFailure(outcome)) {
          yield* desk.expect(
            outcome.failure.effect === "unknown",
            "effect `unknown` when the answer was lost",
            `${outcome.failure.reason}, effect ${outcome.failure.effect}`
          )
        }
        yield* desk.end(id, { reference: null })
        yield* desk.expectGone(id, "after the ending of a grant whose answer was lost")
      })
  ),

  sentence("an error with effect `none` left nothing", ["live", "faults"], ({ desk, faults }) =>
    Effect.gen(function* () {
      const id = desk.newId()
      yield* faults.failBefore("grant")
      const outcome = yield* desk.tryGrant(id)
      if (Result.isFailure(outcome) && outcome.failure.effect === "none") {
        yield* desk.expectGone(id, "after an error that promised no effect")
      }
      yield* desk.end(id, { reference: null })
      yield* desk.expectGone(id, "after the ending of a failed grant")
    })
  ),

  sentence("being throttled is retryable and without effect", ["live", "faults"], ({ desk, faults }) =>
    Effect.gen(function* () {
      const id = desk.newId()
      yield* faults.throttle("grant")
      const outcome = yield* desk.tryGrant(id)
      if (Result.isFailure(outcome)) {
        const { reason, retryable, effect }: ProviderError = outcome.failure
        yield* desk.expect(
          reason === "ProviderThrottled" && retryable && effect === "none",
          "a retryable ProviderThrottled with effect `none`",
          `${reason}, retryable ${retryable}, effect ${effect}`
        )
        yield* desk.expectGone(id, "after a throttled grant")
      }
      yield* desk.grant(id)
      yield* desk.expectLive(id, "after the try that was not throttled")
    })
  ),

  sentence("ending reaches what the platform does not show yet", ["live", "hide"], ({ fixture, desk }) =>
    Effect.gen(function* () {
      const id = desk.newId()
      if (fixture.hide !== null) yield* fixture.hide
      yield* desk.grant(id)
      yield* desk.end(id, { reference: null })
      yield* desk.expectGone(id, "after the ending of a grant that reads do not show yet")
    })
  ),

  sentence("ending early takes back at once, and twice is as good as once", ["live"], ({ desk }) =>
    Effect.gen(function* () {
      const id = desk.newId()
      yield* desk.grant(id)
      yield* desk.end(id)
      yield* desk.expectGone(id, "after its ending")
      yield* desk.end(id)
      yield* desk.expectGone(id, "after its second ending")
    })
  ),

  sentence("ending what was never granted is confirmed", ["live"], ({ desk }) =>
    Effect.gen(function* () {
      const [stranger, resident] = [desk.newId(), desk.newId()]
      yield* desk.grant(resident)
      yield* desk.end(stranger, { reference: null })
      yield* desk.expectGone(stranger, "of a request that never reached the platform")
      yield* desk.expectLive(resident, "although a stranger was ended")
    })
  ),

  sentence("an ending is confirmed only when it was done", ["live", "faults"], ({ desk, faults }) =>
    Effect.gen(function* () {
      const [refused, lost] = [desk.newId(), desk.newId()]
      yield* desk.grant(refused)
      yield* desk.grant(lost)
      yield* faults.failBefore("end")
      if (Result.isSuccess(yield* desk.tryEnd(refused))) {
        yield* desk.expectGone(refused, "after a confirmed ending")
      }
      yield* desk.end(refused)
      yield* desk.expectGone(refused, "after an ending that failed before")
      yield* faults.loseAnswer("end")
      if (Result.isSuccess(yield* desk.tryEnd(lost))) yield* desk.expectGone(lost, "after a confirmed ending")
      yield* desk.end(lost)
      yield* desk.expectGone(lost, "after an ending whose first answer was lost")
    })
  ),

  sentence("a malformed reference is refused, or the request's own right is ended", ["live"], ({ desk }) =>
    Effect.gen(function* () {
      const [id, other] = [desk.newId(), desk.newId()]
      yield* desk.grant(id)
      yield* desk.grant(other)
      for (const [what, reference] of references) {
        const outcome = yield* desk.tryEnd(id, { reference })
        if (Result.isSuccess(outcome)) yield* desk.expectGone(id, `after a confirmed ending with ${what}`)
        else {
          const { reason } = outcome.failure
          yield* desk.expect(reason === "InvalidReference", `InvalidReference for ${what}`, reason)
        }
        yield* desk.expectLive(other, `although another was ended with ${what}`)
      }
      yield* desk.end(id, { reference: null })
      yield* desk.expectGone(id, "after its ending without a reference")
    })
  ),

  sentence("another grant's reference ends nobody else's right", ["live"], ({ desk }) =>
    Effect.gen(function* () {
      const [id, other] = [desk.newId(), desk.newId()]
      yield* desk.grant(id)
      const { reference } = yield* desk.grant(other)
      const outcome = yield* desk.tryEnd(id, { reference })
      yield* desk.expectLive(other, "although its reference was used to end another")
      if (Result.isSuccess(outcome)) yield* desk.expectGone(id, "after a confirmed ending")
    })
  ),

  sentence(
    "what ends by itself ends on time, and ending it then is safe",
    ["live", "advance"],
    ({ fixture, desk, advance }) =>
      Effect.gen(function* () {
        const id = desk.newId()
        yield* desk.grant(id)
        yield* advance(fixture.asks[0].durationSeconds - 2)
        yield* desk.expectLive(id, "before its time is over")
        yield* advance(2 + fixture.toleranceSeconds)
        if (fixture.provider.capabilities.nativeExpiry) yield* desk.expectGone(id, "when its time is over")
        yield* desk.end(id, { why: "expired" })
        yield* desk.expectGone(id, "after its ending")
      })
  ),

  sentence("`inspect` never says more than is known", ["live", "advance"], ({ fixture, desk, advance }) =>
    Effect.gen(function* () {
      const { inspection } = fixture.provider.capabilities
      const [ended, expired] = [desk.newId(), desk.newId()]
      yield* desk.grant(ended)
      yield* desk.grant(expired)
      const alive = yield* desk.inspect(ended)
      yield* desk.expect(alive === (inspection ? "active" : alive), "`active` for what is alive", alive)
      yield* desk.expect(alive !== "ended", "not `ended` for what is alive", alive)
      yield* desk.end(ended)
      const gone = yield* desk.inspect(ended)
      yield* desk.expect(inspection ? gone === "ended" : gone !== "active", "`ended` for what was ended", gone)
      yield* advance(fixture.asks[0].durationSeconds + fixture.toleranceSeconds + 1)
      if (fixture.provider.capabilities.nativeExpiry) {
        const over = yield* desk.inspect(expired)
        yield* desk.expect(over === "ended", "`ended` for what expired", over)
      }
    })
  ),

  sentence(
    "`list` finds exactly what is alive where it claims to, and nothing elsewhere",
    ["live"],
    ({ fixture, desk }) =>
      Effect.gen(function* () {
        const [staying, ended] = [desk.newId(), desk.newId()]
        const granted = yield* desk.grant(staying)
        yield* desk.grant(ended)
        yield* desk.end(ended)
        const listed = yield* desk.list
        if (!fixture.provider.capabilities.listing) {
          yield* desk.expect(listed.length === 0, "an empty list without the capability", `${listed.length} entries`)
          return
        }
        const found = listed.filter((one) => one.requestId === staying)
        yield* desk.expect(found.length === 1, "the live grant, once", `${found.length} times`)
        yield* desk.expect(!listed.some((one) => one.requestId === ended), "no ended grant", "it is listed")
        for (const one of found) {
          yield* desk.expect(one.resourceKey === desk.keyOf(staying), "its resource key", one.resourceKey)
          yield* desk.expect(
            one.notAfter === null || one.notAfter === granted.notAfter,
            "its notAfter",
            spoken(one.notAfter ?? 0)
          )
          yield* desk.end(staying, { reference: one.reference })
          yield* desk.expectGone(staying, "after its ending by the listed reference")
        }
      })
  ),

  sentence("`list` finds every grant once, however many pages there are", ["live"], ({ fixture, desk }) =>
    Effect.gen(function* () {
      if (fixture.smallPages !== undefined) yield* fixture.smallPages
      const ids = Array.from({ length: 12 }, desk.newId)
      for (const [index, id] of ids.entries()) {
        yield* desk.grant(id, { ask: fixture.asks[index % fixture.asks.length] ?? fixture.asks[0] })
      }
      const listed = yield* desk.list
      for (const id of fixture.provider.capabilities.listing ? ids : []) {
        const count = listed.filter((one) => one.requestId === id).length
        yield* desk.expect(count === 1, "each of twelve grants, once", `one of them ${count} times`)
      }
    })
  ),

  sentence(
    "what `list` found is ended by what it says of it, by one who knows nothing else",
    ["live"],
    ({ fixture, desk }) =>
      Effect.gen(function* () {
        const [lost, staying] = [desk.newId(), desk.newId()]
        yield* desk.grant(lost)
        yield* desk.grant(staying)
        const listed = yield* desk.list
        for (const one of listed.filter(({ requestId }) => requestId === lost)) {
          const alive = yield* desk.inspectListed(one)
          yield* desk.expect(alive !== "ended", "not `ended` for what is alive", alive)
          yield* desk.endListed(one)
          yield* desk.expectGone(lost, "after its ending by what was listed")
          yield* desk.expectLive(staying, "although another was ended by what was listed")
          const gone = yield* desk.inspectListed(one)
          const { inspection } = fixture.provider.capabilities
          yield* desk.expect(inspection ? gone === "ended" : gone !== "active", "`ended` for what was ended", gone)
        }
      })
  ),

  sentence("a mark names the installation that left it, or none", ["live"], ({ desk }) =>
    Effect.gen(function* () {
      const owners = new Map<string, string | null>()
      for (const installation of ["here", "there-2", null]) {
        const id = desk.newId()
        owners.set(id, installation)
        yield* desk.grant(id, installation === null ? {} : { installation })
      }
      for (const { installation = null, requestId } of yield* desk.list) {
        const owner = owners.get(requestId) ?? null
        yield* desk.expect(
          installation === null || installation === owner,
          owner === null ? "no installation" : `the installation ${owner}, or none`,
          JSON.stringify(installation)
        )
      }
    })
  ),

  sentence("what reads do not show yet is not said to have ended", ["live", "hide"], ({ fixture, desk }) =>
    Effect.gen(function* () {
      const id = desk.newId()
      if (fixture.hide !== null) yield* fixture.hide
      yield* desk.grant(id)
      const seen = yield* desk.inspect(id)
      yield* desk.expect(seen !== "ended", "`active` or `unknown` of a grant that reads do not show yet", seen)
      yield* desk.expectLive(id, "after it was inspected")
    })
  ),

  sentence("what does not exist at the platform is refused without effect", ["live", "missing"], ({ fixture, desk }) =>
    Effect.gen(function* () {
      const ask = fixture.missing ?? fixture.asks[0]
      const canonical = yield* desk.canonicalOf(ask)
      const checked = yield* Effect.result(fixture.provider.check(canonical, fixture.grantee))
      const failure = Result.isFailure(checked)
        ? checked.failure
        : Result.getOrUndefined(Result.flip(yield* desk.tryGrant(desk.newId(), { ask })))
      yield* desk.expect(
        failure !== undefined && failure.effect === "none",
        "a refusal with effect `none` by `check` or `grant`",
        failure === undefined ? "it was granted" : `${failure.reason}, effect ${failure.effect}`
      )
      const live = fixture.live === null ? [] : yield* fixture.live
      yield* desk.expect(live.length === 0, "nothing alive", `${live.length} live rights`)
    })
  )
]

/** Every sentence of the contract, in order. */
export const names: ReadonlyArray<string> = sentences.map(({ name }) => name)

const offers: ReadonlyArray<Offer> = ["advance", "live", "faults", "hide", "missing"]

const noFaults: PlatformFaults = {
  failBefore: () => Effect.die("the fixture offers no faults"),
  loseAnswer: () => Effect.die("the fixture offers no faults"),
  throttle: () => Effect.die("the fixture offers no faults"),
  hold: () => Effect.die("the fixture offers no faults")
}

const runOf = ({ name, run }: Sentence, { make, gaps = {} }: Options): Case["run"] =>
  Effect.scoped(
    Effect.gen(function* () {
      const fixture = yield* make
      for (const offer of offers) {
        const [offered, declared] = [fixture[offer] !== null, gaps[offer] !== undefined]
        if (offered !== declared) continue
        return yield* new ContractViolation({
          contract: name,
          expected: `\`${offer}\` to be offered by the fixture or declared a gap`,
          found: offered ? "both" : "neither"
        })
      }
      yield* run({
        fixture,
        desk: ProviderDesk.make(name, fixture),
        faults: fixture.faults ?? noFaults,
        advance: fixture.advance ?? (() => Effect.die("the fixture offers no clock"))
      })
    })
  )

/** The cases that this platform can be asked to keep, and those that it declares it cannot. */
export const suite = (options: Options): Suite => {
  const why = (one: Sentence): string | undefined =>
    one.needs.map((need) => options.gaps?.[need]).find((reason) => reason !== undefined)
  return {
    cases: sentences
      .filter((one) => why(one) === undefined)
      .map((one) => ({ name: one.name, run: runOf(one, options) })),
    gaps: sentences.flatMap((one) => {
      const reason = why(one)
      return reason === undefined ? [] : [{ name: one.name, why: reason }]
    })
  }
}
