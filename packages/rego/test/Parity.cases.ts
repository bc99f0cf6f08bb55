/**
 * Policies and inputs on which Wasm and OPA's interpreter must agree. The first part are the behaviours that people rely
 * on; the second goes through the language. Each case is one policy, written for this purpose, with several inputs.
 */
export interface ParityCase {
  readonly name: string
  readonly type: "eligibility" | "approval" | "breakglass"
  readonly source: string
  readonly libraries?: ReadonlyArray<{ readonly file: string; readonly source: string }>
  readonly inputs: ReadonlyArray<unknown>
}

const alice = { requester: { groups: ["sre"], email: "alice@example.test", subject: "alice" } }
const bob = { requester: { groups: ["sre-leads"], email: "bob@example.test", subject: "bob" } }
const dev = { requester: { groups: ["developer"], email: "dev@example.test", subject: "dev" } }
const none = { requester: { groups: [] } }

const request = (more: Readonly<Record<string, unknown>>) => ({
  provider: "aws",
  role: "admin",
  resource_scope: "123456789012",
  duration_seconds: 3600,
  reason: "INC-4421 disk full",
  break_glass: false,
  metadata: {},
  ...more
})

const ask = (
  who: object,
  more: Readonly<Record<string, unknown>> = {},
  context: Readonly<Record<string, unknown>> = {}
) => ({
  ...who,
  request: request(more),
  context: {
    trust_tier: 0,
    requester_trust_tier: 0,
    labels: { facts_ok: true },
    now_ns: 1_767_261_600_000_000_000,
    ...context
  }
})

const eligibility = (name: string, body: string, ...inputs: ReadonlyArray<unknown>): ParityCase => ({
  name,
  type: "eligibility",
  source: `package jitsudo.eligibility\n\n${body}\n`,
  inputs
})
const approval = (name: string, body: string, ...inputs: ReadonlyArray<unknown>): ParityCase => ({
  name,
  type: "approval",
  source: `package jitsudo.approval\n\n${body}\n`,
  inputs
})

