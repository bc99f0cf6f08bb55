/**
 * Mistakes that are easy to make with assignments of permission sets, and the sentences of the contract that object when
 * the wire server does what IAM Identity Center does.
 */
import { DeleteAccountAssignmentCommand, SSOAdminClient } from "@aws-sdk/client-sso-admin"
import { type Provider, Time } from "@jitsudo/core"
import { AwsWire, ProviderContract } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { expect, it } from "vitest"
import { daemon } from "./support/AwsFixture.ts"
import {
  aliceId,
  fixtureOf,
  instanceArn,
  permissionSetArn,
  providerOf,
  wireOptions
} from "./support/IdentityCenterFixture.ts"

type Mutate = (sound: Provider.Provider, wire: AwsWire.AwsWire) => Provider.Provider

const mistakes: ReadonlyArray<{
  readonly lie: string
  readonly mutate: Mutate
  readonly objects: ReadonlyArray<string>
}> = [
  {
    lie: "deletes what another grant of the person still needs",
    mutate: (sound) => ({ ...sound, end: (request) => sound.end({ ...request, neighbours: [] }) }),
    objects: [
      "overlapping grants of one right to one person are independent",
      "back-to-back grants of one right never cut each other off",
      "an extension goes on where the grant before it ends, whatever becomes of that one",
      "grants and endings of different rights may run side by side",
      "a malformed reference is refused, or the request's own right is ended",
      "another grant's reference ends nobody else's right"
    ]
  },
  {
    lie: "takes a deletion that AWS is still at for done",
    mutate: (sound, wire) => ({
      ...sound,
      end: (request) => {
        if (request.neighbours.some(({ state }) => state === "active")) return sound.end(request)
        const client = new SSOAdminClient({ endpoint: wire.url, region: "us-east-1", credentials: daemon })
        const command = new DeleteAccountAssignmentCommand({
          InstanceArn: instanceArn,
          TargetId: request.canonical.resourceScope,
          TargetType: "AWS_ACCOUNT",
          PermissionSetArn: permissionSetArn(request.canonical.role === "admin" ? 3 : 2),
          PrincipalType: "USER",
          PrincipalId: aliceId
        })
        return Effect.promise(() =>
          client.send(command).then(
            () => ({ note: null }),
            () => ({ note: null })
          )
        )
      }
    }),
    objects: [
      "a repeated grant is the same right and lives no longer",
      "an extension goes on where the grant before it ends, whatever becomes of that one",
      "what a cancelled grant left is taken back without a reference",
      "a lost answer is an unknown outcome, and is taken back without a reference",
      "ending reaches what the platform does not show yet",
      "ending early takes back at once, and twice is as good as once",
      "an ending is confirmed only when it was done",
      "what ends by itself ends on time, and ending it then is safe"
    ]
  },
  {
    lie: "has nothing to end where it has no reference",
    mutate: (sound) => ({
      ...sound,
      end: (request) => (request.reference === null ? Effect.succeed({ note: null }) : sound.end(request))
    }),
    objects: [
      "what a cancelled grant left is taken back without a reference",
      "a lost answer is an unknown outcome, and is taken back without a reference",
      "ending reaches what the platform does not show yet"
    ]
  },
  {
    lie: "begins the time anew with every try",
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
    lie: "takes what a read does not show for ended",
    mutate: (sound, wire) => ({
      ...sound,
      inspect: (request) =>
        Effect.map(sound.inspect(request), (seen) =>
          seen === "unknown" && wire.assignments.all().length > 0 ? "ended" : seen
        )
    }),
    objects: ["what reads do not show yet is not said to have ended"]
  }
]

it.each(mistakes)("an identity_center that $lie is found out", async ({ mutate, objects }) => {
  const { cases } = ProviderContract.suite({
    make: Effect.gen(function* () {
      const wire = yield* AwsWire.scoped(wireOptions())
      return fixtureOf(wire, mutate(yield* Effect.orDie(providerOf(wire)), wire))
    })
  })
  const found = await Effect.runPromise(
    Effect.forEach(cases, ({ name, run }) =>
      Effect.map(Effect.exit(run), (exit) => (Exit.isSuccess(exit) ? [] : [name]))
    )
  )
  expect(found.flat()).toEqual(objects)
})
