/**
 * The mistakes that an earlier implementation made with Kubernetes, and those that are near: the sentences of the contract
 * that object when the wire server enforces what an API server does. It shows that the suite against it can fail.
 */
import type { Provider } from "@jitsudo/core"
import { KubernetesWire, ProviderContract } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { expect, it } from "vitest"
import {
  fixtureOf,
  managed,
  providerOf,
  rbacManifests,
  userMode,
  wireOptions,
  world
} from "./support/KubernetesFixture.ts"
import { gaps } from "./support/KubernetesLanes.ts"

type Mutate = (sound: Provider.Provider, wire: KubernetesWire.KubernetesWire) => Provider.Provider

const mistakes: ReadonlyArray<{
  readonly lie: string
  readonly mutate: Mutate
  readonly objects: ReadonlyArray<string>
}> = [
  {
    lie: "has one binding for one person and role, whoever asks how often",
    mutate: (sound) => {
      const shared = new Map<string, string>()
      const first = (request: { readonly canonical: Provider.Canonical; readonly requestId: string }): string => {
        const key = `${request.canonical.resourceScope} ${request.canonical.role}`
        const id = shared.get(key) ?? request.requestId
        shared.set(key, id)
        return id
      }
      return {
        ...sound,
        grant: (request) => sound.grant({ ...request, requestId: first(request) }),
        end: (request) => sound.end({ ...request, requestId: first(request) })
      }
    },
    objects: [
      "overlapping grants of one right to one person are independent",
      "back-to-back grants of one right never cut each other off",
      "grants and endings of different rights may run side by side",
      "ending what was never granted is confirmed"
    ]
  },
  {
    lie: "says that it ended what it could not delete",
    mutate: (sound) => ({
      ...sound,
      end: (request) => Effect.orElseSucceed(sound.end(request), () => ({ note: null }))
    }),
    objects: ["an ending is confirmed only when it was done"]
  },
  {
    lie: "ends nothing when the grant's answer was lost",
    mutate: (sound) => ({
      ...sound,
      end: (request) => (request.reference === null ? Effect.succeed({ note: null }) : sound.end(request))
    }),
    objects: [
      "what a cancelled grant left is taken back without a reference",
      "a lost answer is an unknown outcome, and is taken back without a reference"
    ]
  },
  {
    lie: "takes what lasts for what ended, by the clock",
    mutate: (sound) => ({
      ...sound,
      end: (request) => (request.why === "expired" ? Effect.succeed({ note: null }) : sound.end(request)),
      inspect: (request) => Effect.succeed(request.now < request.notAfter ? "active" : "ended")
    }),
    objects: ["what ends by itself ends on time, and ending it then is safe", "`inspect` never says more than is known"]
  },
  {
    lie: "deletes what a reference names, whosever it is",
    mutate: (sound, wire) => ({
      ...sound,
      end: (request) =>
        Effect.sync(() => {
          const { name, namespace } = Object(request.reference?.["binding"])
          const kind = namespace === null ? "ClusterRoleBinding" : "RoleBinding"
          if (typeof name === "string" && wire.get(kind, namespace, name) !== undefined)
            wire.remove(kind, namespace, name)
          return { note: null }
        })
    }),
    objects: [
      "another grant's reference ends nobody else's right",
      "a malformed reference is refused, or the request's own right is ended",
      "a lost answer is an unknown outcome, and is taken back without a reference"
    ]
  },
  {
    lie: "lists what has its label, and not whose it is",
    mutate: (sound, wire) => ({
      ...sound,
      list: () =>
        Effect.sync(() =>
          wire.rights(managed).map(({ binding }) => ({
            requestId: binding.metadata.name,
            resourceKey: binding.metadata.name,
            reference: { name: binding.metadata.name },
            notAfter: null
          }))
        )
    }),
    objects: ["`list` finds exactly what is alive where it claims to, and nothing elsewhere"]
  },
  {
    lie: "takes a name that is there for its own, and its end along",
    mutate: (sound, wire) => ({
      ...sound,
      grant: (request) =>
        Effect.map(sound.grant(request), (granted) => {
          const expires = new Date(request.now + request.canonical.durationSeconds * 1000).toISOString()
          for (const { binding } of wire.rights(managed)) {
            if (binding.metadata.labels?.["jitsudo.dev/request-id"] !== request.requestId) continue
            const { name, namespace = null } = binding.metadata
            wire.edit(namespace === null ? "ClusterRoleBinding" : "RoleBinding", namespace, name, (before) => ({
              ...before,
              metadata: {
                ...before.metadata,
                annotations: { ...before.metadata.annotations, "jitsudo.dev/expires-at": expires }
              }
            }))
          }
          return granted
        })
    }),
    objects: ["a repeated grant is the same right and lives no longer"]
  },
  {
    lie: "calls an unknown outcome none",
    mutate: (sound) => ({
      ...sound,
      grant: (request) => Effect.mapError(sound.grant(request), (error) => Object.assign(error, { effect: "none" }))
    }),
    objects: ["a lost answer is an unknown outcome, and is taken back without a reference"]
  }
]

it.each(mistakes)("a kubernetes that $lie is found out", async ({ mutate, objects }) => {
  const { cases } = ProviderContract.suite({
    make: Effect.gen(function* () {
      const wire = yield* KubernetesWire.scoped(wireOptions([...world, ...rbacManifests]))
      return fixtureOf(wire, mutate(yield* Effect.orDie(providerOf(wire, userMode)), wire))
    }),
    gaps
  })
  const found = await Effect.runPromise(
    Effect.forEach(
      cases,
      ({ name, run }) => Effect.map(Effect.exit(run), (exit) => (Exit.isSuccess(exit) ? [] : [name])),
      { concurrency: 4 }
    )
  )
  expect(found.flat()).toEqual(expect.arrayContaining([...objects]))
})
