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
})