const behaviours: ReadonlyArray<ParityCase> = [
  eligibility(
    "members of a group may ask",
    `allow if "sre" in input.requester.groups`,
    ask(alice),
    ask(dev),
    ask(none),
    { requester: { groups: null } },
    {},
    { requester: { groups: ["SRE"] } }
  ),
  eligibility("no body matches, no default", `allow if input.request.provider == "gcp"`, ask(alice)),
  eligibility(
    "default false with a reason",
    `default allow := false\nallow if input.request.provider == "gcp"\nreason := "only gcp" if not allow`,
    ask(alice),
    ask(alice, { provider: "gcp" })
  ),
  eligibility(
    "caps per group",
    `allow if {\n  some cap in caps\n  input.request.duration_seconds <= cap\n}\ncaps contains 14400 if "sre" in input.requester.groups\ncaps contains 43200 if "sre-leads" in input.requester.groups`,
    ask(alice, { duration_seconds: 14_400 }),
    ask(alice, { duration_seconds: 14_401 }),
    ask(bob, { duration_seconds: 43_200 }),
    ask({ requester: { groups: ["sre", "sre-leads"] } }, { duration_seconds: 20_000 })
  ),
  eligibility(
    "provider and role pairs",
    `pairs := {["gcp", "roles/viewer"], ["kubernetes", "view"]}\nallow if {\n  [input.request.provider, input.request.role] in pairs\n  not startswith(input.request.resource_scope, "prod")\n}`,
    ask(dev, { provider: "gcp", role: "roles/viewer" }),
    ask(dev, { provider: "gcp", role: "roles/editor" }),
    ask(dev, { provider: "kubernetes", role: "view", resource_scope: "staging" }),
    ask(dev, { provider: "kubernetes", role: "view", resource_scope: "prod-eu" }),
    ask(dev, { provider: "kubernetes", role: "view", resource_scope: "" })
  ),
  eligibility("a value that is no boolean", `allow := "yes"`, ask(alice)),
  eligibility("a number for allow", `allow := 1`, ask(alice)),
  eligibility("an object for allow", `allow := {}`, ask(alice)),
  eligibility("an array for allow", `allow := []`, ask(alice)),
  eligibility(
    "two values conflict",
    `allow := true if input.request.provider == "aws"\nallow := false if input.request.role == "admin"`,
    ask(alice),
    ask(alice, { role: "reader" }),
    ask(alice, { provider: "gcp" })
  ),
  approval(
    "trusted people read without anybody",
    `default approver_tier := "human"\napprover_tier := "auto" if {\n  input.context.requester_trust_tier >= 3\n  input.request.role in {"reader", "viewer"}\n  input.request.duration_seconds <= 1800\n}`,
    ask(alice, { role: "reader", duration_seconds: 1800 }, { requester_trust_tier: 3 }),
    ask(alice, { role: "reader", duration_seconds: 1800 }, { requester_trust_tier: 2 }),
    ask(alice, { role: "reader", duration_seconds: 1801 }, { requester_trust_tier: 4 })
  ),
  approval("an unknown tier", `approver_tier := "unknown_tier"`, ask(alice)),
  approval("a number for the tier", `approver_tier := 7`, ask(alice)),
  approval(
    "two tiers at once",
    `approver_tier := "auto" if input.request.role == "admin"\napprover_tier := "ai_review" if input.request.provider == "aws"`,
    ask(alice),
    ask(alice, { role: "x" })
  ),
  approval(
    "a chain with else",
    `approver_tier := "auto" if input.request.role == "reader"\nelse := "ai_review" if input.request.provider == "aws"\nelse := "human"`,
    ask(alice, { role: "reader" }),
    ask(alice),
    ask(alice, { provider: "gcp" })
  ),
  approval(
    "only leads approve",
    `allow if "sre-leads" in input.user.groups\nreason := "leads only" if not allow`,
    { ...ask(alice), user: bob.requester },
    { ...ask(alice), user: dev.requester }
  ),
  eligibility(
    "business hours by the pinned clock",
    `allow if {\n  time.weekday(input.context.now_ns) in {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}\n  [hour, _, _] := time.clock(input.context.now_ns)\n  hour >= 9\n  hour < 18\n}`,
    ask(alice, {}, { now_ns: 1_767_780_000_000_000_000 }),
    ask(alice, {}, { now_ns: 1_768_039_200_000_000_000 }),
    ask(alice, {}, { now_ns: 1_767_808_800_000_000_000 })
  ),
  approval(
    "an incident in the reason",
    'approver_tier := "ai_review" if regex.match(`INC-\\d+`, input.request.reason)',
    ask(alice),
    ask(alice, { reason: "please" })
  ),
  {
    name: "break-glass for on-call",
    type: "breakglass",
    source: `package jitsudo.breakglass\n\nallow if "oncall" in input.requester.groups\nblock_on_open_review := true\nmax_duration_seconds := 900`,
    inputs: [ask({ requester: { groups: ["oncall"] } }, { break_glass: true }), ask(alice)]
  },
  approval(
    "names by group and by address",
    `approver_group := "sre-leads" if input.request.provider == "aws"\napprovers contains sprintf("user:%s@example.test", [name]) if some name in ["ann", "bea"]\nmin_approvals := 2`,
    ask(alice),
    ask(alice, { provider: "gcp" })
  ),
  approval(
    "an ai may approve what is small",
    `ai_allow if {\n  input.review.confidence >= 0.8\n  input.review.risk == "low"\n}`,
    { ...ask(alice), review: { confidence: 0.8, risk: "low" } },
    { ...ask(alice), review: { confidence: 0.79, risk: "low" } },
    ask(alice)
  ),
  eligibility(
    "reasons and denials",
    `deny contains msg if {\n  some word in ["test", "asdf"]\n  contains(lower(input.request.reason), word)\n  msg := sprintf("%q is no reason", [word])\n}\ndeny contains "no scope" if input.request.resource_scope == ""`,
    ask(alice, { reason: "TEST asdf" }),
    ask(alice, { resource_scope: "" }),
    ask(alice)
  ),
  eligibility(
    "a label from the operator",
    `allow if input.context.labels.blast_radius == "low"`,
    ask(alice, {}, { labels: { blast_radius: "low" } }),
    ask(alice),
    ask(alice, {}, { labels: { blast_radius: 3 } })
  ),
  eligibility(
    "total time",
    `max_total_seconds := 7200 if input.context.held_seconds > 0\nallow if true`,
    ask(alice, {}, { held_seconds: 10 }),
    ask(alice, {}, { held_seconds: 0 })
  ),
  eligibility(
    "separation by address",
    `deny contains "yourself" if input.user.email == input.requester.email`,
    { ...ask(alice), user: alice.requester },
    { ...ask(alice), user: bob.requester }
  )
]

