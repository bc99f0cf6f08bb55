import { GetRolePolicyCommand, IAMClient } from "@aws-sdk/client-iam"
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts"
import { Time } from "@jitsudo/core"
import { providerSuite } from "@jitsudo/core/testing/vitest"
import { make, RevocationPolicy } from "@jitsudo/providers/aws"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import { alice } from "./support/AwsFixture.ts"
import { endpoint, endpointAccount, endpointConfig, lanes } from "./support/AwsLanes.ts"

for (const lane of lanes) {
  providerSuite(lane.name, { make: Effect.map(lane.make, ({ fixture }) => fixture), gaps: lane.gaps })
}

const without = "JITSUDO_TEST_AWS_ENDPOINT names none, so nothing runs against another implementation of STS and IAM"

it(`aws on a real endpoint gives a session of its own, and denies it by its name (${endpoint ?? without})`, async ({
  skip
}) => {
  if (endpoint === null) return skip(without)
  const provider = await Effect.runPromise(make(endpointConfig(endpoint)))
  const now = Time.make(Date.now())
  const requestId = `req_${"0".repeat(16)}${String(now % 10_000_000_000).padStart(10, "0")}`
  const canonical = { role: "reader", resourceScope: endpointAccount, durationSeconds: 900 }
  const asked = { requestId, grantee: alice, canonical, checked: {}, now, neighbours: [] }
  const granted = await Effect.runPromise(provider.grant({ ...asked, reason: "contract", metadata: {} }))
  const { credentials } = granted
  const region = credentials["AWS_REGION"] ?? "us-east-1"
  const session = new STSClient({
    endpoint,
    region,
    credentials: {
      accessKeyId: credentials["AWS_ACCESS_KEY_ID"] ?? "",
      secretAccessKey: credentials["AWS_SECRET_ACCESS_KEY"] ?? "",
      sessionToken: credentials["AWS_SESSION_TOKEN"] ?? ""
    }
  })
  expect((await session.send(new GetCallerIdentityCommand({}))).Arn).toContain(`jitsudo-${requestId}`)
  const { notAfter, reference } = granted
  await Effect.runPromise(provider.end({ ...asked, reference, notAfter, why: "early" }))
  const iam = new IAMClient({ endpoint, region })
  const policy = new GetRolePolicyCommand({ RoleName: "jitsudo-reader", PolicyName: RevocationPolicy.policyName })
  expect(decodeURIComponent((await iam.send(policy)).PolicyDocument ?? "")).toContain(`*:jitsudo-${requestId}`)
})
