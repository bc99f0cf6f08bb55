/**
 * Providers that are wrong on purpose, and the sentences of the contract that object to each.
 *
 * A sentence without a mutant that trips it is not yet a sentence: the last test counts them.
 */
import { Provider, Time } from "@jitsudo/core"
import { type Case, ProviderContract } from "@jitsudo/core/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { memoryFixture, type Mutate } from "./support/MemoryFixture.ts"

const error = (
  reason: Provider.ProviderReason,
  effect: "none" | "unknown",
  message = "no",
  retryable = false
): Provider.ProviderError =>
  new Provider.ProviderError({ provider: "memory", reason, retryable, effect, message, hint: "h" })

const parseAs =
  (change: (ask: Provider.Ask, sound: Provider.Provider) => ReturnType<Provider.Provider["parse"]>): Mutate =>
  (sound) => ({ ...sound, parse: (ask) => change(ask, sound) })

const longer = (granted: Provider.Granted, seconds: number): Provider.Granted => ({
  ...granted,
  notAfter: Time.plusSeconds(granted.notAfter, seconds)
})

/** Removes whatever of the right a rule picks, behind the sound provider's back. */
const removing =
  (
    picks: (
      one: { readonly requestId: string; readonly resourceKey: string },
      request: Provider.EndRequest,
      key: string
    ) => boolean
  ): Mutate =>
  (sound, platform) => ({
    ...sound,
    end: (request) =>
      Effect.tap(sound.end(request), () =>
        Effect.sync(() => {
          const key = sound.resourceKey(request.canonical, request.grantee)
          for (const one of platform.live()) if (picks(one, request, key)) platform.remove(one.requestId)
        })
      )
  })

