/**
 * A real API server and etcd, with RBAC: what only they can show. The contract runs on them in `kubernetes.contract.test.ts`.
 */
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node"
import type { Provider } from "@jitsudo/core"
import { ProviderContract } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import { afterAll, describe, expect, it } from "vitest"
import { type ControlPlane, realLanes, sharedPlane, stopShared, whyNot } from "./support/KubernetesControlPlane.ts"
import { binding, exchanges, makerManifests, whyNotExpected } from "./support/KubernetesExchanges.ts"
import { alice, guideManifests, rbac } from "./support/KubernetesFixture.ts"
import type { Lane } from "./support/Lane.ts"

afterAll(stopShared)

describe("the wire server's table of answers", () => {
  it("is what a real API server answers", async ({ skip }) => {
    if (whyNot !== null) skip(whyNot)
    const plane = await sharedPlane()
    await plane.clear()
    await plane.apply(...makerManifests)
    const wrong: Array<string> = []
    for (const exchange of exchanges) {
      const answered = await plane.send(exchange)
      const why = whyNotExpected(exchange, answered)
      if (why !== null) wrong.push(`${exchange.name}: ${why}`)
    }
    expect(wrong).toEqual([])
  })
})

describe("the guide's admission policy", () => {
  it("keeps the daemon from every binding but its own, and from none of these", async ({ skip }) => {
    if (whyNot !== null) skip(whyNot)
    const plane = await sharedPlane()
    await plane.apply(...makerManifests, ...guideManifests("kubernetes-admission.yaml"))
    const bindings = `/apis/${rbac}/v1/namespaces/team-a/rolebindings`
    const dryRun = { as: "daemon", method: "POST", path: `${bindings}?dryRun=All`, body: binding("anything") } as const
    // The API server takes a new policy up when its informers have seen it.
    let tried = 0
    while ((await plane.send(dryRun)).status !== 422 && tried < 1000) tried += 1
    const refused = await plane.send(dryRun)
    expect([refused.status, refused.text]).toEqual([422, expect.stringContaining("touches its own bindings only")])
    const others = await plane.send({ as: "daemon", method: "DELETE", path: `${bindings}/there` })
    expect(others.status).toBe(422)
    const unmarked = { ...dryRun, body: binding("jitsudo-req_00000000000000000000000001") }
    expect((await plane.send(unmarked)).text).toContain("marks what it makes")
    expect((await plane.send({ ...dryRun, as: "admin" })).status).toBe(201)

    for (const lane of realLanes) {
      const { cases } = ProviderContract.suite({
        make: Effect.map(lane.make, ({ fixture }) => fixture),
        gaps: lane.gaps
      })
      const whole = cases.filter(({ name }) =>
        /^ending early takes back at once|^grants and endings of different/u.test(name)
      )
      expect(whole.length).toBe(2)
      for (const { run } of whole) await Effect.runPromise(run)
    }
  })
})

describe("a grant on a real API server", () => {
  const [userLane, accountLane] = realLanes

  /** What an attempt to make a configmap in team-a is answered, as whom a kubeconfig says. */
  const made = (kubeConfig: KubeConfig): Promise<unknown> =>
    kubeConfig
      .makeApiClient(CoreV1Api)
      .createNamespacedConfigMap({
        namespace: "team-a",
        dryRun: "All",
        body: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "tried" } }
      })
      .then(
        () => 201,
        (thrown: unknown) => (thrown instanceof Error && "code" in thrown ? thrown.code : thrown)
      )

  /** Authorization and authentication see changes a moment later: asked again until then, and not for ever. */
  const becomes = async (kubeConfig: KubeConfig, expected: number): Promise<unknown> => {
    for (let tries = 0; tries < 10_000; tries += 1) if ((await made(kubeConfig)) === expected) return expected
    return made(kubeConfig)
  }

  const play = (lane: Lane | undefined, whoOf: (granted: Provider.Granted, plane: ControlPlane) => KubeConfig) =>
    Effect.scoped(
      Effect.gen(function* () {
        if (lane === undefined) return yield* Effect.die("there is no real API server")
        const { fixture } = yield* lane.make
        const { provider } = fixture
        const plane = yield* Effect.promise(sharedPlane)
        const requestId = "req_00000000000000000000000042"
        const canonical = { role: "Role/deployer", resourceScope: "main/team-a", durationSeconds: 900 }
        const shared = { requestId, grantee: alice, canonical, checked: {}, neighbours: [], now: yield* fixture.now }
        const alone = plane.as(plane.tokens.alice)
        const granted = yield* provider.grant({ ...shared, reason: "INC-1", metadata: {} })
        const who = whoOf(granted, plane)
        const seen = [yield* Effect.promise(() => becomes(who, 201)), yield* Effect.promise(() => made(alone))]
        const { notAfter, reference } = granted
        yield* provider.end({ ...shared, reference, notAfter, why: "early" })
        return { seen, after: (status: number) => becomes(who, status) }
      })
    )

  it("is the requester's own in the mode user, and over after its end", async ({ skip }) => {
    if (whyNot !== null) skip(whyNot)
    const { after, seen } = await Effect.runPromise(play(userLane, (_, plane) => plane.as(plane.tokens.alice)))
    expect([...seen, await after(403)]).toEqual([201, 201, 403])
  })

  it("is the kubeconfig's alone in the mode service_account, whose token is refused after its end", async ({
    skip
  }) => {
    if (whyNot !== null) skip(whyNot)
    const { after, seen } = await Effect.runPromise(
      play(accountLane, ({ credentials }) => {
        const kubeConfig = new KubeConfig()
        kubeConfig.loadFromString(credentials["JITSUDO_FILE_KUBECONFIG"] ?? "")
        return kubeConfig
      })
    )
    // It remembers for ten seconds whom it has accepted a token for; what that one may do is over before.
    expect([...seen, await after(403), await after(401)]).toEqual([201, 403, 403, 401])
  })
})