const language: ReadonlyArray<ParityCase> = [
  eligibility(
    "every",
    `allow if {\n  count(input.requester.groups) > 0\n  every group in input.requester.groups {\n    startswith(group, "sre")\n  }\n}`,
    ask(alice),
    ask(dev),
    ask(none),
    ask(bob)
  ),
  eligibility(
    "some with key and value",
    `allow if {\n  some key, value in input.request.metadata\n  key == "ticket"\n  startswith(value, "INC-")\n}`,
    ask(alice, { metadata: { ticket: "INC-1" } }),
    ask(alice, { metadata: { other: "INC-1" } }),
    ask(alice)
  ),
  eligibility(
    "not on undefined and on false",
    `allow if not input.request.absent\nreason := "false counts too" if not input.request.break_glass`,
    ask(alice),
    ask(alice, { break_glass: true })
  ),
  eligibility(
    "functions",
    `double(x) := x * 2\nis_long(seconds) if double(seconds) > 7200\nallow if not is_long(input.request.duration_seconds)`,
    ask(alice),
    ask(alice, { duration_seconds: 3601 })
  ),
  eligibility(
    "functions with several bodies",
    `rank(group) := 3 if group == "sre-leads"\nrank(group) := 2 if group == "sre"\nallow if {\n  some group in input.requester.groups\n  rank(group) >= 2\n}`,
    ask(alice),
    ask(bob),
    ask(dev)
  ),
  eligibility(
    "functions with default",
    `default cap(_) := 60\ncap(group) := 3600 if group == "sre"\nmax_duration_seconds := cap(input.requester.groups[0])`,
    ask(alice),
    ask(dev),
    ask(none)
  ),
  eligibility("array comprehension", `max_duration_seconds := sum([n | some n in [1, 2, 3]; n > 1])`, ask(alice)),
  eligibility(
    "set comprehension",
    `max_duration_seconds := count({g | some g in input.requester.groups})`,
    ask({ requester: { groups: ["a", "b", "a"] } })
  ),
  eligibility(
    "object comprehension",
    `lengths := {g: count(g) | some g in input.requester.groups}\nmax_duration_seconds := lengths.sre`,
    ask(alice),
    ask(dev)
  ),
  eligibility(
    "nested references",
    `allow if input.a.b[0].c == "x"`,
    { a: { b: [{ c: "x" }] } },
    { a: { b: [] } },
    { a: 1 }
  ),
  eligibility("with replaces input", `inner if input.x == 1\nallow if inner with input as {"x": 1}`, {}, { x: 2 }),
  eligibility(
    "with replaces part of input",
    `inner if input.request.role == "reader"\nallow if inner with input.request.role as "reader"`,
    ask(alice)
  ),
  eligibility(
    "set operations",
    `a := {1, 2, 3}\nb := {2, 3, 4}\nmax_duration_seconds := (count(a & b) * 100) + count(a - b) + count(a | b)`,
    {}
  ),
  eligibility("arithmetic", `max_duration_seconds := ((7 * 3) - (10 / 4)) + (17 % 5)`, {}),
  eligibility("division by zero is undefined", `max_duration_seconds := 1 / input.zero`, { zero: 0 }, { zero: 2 }),
  eligibility("comparison across types", `allow if "a" > 1\nreason := "null is least" if null < false`, {}),
  eligibility("big numbers", `max_duration_seconds := input.n + 1`, { n: 9_007_199_254_740_991 }, { n: 1e15 }),
  eligibility("fractions", `max_duration_seconds := input.n * 3`, { n: 0.1 }, { n: 1.5 }, { n: -2.25 }),
  eligibility(
    "rounding",
    `max_duration_seconds := round(input.n) + ceil(input.n) + floor(input.n) + abs(input.n)`,
    { n: 2.5 },
    { n: -2.5 },
    { n: 2.4 }
  ),
  eligibility(
    "numbers from text",
    `max_duration_seconds := to_number(input.text)`,
    { text: "12.5" },
    { text: "abc" },
    { text: "" }
  ),
  eligibility(
    "strings",
    `reason := concat("|", [upper(input.t), lower(input.t), trim_space(input.t), replace(input.t, "a", "b"), substring(input.t, 1, 2), trim_prefix(input.t, " "), sprintf("%d-%s-%v", [3, "x", [1, "b"]])])`,
    { t: " aXa " },
    { t: "äöü€" }
  ),
  eligibility(
    "splitting and searching",
    `reason := sprintf("%v %v %v %v", [split(input.t, ","), indexof(input.t, "b"), contains(input.t, "b"), endswith(input.t, "c")])`,
    { t: "a,b,c" },
    { t: "" }
  ),
  eligibility("unicode lengths", `max_duration_seconds := count(input.t)`, { t: "äöü" }, { t: "😀" }, { t: "" }),
  eligibility(
    "regular expressions",
    "allow if regex.match(`^prod-[a-z]{2,4}$`, input.t)",
    { t: "prod-eu" },
    { t: "prod-EU" },
    { t: "prod-europe" },
    { t: "" }
  ),
  eligibility(
    "globs",
    `allow if glob.match("*.example.test", ["."], input.t)`,
    { t: "a.example.test" },
    { t: "a.b.example.test" }
  ),
  eligibility(
    "networks",
    `allow if net.cidr_contains("10.0.0.0/8", input.ip)`,
    { ip: "10.1.2.3" },
    { ip: "11.0.0.1" },
    { ip: "nonsense" }
  ),
  eligibility(
    "objects",
    `reason := object.get(input, ["a", "b"], "none")\nmax_duration_seconds := count(object.union({"a": 1}, input.o))\nallow if object.keys(input.o) == {"b"}`,
    { a: { b: "there" }, o: { b: 2 } },
    { o: {} }
  ),
  eligibility(
    "arrays",
    `max_duration_seconds := array.concat([1], input.a)[1]\nreason := sprintf("%v", [array.slice(array.reverse(input.a), 0, 2)])`,
    { a: [5, 6, 7] },
    { a: [] }
  ),
  eligibility(
    "aggregates",
    `max_duration_seconds := max(input.a) + min(input.a) + product(input.a)\nreason := sprintf("%v", [sort(input.a)])`,
    { a: [3, 1, 2] },
    { a: [] }
  ),
  eligibility(
    "types",
    `reason := concat(",", [type_name(v) | some v in input.a])\nallow if is_number(input.a[0])`,
    { a: [1, "a", null, true, [], {}] },
    { a: ["x"] }
  ),
  eligibility(
    "json",
    `max_duration_seconds := count(json.remove(input.o, ["a"]))`,
    { o: { b: 1, a: [null] }, t: "{}" },
    { o: { b: 1 }, t: "{" }
  ),
  eligibility("base64", `reason := base64.decode(base64.encode(input.t))`, { t: "äb" }),
  eligibility(
    "semver",
    `allow if semver.compare(input.v, "1.2.3") > 0\nreason := "valid" if semver.is_valid(input.v)`,
    { v: "1.10.0" },
    { v: "1.2.3-rc.1" },
    { v: "x" }
  ),
  eligibility(
    "time of now is the clock given",
    `max_duration_seconds := time.now_ns() - input.context.now_ns`,
    ask(alice)
  ),
  eligibility(
    "time arithmetic",
    `reason := time.format(time.add_date(input.context.now_ns, 0, 1, 1))\nmax_duration_seconds := time.diff(time.now_ns(), 0)[0]`,
    ask(alice),
    ask(alice, {}, { now_ns: 1_709_164_800_000_000_000 })
  ),
  eligibility(
    "time zones",
    `reason := time.format([input.context.now_ns, "Europe/Berlin"])\nmax_duration_seconds := time.clock([input.context.now_ns, "America/New_York"])[0]`,
    ask(alice),
    ask(alice, {}, { now_ns: 1_782_864_000_000_000_000 })
  ),
  eligibility(
    "times that cannot be read are undefined",
    `max_duration_seconds := time.parse_rfc3339_ns(input.t)`,
    { t: "2026-01-01T00:00:00Z" },
    { t: "yesterday" }
  ),
  eligibility("durations", `max_duration_seconds := time.parse_duration_ns(input.t)`, { t: "1h30m" }, { t: "90" }),
  eligibility(
    "walk",
    `deny contains "a secret" if {\n  walk(input, [_, value])\n  value == "secret"\n}`,
    { a: [{ b: "secret" }] },
    { a: 1 }
  ),
  eligibility("iteration with a wildcard", `allow if input.requester.groups[_] == "sre"`, ask(alice), ask(dev)),
  eligibility(
    "unification",
    `allow if [x, "b"] = ["a", input.t]\nreason := x if [x, "b"] = [input.t, "b"]`,
    { t: "b" },
    { t: "c" }
  ),
  eligibility(
    "rules that depend on each other",
    `a if b\nb if c\nc if input.x\nallow if a`,
    { x: true },
    { x: false },
    {}
  ),
  eligibility(
    "partial objects",
    `caps[group] := 60 if some group in input.requester.groups\nmax_duration_seconds := caps.sre`,
    ask(alice),
    ask(dev)
  ),
  eligibility("a default object", `default limits := {"sre": 1}\nmax_duration_seconds := limits.sre`, {}),
  eligibility("membership in objects", `allow if "x" in {"k": input.v}`, { v: "x" }, { v: "y" }),
  eligibility("if without body and constants", `default allow := false\nallow := true if 1 == 1`, {}),
  eligibility("numbers.range", `max_duration_seconds := sum(numbers.range(1, input.n))`, { n: 4 }, { n: -2 }),
  eligibility("bits", `max_duration_seconds := bits.or(bits.and(12, 10), bits.lsh(1, 4))`, {}),
  eligibility("string keys with dots and quotes", `allow if input["a.b"]["c\\"d"] == 1`, { "a.b": { 'c"d': 1 } }, {}),
  eligibility("raw strings and escapes", 'reason := sprintf("%s%s", [`\\d`, "\\t\\u00e4"])', {}),
  eligibility("a set as value is a list", `deny contains x if some x in input.a`, { a: ["b", "a", "b"] }, { a: [] }),
  eligibility("mixed members in deny", `deny contains x if some x in input.a`, { a: [1, "a"] }),
  eligibility("null and missing differ", `allow if input.x == null`, { x: null }, {}, { x: false }),
  eligibility(
    "graph reachability",
    `allow if "c" in graph.reachable({"a": ["b"], "b": ["c"], "c": []}, {input.from})`,
    { from: "a" },
    { from: "c" },
    { from: "x" }
  ),
  eligibility(
    "string comparison",
    `allow if input.a < input.b`,
    { a: "a", b: "b" },
    { a: "b", b: "a" },
    { a: "a", b: "A" },
    { a: "ä", b: "z" }
  ),
  {
    name: "a library helps",
    type: "eligibility",
    source: `package jitsudo.eligibility\n\nimport data.jitsudo.lib.people\n\nallow if people.is_sre(input.requester)\n`,
    libraries: [{ file: "lib.rego", source: `package jitsudo.lib.people\n\nis_sre(who) if "sre" in who.groups\n` }],
    inputs: [ask(alice), ask(dev)]
  }
]

export const parityCases: ReadonlyArray<ParityCase> = [...behaviours, ...language]
