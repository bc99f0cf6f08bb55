import { assert, describe, it } from "@effect/vitest"
import type { Policy } from "@jitsudo/core"
import { readFileSync } from "node:fs"
import { erasedBuiltinNames, hostBuiltinNames, nativeBuiltinNames } from "../src/Capabilities.ts"
import * as Combine from "../src/Combine.ts"
import type { Evaluation, PolicyAnswer, RuleAnswer } from "../src/Evaluation.ts"
import { problemOf } from "../src/InputSchema.ts"
import { packageOf, rulesRead, ruleTypes, type DecidingType } from "../src/Rules.ts"

const page = readFileSync(new URL("../../../docs/spec/policy.md", import.meta.url), "utf8")

/** The text of a section, up to the next heading. */
const section = (heading: string): string => {
  const from = page.indexOf(`\n${heading}`)
  assert.isAtLeast(from, 0, heading)
  const rest = page.slice(from + 1 + heading.length)
  const to = rest.search(/\n#{2,3} /u)
  return to < 0 ? rest : rest.slice(0, to)
}

/** The rows of the table of a section, without its head. */
const rows = (heading: string): ReadonlyArray<ReadonlyArray<string>> => {
  const lines = section(heading)
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim())
    )
  assert.isAbove(lines.length, 2, heading)
  return lines
}

