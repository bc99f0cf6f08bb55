/**
 * The wire server is as strict as an API server: the table of exchanges, which a real one answers as well
 * (`kubernetes.real.test.ts`), and what only the wire server can be asked for.
 */
import { assert, describe, it } from "@effect/vitest"
import { KubernetesWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import {
  type Answered,
  binding,
  type Exchange,
  exchanges,
  makerManifests,
  whyNotExpected
} from "./support/KubernetesExchanges.ts"
import { accountManifests, daemon, rbac, rbacManifests, wireOptions, world } from "./support/KubernetesFixture.ts"

const tokens = { admin: "a", daemon: daemon.token, alice: "b", maker: "c", nobody: "nobody's" }
const users = [
  { name: "admin", token: tokens.admin, groups: ["system:masters"] },
  { name: "oidc:alice@example.com", token: tokens.alice },
  { name: "maker", token: tokens.maker }
]

const started = KubernetesWire.scoped(
  wireOptions([...world, ...rbacManifests, ...accountManifests, ...makerManifests], users)
)

const send = (
  wire: KubernetesWire.KubernetesWire,
  { as, body, method, path }: Pick<Exchange, "as" | "method" | "path" | "body">,
  token: string = tokens[as]
): Effect.Effect<Answered> =>
  Effect.promise(async () => {
    const answer = await fetch(`${wire.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    return { status: answer.status, text: await answer.text() }
  })

describe("the wire server", () => {
  it.live("answers as the table says, which a real API server answers as well", () =>
    Effect.gen(function* () {
      const wire = yield* started
      const wrong: Array<string> = []
      for (const exchange of exchanges) {
        const why = whyNotExpected(exchange, yield* send(wire, exchange))
        if (why !== null) wrong.push(`${exchange.name}: ${why}`)
      }
      assert.deepStrictEqual(wrong, [])
    })
  )

  it("has a table that can fail", () => {
    const exchange = exchanges.find(({ status }) => status === 403)
    assert.isDefined(exchange)
    if (exchange === undefined) return
    assert.isNotNull(whyNotExpected(exchange, { status: 200, text: "{}" }))
    assert.isNotNull(whyNotExpected(exchange, { status: 403, text: '{"reason":"NotFound"}' }))
  })

  const bindings = `/apis/${rbac}/v1/namespaces/team-a/rolebindings`
  const create = { as: "daemon", method: "POST", path: bindings } as const

  it.live.each([
    ["throttle", 429, "TooManyRequests"],
    ["unavailable", 503, "ServiceUnavailable"],
    ["conflict", 409, "Conflict"],
    ["deny", 403, "Forbidden"]
  ] as const)("says %s as an API server does, and does nothing", ([kind, status, reason]) =>
    Effect.gen(function* () {
      const wire = yield* started
      wire.inject(`${rbac}/rolebindings:create`, { kind })
      const answered = yield* send(wire, { ...create, body: binding("one") })
      assert.deepStrictEqual([answered.status, JSON.parse(answered.text).reason], [status, reason])
      assert.isUndefined(wire.get("RoleBinding", "team-a", "one"))
      assert.strictEqual(wire.calls().at(-1)?.outcome, reason)
    })
  )

  it.live("lets a token count only while its very account exists, and until its end", () =>
    Effect.gen(function* () {
      const wire = yield* started
      const account = {
        apiVersion: "v1",
        kind: "ServiceAccount",
        metadata: { name: "somebody", namespace: "jitsudo-sessions" }
      }
      const token = () =>
        Effect.map(
          send(wire, {
            as: "admin",
            method: "POST",
            path: "/api/v1/namespaces/jitsudo-sessions/serviceaccounts/somebody/token",
            body: { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { audiences: [] } }
          }),
          ({ text }): string => JSON.parse(text).status.token
        )
      const whoAmI = (by: string) =>
        Effect.map(
          send(
            wire,
            {
              as: "nobody",
              method: "POST",
              path: "/apis/authentication.k8s.io/v1/selfsubjectreviews",
              body: { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" }
            },
            by
          ),
          ({ status }) => status
        )
      const first = yield* token()
      assert.strictEqual(yield* whoAmI(first), 201)
      wire.remove("ServiceAccount", "jitsudo-sessions", "somebody")
      assert.strictEqual(yield* whoAmI(first), 401)
      wire.apply(account)
      assert.strictEqual(yield* whoAmI(first), 401)
      const second = yield* token()
      assert.strictEqual(yield* whoAmI(second), 201)
      wire.advance(3601)
      assert.strictEqual(yield* whoAmI(second), 401)
    })
  )

  it.live("shows its truth to other processes, without a token", () =>
    Effect.gen(function* () {
      const wire = yield* started
      yield* send(wire, { ...create, body: binding("one") })
      const state = yield* Effect.promise(() => fetch(`${wire.url}/_wire/state`).then((answer) => answer.text()))
      assert.include(state, '"name":"one"')
      for (const token of Object.values(tokens)) assert.notInclude(state, `"${token}"`)
      const lag = yield* Effect.promise(() =>
        fetch(`${wire.url}/_wire/lag`, { method: "POST", body: JSON.stringify({ calls: 2 }) }).then(
          ({ status }) => status
        )
      )
      assert.strictEqual(lag, 200)
    })
  )

  it.live("keeps what has finalizers until the last is gone", () =>
    Effect.gen(function* () {
      const wire = yield* started
      wire.edit("RoleBinding", "team-a", "there", (before) => ({
        ...before,
        metadata: { ...before.metadata, finalizers: ["example.test/hold"] }
      }))
      const deleted = yield* send(wire, { as: "admin", method: "DELETE", path: `${bindings}/there` })
      assert.deepStrictEqual([deleted.status, JSON.parse(deleted.text).kind], [200, "RoleBinding"])
      assert.isDefined(wire.get("RoleBinding", "team-a", "there")?.metadata.deletionTimestamp)
      wire.edit("RoleBinding", "team-a", "there", (before) => ({
        ...before,
        metadata: { ...before.metadata, finalizers: [] }
      }))
      assert.isUndefined(wire.get("RoleBinding", "team-a", "there"))
    })
  )
})
