/**
 * What policies may call: the one list that compiling, checking, testing and interpreting are held to.
 *
 * 1. A name in `nativeBuiltinNames` is part of OPA's Wasm and never asked of the host (tested against compiled modules).
 * 2. A name in `hostBuiltinNames` is asked of the host, which has an implementation of each.
 * 3. Every other built-in of OPA is refused by name when a policy is checked, so none can be missing at evaluation.
 */

/** What OPA's Wasm does by itself. */
export const nativeBuiltinNames: ReadonlyArray<string> = [
  ...["plus", "minus", "mul", "div", "rem", "abs", "round", "ceil", "floor"],
  ...["equal", "neq", "lt", "lte", "gt", "gte", "and", "or"],
  ...["count", "sum", "product", "max", "min", "sort", "intersection", "union"],
  ...["array.concat", "array.flatten", "array.reverse", "array.slice"],
  ...["is_array", "is_boolean", "is_null", "is_number", "is_object", "is_set", "is_string", "type_name"],
  ...["bits.and", "bits.lsh", "bits.negate", "bits.or", "bits.rsh", "bits.xor"],
  ...["base64.decode", "base64.encode", "base64.is_valid", "base64url.decode", "base64url.encode"],
  ...["net.cidr_contains", "net.cidr_intersects", "glob.match", "graph.reachable", "walk"],
  ...["json.filter", "json.remove"],
  ...["object.filter", "object.get", "object.keys", "object.remove", "object.union", "object.union_n"],
  ...["concat", "contains", "endswith", "format_int", "indexof", "lower", "replace", "split", "startswith"],
  ...["strings.replace_n", "strings.reverse", "substring", "upper"],
  ...["trim", "trim_left", "trim_prefix", "trim_right", "trim_space", "trim_suffix"],
  ...["numbers.range", "to_number", "regex.find_all_string_submatch_n", "regex.is_valid", "regex.match"],
  // What `in` and template strings are translated to.
  ...["internal.member_2", "internal.member_3", "internal.template_string"]
]

/** What OPA's Wasm leaves to the process that evaluates. */
export const hostBuiltinNames: ReadonlyArray<string> = [
  "sprintf",
  "time.now_ns",
  "time.parse_rfc3339_ns",
  "time.parse_ns",
  "time.parse_duration_ns",
  "time.format",
  "time.clock",
  "time.date",
  "time.weekday",
  "time.add_date",
  "time.diff",
  "semver.compare",
  "semver.is_valid"
]

/** Never in a compiled policy: the compiler resolves the first two and drops `print`, which tests and `interpret` show. */
export const erasedBuiltinNames: ReadonlyArray<string> = ["eq", "assign", "print"]

/** All names that a policy may use. */
export const allowedBuiltinNames: ReadonlyArray<string> = [
  ...nativeBuiltinNames,
  ...hostBuiltinNames,
  ...erasedBuiltinNames
]

const reasons: ReadonlyArray<readonly [prefix: string, reason: string]> = [
  ["http.", "policies have no network; facts come in with the input"],
  ["net.lookup_ip_addr", "policies have no network; facts come in with the input"],
  ["opa.runtime", "policies do not see the environment"],
  ["rand.", "a decision must come out the same when it is replayed"],
  ["uuid.", "a decision must come out the same when it is replayed"],
  ["rego.", "policies do not read policies"],
  ["json.marshal", "compiled policies write members in another order than OPA's interpreter"],
  ["json.is_valid", "compiled policies take other texts for JSON than OPA's interpreter"],
  ["json.unmarshal", "compiled policies take other texts for JSON than OPA's interpreter"],
  ["trace", "use print, which tests and `policy eval` show"]
]

/** The sentence for a built-in that OPA has and that policies may not use. */
export const refusal = (builtin: string): string => {
  const known = reasons.find(([prefix]) => builtin.startsWith(prefix))
  const reason = known === undefined ? "it is not on the list of what compiled policies can run" : known[1]
  return `built-in ${builtin} is not allowed in jitsudo policies: ${reason}`
}