const mutants: ReadonlyArray<{
  readonly lie: string
  readonly mutate: Mutate
  readonly objects: ReadonlyArray<string>
}> = [
  {
    lie: "is called My Provider",
    mutate: (sound) => ({ ...sound, name: "My Provider" }),
    objects: ["its name can stand in a URL and its capabilities add up"]
  },
  {
    lie: "has another form for its own canonical form",
    mutate: parseAs((ask, sound) =>
      sound.parse(ask.resourceScope === "here" ? { ...ask, resourceScope: "there" } : { ...ask, resourceScope: "here" })
    ),
    objects: [
      "the canonical form is its own canonical form, on every asking",
      "hostile roles and scopes are refused, or mean exactly themselves"
    ]
  },
  {
    lie: "cuts a duration to its bounds",
    mutate: parseAs((ask, sound) =>
      sound.parse({
        ...ask,
        durationSeconds: Math.min(Math.max(Math.round(ask.durationSeconds) || 1, 1), 43_200)
      })
    ),
    objects: ["a duration out of bounds is refused, never rounded or cut"]
  },
  {
    lie: "removes control characters from a role instead of refusing them",
    mutate: parseAs((ask, sound) => sound.parse({ ...ask, role: ask.role.replace(/[\p{Cc}\p{Cf}]/gu, "") })),
    objects: ["hostile roles and scopes are refused, or mean exactly themselves"]
  },
  {
    lie: "quotes the whole role in its refusal",
    mutate: parseAs((ask, sound) =>
      Result.mapError(sound.parse(ask), ({ reason }) => error(reason, "none", `I do not know ${ask.role}`))
    ),
    objects: ["a refusal's text is short and carries nothing hostile"]
  },
  {
    lie: "takes the resource key from a counter",
    mutate: (sound) => {
      let count = 0
      return { ...sound, resourceKey: () => `key ${(count += 1)}` }
    },
    objects: [
      "the resource key follows from the canonical form and the grantee alone",
      "`list` finds exactly what is alive where it claims to, and nothing elsewhere"
    ]
  },
  {
    lie: "grants while it checks",
    mutate: (sound, platform) => ({
      ...sound,
      check: (canonical, grantee) =>
        Effect.tap(sound.check(canonical, grantee), (checked) =>
          Effect.result(
            sound.grant({
              requestId: "req_probe",
              grantee,
              canonical,
              checked: checked.facts,
              reason: "",
              metadata: {},
              now: platform.now(),
              neighbours: []
            })
          )
        )
    }),
    objects: [
      "a check leaves nothing at the platform",
      "a repeated grant is the same right and lives no longer",
      "grants and endings of different rights may run side by side",
      "what a cancelled grant left is taken back without a reference",
      "`list` finds every grant once, however many pages there are"
    ]
  },
  {
    lie: "says a longer notAfter than was asked for",
    mutate: (sound) => ({ ...sound, grant: (request) => Effect.map(sound.grant(request), (one) => longer(one, 60)) }),
    objects: [
      "a grant is alive, within what was asked, and its reference is no secret",
      "`list` finds exactly what is alive where it claims to, and nothing elsewhere"
    ]
  },
  {
    lie: "puts the credentials into the reference",
    mutate: (sound) => ({
      ...sound,
      grant: (request) => Effect.map(sound.grant(request), (one) => ({ ...one, reference: { ...one.credentials } }))
    }),
    objects: [
      "a grant is alive, within what was asked, and its reference is no secret",
      "a repeated grant is the same right and lives no longer",
      "overlapping grants of one right to one person are independent",
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one",
      "grants and endings of different rights may run side by side",
      "hostile reasons, metadata and names neither break a grant nor blend two",
      "ending early takes back at once, and twice is as good as once",
      "an ending is confirmed only when it was done",
      "what ends by itself ends on time, and ending it then is safe",
      "`inspect` never says more than is known",
      "`list` finds exactly what is alive where it claims to, and nothing elsewhere",
      "what reads do not show yet is not said to have ended"
    ]
  },
  {
    lie: "grants twice when asked twice",
    mutate: (sound) => {
      const seen = new Map<string, number>()
      return {
        ...sound,
        grant: (request) => {
          const count = (seen.get(request.requestId) ?? 0) + 1
          seen.set(request.requestId, count)
          const requestId = count === 1 ? request.requestId : `${request.requestId}-${count}`
          return sound.grant({ ...request, requestId })
        }
      }
    },
    objects: [
      "a repeated grant is the same right and lives no longer",
      "being throttled is retryable and without effect"
    ]
  },
  {
    lie: "counts a repeated grant from the repetition",
    mutate: (sound) => ({
      ...sound,
      grant: (request) =>
        Effect.map(sound.grant(request), (one) => ({
          ...one,
          notAfter: Time.plusSeconds(request.now, request.canonical.durationSeconds)
        }))
    }),
    objects: ["a repeated grant is the same right and lives no longer"]
  },
  {
    lie: "ends everybody's grant of the same role",
    mutate: removing((one, _, key) => one.resourceKey === key),
    objects: [
      "overlapping grants of one right to one person are independent",
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one",
      "grants and endings of different rights may run side by side",
      "ending what was never granted is confirmed",
      "`list` finds exactly what is alive where it claims to, and nothing elsewhere",
      "what `list` found is ended by what it says of it, by one who knows nothing else"
    ]
  },
  {
    lie: "ends the whole role when one grant expires",
    mutate: removing((one, request, key) => request.why === "expired" && one.resourceKey === key),
    objects: [
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one"
    ]
  },
  {
    lie: "ends the newest grant instead of the one that was named",
    mutate: (sound, platform) => ({
      ...sound,
      end: (request) => {
        const newest = platform.live().at(-1)?.requestId ?? request.requestId
        platform.remove(newest)
        return Effect.succeed({ note: null })
      }
    }),
    objects: [
      "overlapping grants of one right to one person are independent",
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one",
      "grants and endings of different rights may run side by side",
      "ending what was never granted is confirmed",
      "an ending is confirmed only when it was done",
      "a malformed reference is refused, or the request's own right is ended",
      "another grant's reference ends nobody else's right",
      "`inspect` never says more than is known",
      "what `list` found is ended by what it says of it, by one who knows nothing else"
    ]
  },
  {
    lie: "ends an extension together with what it extends",
    mutate: (sound) => ({
      ...sound,
      grant: (request) => {
        const ends = request.neighbours.filter((one) => one.state === "active").map((one) => one.notAfter)
        const left = Math.min(...ends.map((end) => Time.secondsBetween(request.now, end)), Infinity)
        const durationSeconds = Math.max(1, Math.min(request.canonical.durationSeconds, left))
        return sound.grant({ ...request, canonical: { ...request.canonical, durationSeconds } })
      }
    }),
    objects: [
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one"
    ]
  },
  {
    lie: "loses a grant when others are made at the same time",
    mutate: (sound) => {
      let running = 0
      return {
        ...sound,
        grant: (request) =>
          Effect.gen(function* () {
            running += 1
            yield* Effect.yieldNow
            const crowd = running
            const granted = yield* sound.grant(request)
            if (crowd > 1) yield* sound.end({ ...request, reference: null, notAfter: granted.notAfter, why: "early" })
            return granted
          }).pipe(Effect.ensuring(Effect.sync(() => (running -= 1))))
      }
    },
    objects: ["grants and endings of different rights may run side by side"]
  },
  {
    lie: "throws at a NUL in the reason",
    mutate: (sound) => ({
      ...sound,
      grant: (request) =>
        request.reason.includes("\u0000") ? Effect.die(new Error("NUL in a header")) : sound.grant(request)
    }),
    objects: ["hostile reasons, metadata and names neither break a grant nor blend two"]
  },
  {
    lie: "does not tell people apart",
    mutate: removing((one, request, key) => {
      const [, scope, role, issuer, subject] = JSON.parse(one.resourceKey)
      const [, endedScope, endedRole, endedIssuer] = JSON.parse(key)
      const sameRight = scope === endedScope && role === endedRole && issuer === endedIssuer
      return sameRight && subject !== request.grantee.subject
    }),
    objects: ["hostile reasons, metadata and names neither break a grant nor blend two"]
  },
  {
    lie: "ends nothing without a reference",
    mutate: (sound) => ({
      ...sound,
      end: (request) => (request.reference === null ? Effect.succeed({ note: null }) : sound.end(request))
    }),
    objects: [
      "what a cancelled grant left is taken back without a reference",
      "a lost answer is an unknown outcome, and is taken back without a reference",
      "ending reaches what the platform does not show yet",
      "a malformed reference is refused, or the request's own right is ended"
    ]
  },
  {
    lie: "says effect none after every error",
    mutate: (sound) => ({
      ...sound,
      grant: (request) =>
        Effect.mapError(sound.grant(request), (failure) => error(failure.reason, "none", "no", failure.retryable))
    }),
    objects: ["a lost answer is an unknown outcome, and is taken back without a reference"]
  },
  {
    lie: "grants although it promised no effect",
    mutate: (sound) => ({
      ...sound,
      grant: (request) =>
        Effect.tapError(sound.grant(request), ({ reason }) =>
          reason === "ProviderUnavailable" ? Effect.result(sound.grant(request)) : Effect.void
        )
    }),
    objects: ["an error with effect `none` left nothing"]
  },
  {
    lie: "takes being throttled for a final refusal",
    mutate: (sound) => ({
      ...sound,
      grant: (request) =>
        Effect.mapError(sound.grant(request), (failure) =>
          failure.reason === "ProviderThrottled" ? error("ProviderDenied", "none") : failure
        )
    }),
    objects: ["being throttled is retryable and without effect"]
  },
  {
    lie: "looks in the list before it ends, and confirms what it does not see",
    mutate: (sound) => ({
      ...sound,
      end: (request) =>
        Effect.flatMap(sound.list(), (all) =>
          all.some((one) => one.requestId === request.requestId) ? sound.end(request) : Effect.succeed({ note: null })
        )
    }),
    objects: ["ending reaches what the platform does not show yet"]
  },
  {
    lie: "forgets to take back",
    mutate: (sound) => ({ ...sound, end: () => Effect.succeed({ note: null }) }),
    objects: [
      "a repeated grant is the same right and lives no longer",
      "overlapping grants of one right to one person are independent",
      "an extension goes on where the grant before it ends, whatever becomes of that one",
      "grants and endings of different rights may run side by side",
      "hostile reasons, metadata and names neither break a grant nor blend two",
      "what a cancelled grant left is taken back without a reference",
      "a lost answer is an unknown outcome, and is taken back without a reference",
      "ending reaches what the platform does not show yet",
      "ending early takes back at once, and twice is as good as once",
      "an ending is confirmed only when it was done",
      "a malformed reference is refused, or the request's own right is ended",
      "another grant's reference ends nobody else's right",
      "`inspect` never says more than is known",
      "`list` finds exactly what is alive where it claims to, and nothing elsewhere",
      "what `list` found is ended by what it says of it, by one who knows nothing else"
    ]
  },
  {
    lie: "fails when it is asked to end a second time",
    mutate: (sound, platform) => ({
      ...sound,
      end: (request) =>
        platform.grants().some((one) => one.requestId === request.requestId && one.endedAt !== null)
          ? Effect.fail(error("AlreadyGone", "none"))
          : sound.end(request)
    }),
    objects: [
      "ending early takes back at once, and twice is as good as once",
      "an ending is confirmed only when it was done"
    ]
  },
  {
    lie: "fails to end what it does not know",
    mutate: (sound, platform) => ({
      ...sound,
      end: (request) =>
        platform.grants().some((one) => one.requestId === request.requestId)
          ? sound.end(request)
          : Effect.fail(error("RoleNotFound", "none"))
    }),
    objects: ["an error with effect `none` left nothing", "ending what was never granted is confirmed"]
  },
  {
    lie: "confirms an ending that failed",
    mutate: (sound) => ({
      ...sound,
      end: (request) => Effect.catch(sound.end(request), () => Effect.succeed({ note: null }))
    }),
    objects: [
      "an ending is confirmed only when it was done",
      "a malformed reference is refused, or the request's own right is ended",
      "another grant's reference ends nobody else's right"
    ]
  },
  {
    lie: "remembers an ending as done before it is",
    mutate: (sound) => {
      const done = new Set<string>()
      return {
        ...sound,
        end: (request) => {
          if (done.has(request.requestId)) return Effect.succeed({ note: null })
          done.add(request.requestId)
          return sound.end(request)
        }
      }
    },
    objects: [
      "an ending is confirmed only when it was done",
      "a malformed reference is refused, or the request's own right is ended"
    ]
  },
  {
    lie: "crashes on a malformed reference",
    mutate: (sound) => ({
      ...sound,
      end: (request) =>
        request.reference !== null && typeof request.reference["grant"] !== "string"
          ? Effect.die(new TypeError("cannot read"))
          : sound.end(request)
    }),
    objects: ["a malformed reference is refused, or the request's own right is ended"]
  },
  {
    lie: "ends whatever the reference names",
    mutate: (sound, platform) => ({
      ...sound,
      end: (request) => {
        const named = request.reference?.["grant"]
        if (typeof named !== "string") return sound.end(request)
        platform.remove(named)
        return Effect.succeed({ note: null })
      }
    }),
    objects: [
      "a malformed reference is refused, or the request's own right is ended",
      "another grant's reference ends nobody else's right"
    ]
  },
  {
    lie: "ends five seconds early",
    mutate: (sound) => ({
      ...sound,
      grant: ({ canonical, ...request }) =>
        sound.grant({ ...request, canonical: { ...canonical, durationSeconds: canonical.durationSeconds - 5 } })
    }),
    objects: ["what ends by itself ends on time, and ending it then is safe"]
  },
  {
    lie: "always says active",
    mutate: (sound) => ({ ...sound, inspect: () => Effect.succeed("active" as const) }),
    objects: [
      "`inspect` never says more than is known",
      "what `list` found is ended by what it says of it, by one who knows nothing else"
    ]
  },
  {
    lie: "always says ended",
    mutate: (sound) => ({ ...sound, inspect: () => Effect.succeed("ended" as const) }),
    objects: [
      "`inspect` never says more than is known",
      "what `list` found is ended by what it says of it, by one who knows nothing else",
      "what reads do not show yet is not said to have ended"
    ]
  },
  {
    lie: "claims to list and lists nothing",
    mutate: (sound) => ({ ...sound, list: () => Effect.succeed([]) }),
    objects: [
      "`list` finds exactly what is alive where it claims to, and nothing elsewhere",
      "`list` finds every grant once, however many pages there are"
    ]
  },
  {
    lie: "lists without the capability",
    mutate: (sound) => ({ ...sound, capabilities: { ...sound.capabilities, listing: false } }),
    objects: ["`list` finds exactly what is alive where it claims to, and nothing elsewhere"]
  },
  {
    lie: "lists the first page",
    mutate: (sound) => ({ ...sound, list: () => Effect.map(sound.list(), (all) => all.slice(0, 5)) }),
    objects: ["`list` finds every grant once, however many pages there are"]
  },
  {
    lie: "lists without what its own ending needs",
    mutate: (sound) => ({
      ...sound,
      list: () => Effect.map(sound.list(), (all) => all.map(({ canonical: _, checked: __, ...one }) => one))
    }),
    objects: ["what `list` found is ended by what it says of it, by one who knows nothing else"]
  },
  {
    lie: "takes every mark for its own installation's",
    mutate: (sound) => ({
      ...sound,
      list: () => Effect.map(sound.list(), (all) => all.map((one) => ({ ...one, installation: "here" })))
    }),
    objects: ["a mark names the installation that left it, or none"]
  },
  {
    lie: "says ended of what it does not see",
    mutate: (sound) => ({
      ...sound,
      inspect: (request) => Effect.map(sound.inspect(request), (seen) => (seen === "unknown" ? "ended" : seen))
    }),
    objects: ["what reads do not show yet is not said to have ended"]
  },
  {
    lie: "lets an unknown role pass",
    mutate: (sound) => {
      const known = (canonical: Provider.Canonical): Provider.Canonical =>
        canonical.role === "nobody-has-this" ? { ...canonical, role: "reader" } : canonical
      return {
        ...sound,
        check: (canonical, grantee) => sound.check(known(canonical), grantee),
        grant: (request) => sound.grant({ ...request, canonical: known(request.canonical) })
      }
    },
    objects: ["what does not exist at the platform is refused without effect"]
  }
]

