/**
 * The mistakes that an earlier implementation made with Google Cloud, and some that are easily made, with the sentences
 * of the contract that object when the wire server does what Google does. It shows that the suite against this server
 * can fail.
 */
import { type Provider, Time } from "@jitsudo/core"
import { GcpWire, ProviderContract } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { expect, it } from "vitest"
import { fixtureOf, project, providerOf, wireOptions } from "./support/GcpFixture.ts"

type Mutate = (sound: Provider.Provider, wire: GcpWire.GcpWire) => Provider.Provider

const mistakes: ReadonlyArray<{
  readonly lie: string
  readonly mutate: Mutate
  readonly objects: ReadonlyArray<string>
}> = [
  {
    lie: "reports the end that a repeat asks for instead of the one that stands in the condition",
    mutate: (sound) => ({
      ...sound,
      grant: (request) =>
        Effect.map(sound.grant(request), (granted) => ({
          ...granted,
          notAfter: Time.plusSeconds(request.now, request.canonical.durationSeconds)
        }))
    }),
    objects: ["a repeated grant is the same right and lives no longer"]
  },
  {
    lie: "takes a role from its member, whichever request gave it",
    mutate: (sound, wire) => ({
      ...sound,
      end: ({ canonical }) =>
        Effect.sync(() => {
          wire.edit(project, (bindings) =>
            bindings.filter(({ condition, role }) => role !== canonical.role || condition === undefined)
          )
          return { note: null }
        })
    }),
    objects: [
      "overlapping grants of one right to one person are independent",
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one",
      "ending what was never granted is confirmed",
      "another grant's reference ends nobody else's right"
    ]
  },
  {
    lie: "takes a read that shows nothing for a confirmation",
    mutate: (sound) => ({
      ...sound,
      end: (request) =>
        Effect.flatMap(sound.inspect(request), (seen) =>
          seen === "active" ? sound.end(request) : Effect.succeed({ note: null })
        )
    }),
    objects: ["ending reaches what the platform does not show yet"]
  },
  {
    lie: "confirms an ending that failed",
    mutate: (sound) => ({
      ...sound,
      end: (request) => Effect.catchTag(sound.end(request), "ProviderError", () => Effect.succeed({ note: null }))
    }),
    objects: ["an ending is confirmed only when it was done"]
  },
  {
    lie: "asks its own clock what is active",
    mutate: (sound) => ({
      ...sound,
      inspect: ({ notAfter, now }) => Effect.succeed(now < notAfter ? "active" : "ended")
    }),
    objects: ["`inspect` never says more than is known"]
  },
  {
    lie: "takes what a read does not show for ended",
    mutate: (sound) => ({
      ...sound,
      inspect: (request) => Effect.map(sound.inspect(request), (seen) => (seen === "unknown" ? "ended" : seen))
    }),
    objects: ["what reads do not show yet is not said to have ended"]
  },
  {
    lie: "leaves the end to somebody else's sweep",
    mutate: (sound, wire) => ({
      ...sound,
      grant: (request) =>
        Effect.tap(sound.grant(request), () =>
          Effect.sync(() =>
            wire.edit(project, (bindings) =>
              bindings.map(({ condition, ...binding }) =>
                condition?.title.endsWith(request.requestId) === true
                  ? {
                      ...binding,
                      condition: { ...condition, expression: `request.time < timestamp("2039-01-01T00:00:00Z")` }
                    }
                  : { ...binding, ...(condition === undefined ? {} : { condition }) }
              )
            )
          )
        )
    }),
    objects: [
      "a grant is alive, within what was asked, and its reference is no secret",
      "what ends by itself ends on time, and ending it then is safe"
    ]
  }
]

it.each(mistakes)("a gcp that $lie is found out", async ({ mutate, objects }) => {
  const suite = ProviderContract.suite({
    make: Effect.gen(function* () {
      const wire = yield* GcpWire.scoped(wireOptions())
      return fixtureOf(wire, mutate(yield* Effect.orDie(providerOf(wire)), wire))
    })
  })
  const cases = suite.cases.filter(({ name }) => objects.includes(name))
  const found = await Effect.runPromise(
    Effect.forEach(cases, ({ name, run }) =>
      Effect.map(Effect.exit(run), (exit) => (Exit.isSuccess(exit) ? [] : [name]))
    )
  )
  expect(found.flat()).toEqual(objects)
})
