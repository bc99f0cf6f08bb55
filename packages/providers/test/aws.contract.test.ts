import { providerSuite } from "@jitsudo/core/testing/vitest"
import { AwsWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import { fixtureOf, providerOf, wireOptions } from "./support/AwsFixture.ts"

const gaps = { hide: "STS lists no sessions, so no read can lag behind" }

const makeWith = (fields: object, actions?: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const wire = yield* AwsWire.scoped(wireOptions(actions))
    return fixtureOf(wire, yield* Effect.orDie(providerOf(wire, fields)))
  })

providerSuite("aws with two permissions", { make: makeWith({}), gaps })

providerSuite("aws with every switch", {
  make: makeWith({ session_tags: true, source_identity: true, read_limits: true }, [
    "sts:AssumeRole",
    "sts:TagSession",
    "sts:SetSourceIdentity",
    "iam:PutRolePolicy",
    "iam:GetRole"
  ]),
  gaps
})