const objectionsOf = (cases: ReadonlyArray<Case>): Promise<ReadonlyArray<string>> =>
  Effect.runPromise(
    Effect.forEach(cases, ({ name, run }) =>
      Effect.map(Effect.exit(run), (exit) => (Exit.isSuccess(exit) ? [] : [name]))
    ).pipe(Effect.map((found) => found.flat()))
  )

describe("the provider contract objects to a provider that", () => {
  it.each(mutants)("$lie", async ({ mutate, objects }) => {
    expect(await objectionsOf(ProviderContract.suite(memoryFixture(mutate)).cases)).toEqual(objects)
  })

  it("has a mutant for every sentence", () => {
    const tripped = new Set(mutants.flatMap(({ objects }) => objects))
    expect(ProviderContract.names.filter((name) => !tripped.has(name))).toEqual([])
  })
})

describe("the provider contract", () => {
  it("does not object to the sound provider", async () => {
    expect(await objectionsOf(ProviderContract.suite(memoryFixture()).cases)).toEqual([])
  })

  it("objects to a fixture that lacks something without saying so", async () => {
    const { make } = memoryFixture()
    const blind = { make: Effect.map(make, (fixture) => ({ ...fixture, hide: null })) }
    expect(await objectionsOf(ProviderContract.suite(blind).cases)).toEqual(ProviderContract.names)
  })

  it("names what a declared gap leaves out", async () => {
    const { make } = memoryFixture()
    const { cases, gaps } = ProviderContract.suite({
      make: Effect.map(make, (fixture) => ({ ...fixture, hide: null })),
      gaps: { hide: "reads are not used" }
    })
    expect(gaps).toEqual(
      [
        "ending reaches what the platform does not show yet",
        "what reads do not show yet is not said to have ended"
      ].map((name) => ({ name, why: "reads are not used" }))
    )
    expect(await objectionsOf(cases)).toEqual([])
  })
})
