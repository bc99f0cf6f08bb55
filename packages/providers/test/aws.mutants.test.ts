/**
 * The mistakes that an earlier implementation made with AWS, and the sentences of the contract that object when the
 * wire server enforces what AWS does. It shows that the suite against this server can fail.
 */
import type { Provider } from "@jitsudo/core"
import { AwsWire, ProviderContract } from "@jitsudo/providers/testing"
import { RevocationPolicy } from "@jitsudo/providers/aws"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { expect, it } from "vitest"
import { fixtureOf, providerOf, roleArn, wireOptions } from "./support/AwsFixture.ts"

type Mutate = (sound: Provider.Provider, wire: AwsWire.AwsWire) => Provider.Provider

const mistakes: ReadonlyArray<{
  readonly lie: string
  readonly mutate: Mutate
  readonly objects: ReadonlyArray<string>
}> = [
  {
    lie: "denies every session of the role that was issued before",
    mutate: (sound, wire) => ({
      ...sound,
      end: (request) =>
        Effect.sync(() => {
          const until = new Date(request.now + 1000).toISOString()
          const Condition = { DateLessThanEquals: { "aws:TokenIssueTime": until } }
          const Statement = [{ Effect: "Deny", Action: "*", Resource: "*", Condition }]
          const document = JSON.stringify({ Version: "2012-10-17", Statement })
          wire.putPolicy(roleArn(request.canonical.role), RevocationPolicy.policyName, document)
          return { note: null }
        })
    }),
    objects: [
      "overlapping grants of one right to one person are independent",
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one",
      "grants and endings of different rights may run side by side",
      "hostile reasons, metadata and names neither break a grant nor blend two",
      "ending what was never granted is confirmed",
      "a malformed reference is refused, or the request's own right is ended",
      "another grant's reference ends nobody else's right"
    ]
  },
  {
    lie: "forgets the sessions that it denied before",
    mutate: (sound) => ({ ...sound, end: (request) => sound.end({ ...request, neighbours: [] }) }),
    objects: [
      "overlapping grants of one right to one person are independent",
      "grants and endings of different rights may run side by side"
    ]
  },
  {
    lie: "denies on at natural expiry what is not its own",
    mutate: (sound) => ({
      ...sound,
      end: (request) =>
        request.why === "early"
          ? sound.end(request)
          : sound.end({
              ...request,
              why: "early",
              neighbours: request.neighbours.map((one) => ({ ...one, state: "ended" }))
            })
    }),
    objects: [
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one"
    ]
  },
  {
    lie: "goes by what its own process remembers of earlier attempts",
    mutate: (sound) => ({
      ...sound,
      grant: ({ unknownSince: _, ...request }) => sound.grant(request)
    }),
    objects: ["a repeated grant is the same right and lives no longer"]
  },
  {
    lie: "takes a repeated grant for a new one",
    mutate: (sound) => {
      const seen = new Set<string>()
      return {
        ...sound,
        grant: (request) => {
          const first = seen.size < seen.add(request.requestId).size
          return sound.grant(first ? request : { ...request, requestId: `${request.requestId}-again` })
        }
      }
    },
    objects: [
      "a repeated grant is the same right and lives no longer",
      "being throttled is retryable and without effect"
    ]
  }
]

it.each(mistakes)("an aws that $lie is found out", async ({ mutate, objects }) => {
  const { cases } = ProviderContract.suite({
    make: Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions())
      const mutant = Effect.map(Effect.orDie(providerOf(wire)), (sound) => mutate(sound, wire))
      return fixtureOf(wire, yield* mutant, yield* mutant)
    }),
    gaps: { hide: "STS lists no sessions" }
  })
  const found = await Effect.runPromise(
    Effect.forEach(cases, ({ name, run }) =>
      Effect.map(Effect.exit(run), (exit) => (Exit.isSuccess(exit) ? [] : [name]))
    )
  )
  expect(found.flat()).toEqual(objects)
})
