/**
 * The mistakes that an earlier implementation made with Azure, and some that are easily made, with the sentences of the
 * contract that object when the wire server does what Azure does. It shows that the suite against this server can fail.
 */
import { type Provider, Time } from "@jitsudo/core"
import { Mark } from "@jitsudo/providers/azure"
import { type AzureWire, ProviderContract } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { expect, it } from "vitest"
import {
  fixtureOf,
  leastPrivilege,
  leastPrivilegeWithPim,
  people,
  providerOf,
  started,
  wireOptions
} from "./support/AzureFixture.ts"

type Mutate = (sound: Provider.Provider, wire: AzureWire.AzureWire) => Provider.Provider

interface Mistake {
  readonly lie: string
  readonly pim?: true
  readonly mutate: Mutate
  readonly objects: ReadonlyArray<string>
}

/** Somebody's assignment of what a request is about. */
const assignedFor = (wire: AzureWire.AzureWire, { canonical }: Pick<Provider.GrantRequest, "canonical">) =>
  wire
    .assignments()
    .find(({ principalId, scope }) => scope === canonical.resourceScope && principalId === people.alice.id)

const mistakes: ReadonlyArray<Mistake> = [
  {
    lie: "takes an assignment of another name for its own",
    // 409 was success, so the second of two grants left nothing of its own and the first one's end took both away.
    mutate: (sound, wire) => ({
      ...sound,
      grant: (request) => {
        const there = assignedFor(wire, request)
        return Effect.map(sound.grant(request), (granted) => {
          if (there !== undefined) wire.describe(there.name, there.description)
          return granted
        })
      },
      end: (request) =>
        Effect.suspend(() => {
          const there = assignedFor(wire, request)
          if (there?.name === Mark.guidOf(request.requestId)) wire.unassign(there.name)
          return Effect.succeed({ note: null })
        })
    }),
    objects: [
      "overlapping grants of one right to one person are independent",
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one",
      "grants and endings of different rights may run side by side"
    ]
  },
  {
    lie: "says a repeat ends when it was asked for again",
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
    lie: "asks its own clock what is active",
    mutate: (sound) => ({
      ...sound,
      inspect: ({ notAfter, now }) => Effect.succeed(now < notAfter ? "active" : "ended")
    }),
    objects: ["`inspect` never says more than is known"]
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
    lie: "deletes whatever assignment there is",
    mutate: (sound, wire) => ({
      ...sound,
      end: (request) =>
        Effect.sync(() => {
          const there = assignedFor(wire, request)
          if (there !== undefined) wire.unassign(there.name)
          return { note: null }
        })
    }),
    objects: [
      "overlapping grants of one right to one person are independent",
      "ending what was never granted is confirmed",
      "another grant's reference ends nobody else's right"
    ]
  },
  {
    lie: "takes a list that shows nothing for a confirmation",
    mutate: (sound) => ({
      ...sound,
      end: (request) =>
        Effect.flatMap(sound.list(), (all) =>
          all.some(({ requestId }) => requestId === request.requestId)
            ? sound.end(request)
            : Effect.succeed({ note: null })
        )
    }),
    objects: ["ending reaches what the platform does not show yet"]
  },
  {
    lie: "takes what a list does not show for ended",
    mutate: (sound) => ({
      ...sound,
      inspect: ({ requestId }) =>
        Effect.map(sound.list(), (all) => (all.some((one) => one.requestId === requestId) ? "active" : "ended"))
    }),
    objects: ["what reads do not show yet is not said to have ended"]
  },
  {
    lie: "lists only what it remembers of one page",
    mutate: (sound) => ({ ...sound, list: () => Effect.map(sound.list(), (all) => all.slice(0, 5)) }),
    objects: ["`list` finds every grant once, however many pages there are"]
  },
  {
    lie: "leaves the end of a schedule to others",
    pim: true,
    mutate: (sound) => ({
      ...sound,
      grant: (request) =>
        Effect.map(
          sound.grant({ ...request, canonical: { ...request.canonical, durationSeconds: 86_400 } }),
          (granted) => ({
            ...granted,
            notAfter: Time.plusSeconds(request.now, request.canonical.durationSeconds)
          })
        )
    }),
    objects: [
      "a grant is alive, within what was asked, and its reference is no secret",
      "what ends by itself ends on time, and ending it then is safe"
    ]
  },
  {
    lie: "removes a schedule that others hold",
    pim: true,
    mutate: (sound, wire) => ({
      ...sound,
      end: (request) =>
        Effect.sync(() => {
          const there = assignedFor(wire, request)
          if (there !== undefined) wire.unassign(there.name)
          return { note: null }
        })
    }),
    objects: [
      "overlapping grants of one right to one person are independent",
      "back-to-back grants of one right never cut each other off"
    ]
  }
]

it.each(mistakes)("an azure that $lie is found out", async ({ mutate, objects, pim }) => {
  const suite = ProviderContract.suite({
    make: Effect.gen(function* () {
      const wire = yield* started(wireOptions(pim === true ? leastPrivilegeWithPim : leastPrivilege))
      const sound = yield* Effect.orDie(providerOf(wire, pim === true ? { pim } : {}))
      return fixtureOf(wire, mutate(sound, wire), pim === true ? "pim" : "plain")
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
