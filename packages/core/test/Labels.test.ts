/** Labels are the operator's words about a target, never the requester's. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fromTable, Labels, layerTable, type LabelRow, type LabelTarget } from "../src/Labels.ts"

const target: LabelTarget = {
  provider: "aws",
  role: "arn:aws:iam::123456789012:role/admin",
  resourceScope: "123456789012",
  requester: { issuer: "i", subject: "s" },
  ticket: ""
}
const row = (labels: LabelRow["labels"], more: Partial<LabelRow> = {}): LabelRow => ({
  provider: "*",
  role: "*",
  resourceScope: "*",
  labels,
  ...more
})

describe("the table of labels", () => {
  it("always says that facts could be read", () => {
    assert.deepStrictEqual(fromTable([], target), { facts_ok: true })
    assert.deepStrictEqual(fromTable([row({ facts_ok: false })], target), { facts_ok: true })
  })

  it("matches by pattern in provider, role and scope, all of them", () => {
    const high = { blast_radius: "high" }
    const hit = (more: Partial<LabelRow>) => "blast_radius" in fromTable([row(high, more)], target)
    assert.isTrue(hit({ provider: "aws", role: "*/admin", resourceScope: "1234*" }))
    assert.isFalse(hit({ provider: "gcp" }))
    assert.isFalse(hit({ role: "*/reader" }))
    assert.isFalse(hit({ resourceScope: "999*" }))
    assert.isFalse(hit({ role: "" }))
  })

  it("lets later rows win, label by label", () => {
    const rows = [row({ a: 1, b: 1 }), row({ b: 2 }), row({ b: 3 }, { provider: "gcp" })]
    assert.deepStrictEqual(fromTable(rows, target), { a: 1, b: 2, facts_ok: true })
  })

  it("gives a ticket's labels to who names the ticket, and to nobody who names none", () => {
    const rows = [row({ ai: true }, { ticket: "INC-*" }), row({ any: true }, { ticket: "*" })]
    assert.deepStrictEqual(fromTable(rows, target), { facts_ok: true })
    assert.deepStrictEqual(fromTable(rows, { ...target, ticket: "INC-7" }), { ai: true, any: true, facts_ok: true })
    assert.deepStrictEqual(fromTable(rows, { ...target, ticket: "CHG-7" }), { any: true, facts_ok: true })
  })

  it.effect("is the service's answer", () =>
    Effect.gen(function* () {
      const labels = yield* Labels
      assert.deepStrictEqual(yield* labels.of(target), { a: 1, facts_ok: true })
    }).pipe(Effect.provide(layerTable([row({ a: 1 })])))
  )
})