const codes = (text: string): ReadonlyArray<string> => [...text.matchAll(/`([^`]+)`/gu)].map(([, code = ""]) => code)

/** A cell as a policy's answers: JSON, `rule!` for a rule that broke, nothing for no policy. */
const policyIn = (cell: string, policy: string, type: DecidingType): ReadonlyArray<PolicyAnswer> => {
  if (cell === "") return []
  const said: Readonly<Record<string, unknown>> = JSON.parse(codes(cell)[0] ?? "")
  const rules = Object.entries(said).map(([rule, value]): readonly [string, RuleAnswer] => {
    const broke = rule.endsWith("!")
    const name = broke ? rule.slice(0, -1) : rule
    assert.property(ruleTypes[type], name)
    return [name, broke ? { state: "failed", message: "conflict" } : { state: "value", value }]
  })
  return [{ policy, type, rules: Object.fromEntries(rules) }]
}

const because = (reasons: ReadonlyArray<string>): string => (reasons.length === 0 ? "" : `: ${reasons.join("; ")}`)

const shownEligibility = (verdict: Policy.Eligibility): string =>
  verdict.allowed
    ? "yes" +
      (verdict.maxTotalSeconds === null ? "" : `, ${verdict.maxTotalSeconds} s in total`) +
      (verdict.blockOnOpenReview ? ", unless a review is open" : "")
    : `no${because(verdict.reasons)}`

const shownRouting = ({ openQuorum, stages, tier }: Policy.RoutingVerdict): string => {
  const shown = stages.map(({ groups, policy, quorum, users }) =>
    groups.length + users.length === 0
      ? `${policy}: nobody can`
      : `${policy}: ${quorum} of ${[...groups, ...users].join(", ")}`
  )
  return [tier, ...(shown.length === 0 ? [`${openQuorum} admitted`] : shown)].join(", ")
}

const shownAdmission = ({ allowed, denied, reasons }: Policy.Admission): string => {
  assert.isFalse(allowed && denied)
  return allowed ? "yes" : `${denied ? "denied" : "no"}${because(reasons)}`
}

const table = (
  heading: string,
  types: readonly [DecidingType, DecidingType],
  shown: (evaluation: Evaluation) => string
) => {
  describe(heading, () => {
    it.each(rows(heading).map(([a = "", b = "", verdict = ""]) => [a, b, verdict] as const))(
      "%s and %s: %s",
      (a, b, verdict) => {
        const answers = [...policyIn(a, "A", types[0]), ...policyIn(b, "B", types[1])]
        assert.strictEqual(shown({ answers }), verdict)
        // Which policy comes first changes nothing but the order of what is said.
        const sorted = (text: string) => text.split(/[,;:] /u).sort()
        assert.deepStrictEqual(sorted(shown({ answers: answers.toReversed() })), sorted(verdict))
      }
    )
  })
}

describe("docs/spec/policy.md", () => {
  it("lists the rules of each type", () => {
    const listed = rows("## 1. Types, packages and rules").map(([type = "", own = "", rules = ""]) => [
      codes(type)[0],
      codes(own)[0],
      rules
    ])
    const types: ReadonlyArray<DecidingType> = ["eligibility", "approval", "breakglass"]
    assert.deepStrictEqual(
      listed.slice(0, 3),
      types.map((type) => [
        type,
        packageOf[type],
        Object.entries(ruleTypes[type])
          .map(([rule, of]) => `\`${rule}\` ${of}`)
          .join(", ")
      ])
    )
  })

  it("lists what is read for each action", () => {
    const listed = rows("## 2. When which rule is read").map(([action = "", , , rules = ""]) => [
      codes(action)[0],
      rules
    ])
    const byName = Object.entries(rulesRead).map(([action, read]) => [
      action,
      Object.entries(read)
        .map(([type, rules]) => `${type}: ${rules.map((rule) => `\`${rule}\``).join(", ")}`)
        .join("; ")
    ])
    assert.deepStrictEqual(listed.sort(), byName.sort())
  })

  table("### 3.1 May it be asked for?", ["eligibility", "eligibility"], (evaluation) =>
    shownEligibility(Combine.eligibility("request", 3600, evaluation))
  )
  table("### 3.2 May glass be broken?", ["eligibility", "breakglass"], (evaluation) =>
    shownEligibility(Combine.eligibility("break_glass", 3600, evaluation))
  )
  table("### 3.3 Who decides?", ["approval", "approval"], (evaluation) => shownRouting(Combine.routing(evaluation)))
  for (const action of ["approve", "deny", "revoke"] as const) {
    table("### 3.4 May this one decide?", ["approval", "approval"], (evaluation) =>
      shownAdmission(Combine.admission(action, "human", evaluation))
    )
  }
  table("### 3.5 May this agent approve?", ["approval", "approval"], (evaluation) =>
    shownAdmission(Combine.admission("ai_approve", "agent", evaluation))
  )

  it.each(["approve", "deny", "revoke"] as const)("allow never admits an agent to %s", (action) => {
    const answers = policyIn('`{"allow": true}`', "A", "approval")
    assert.isFalse(Combine.admission(action, "agent", { answers }).allowed)
  })

  it("what cannot be evaluated denies, as section 6 says", () => {
    const evaluation: Evaluation = { failure: { policy: "A", reason: "budget", message: "too slow" } }
    for (const action of ["request", "break_glass"] as const) {
      assert.strictEqual(shownEligibility(Combine.eligibility(action, 60, evaluation)), "no: too slow")
    }
    assert.strictEqual(shownRouting(Combine.routing(evaluation)), "human, A: nobody can")
    for (const action of ["approve", "deny", "revoke", "ai_approve"] as const) {
      assert.strictEqual(shownAdmission(Combine.admission(action, "human", evaluation)), "denied: too slow")
    }
  })

  it("shows an input that is one", () => {
    const [, json = ""] = /```json\n([\s\S]+?)\n```/u.exec(section("## 4. Input")) ?? []
    assert.isUndefined(problemOf(JSON.parse(json)))
  })

  it("lists the built-ins", () => {
    const text = section("## 5. Built-in functions")
    const listed = (label: string) => codes(new RegExp(`^${label}: (.*)$`, "mu").exec(text)?.[1] ?? "").toSorted()
    const hidden = ["internal.member_2", "internal.member_3", "internal.template_string", ...erasedBuiltinNames]
    assert.deepStrictEqual(
      listed("Native").filter((name) => name !== "in"),
      nativeBuiltinNames.filter((name) => !hidden.includes(name)).toSorted()
    )
    assert.deepStrictEqual(listed("Added"), [...hostBuiltinNames].toSorted())
  })
})
