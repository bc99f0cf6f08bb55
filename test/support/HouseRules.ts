/**
 * House rules that the linter has no rule for, judged on the syntax tree.
 *
 * 1. The clock, randomness and the environment are values or services: no `new Date()`, no global reached by a detour.
 * 2. A type is never forced (`as unknown as`), an error never swallowed (`catch {}`).
 * 3. No note to oneself is left in a source; what is missing is an issue.
 * 4. A file has a name of its own: `utils` holds what has no name yet.
 */
import type { Source } from "./Sources.ts"
import { isNode, lineOf, nameOf, parse, walk } from "./Syntax.ts"
import type { Node } from "./Syntax.ts"

/** Packages whose sources never ask the surroundings: everything but the hosts. */
const ruleBook = /^packages\/(?:core|audit|rego|providers|client)\/src\//

const ambient: Readonly<Record<string, ReadonlyArray<string>>> = {
  Date: ["now"],
  performance: ["now"],
  Math: ["random"],
  process: ["env"]
}

/** `Date.now`, `Date["now"]`, `globalThis.Date.now`, and destructuring: `const { env } = process`. */
function ambientIn(node: Node): string | undefined {
  const globalNamed = (value: unknown): string | undefined =>
    isNode(value) && value.type === "MemberExpression" && nameOf(value["object"]) === "globalThis"
      ? nameOf(value["property"])
      : isNode(value) && value.type === "Identifier"
        ? nameOf(value)
        : undefined
  if (node.type === "MemberExpression") {
    const [object, property] = [globalNamed(node["object"]), nameOf(node["property"])]
    if (object !== undefined && property !== undefined && ambient[object]?.includes(property))
      return `${object}.${property}`
  }
  if (node.type === "VariableDeclarator" && isNode(node["id"]) && node["id"].type === "ObjectPattern") {
    const object = globalNamed(node["init"])
    const properties = Array.isArray(node["id"]["properties"]) ? node["id"]["properties"].filter(isNode) : []
    const taken = properties.map((property) => nameOf(property["key"]) ?? "")
    const found = taken.find((property) => object !== undefined && ambient[object]?.includes(property))
    if (found !== undefined) return `${object}.${found}`
  }
  const builds = node.type === "NewExpression" || node.type === "CallExpression"
  if (builds && globalNamed(node["callee"]) === "Date") {
    const given = Array.isArray(node["arguments"]) ? node["arguments"].length : 0
    if (node.type === "CallExpression" || given === 0) return "the current Date"
  }
  return undefined
}

const forcedCast = (node: Node): boolean =>
  node.type === "TSAsExpression" &&
  isNode(node["expression"]) &&
  node["expression"].type === "TSAsExpression" &&
  isNode(node["expression"]["typeAnnotation"]) &&
  ["TSUnknownKeyword", "TSAnyKeyword", "TSNeverKeyword"].includes(node["expression"]["typeAnnotation"].type)

const emptyCatch = (node: Node): boolean =>
  node.type === "CatchClause" &&
  isNode(node["body"]) &&
  Array.isArray(node["body"]["body"]) &&
  node["body"]["body"].length === 0

const nameless = /(?:^|\/)(?:utils?|helpers?|common|misc|types|base|shared)\.[a-z.]+$/i
// Spelled in pieces, so that this rule does not find itself.
const noteToOneself = new RegExp(String.raw`\b(?:${["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"].join("|")})\b`)

export function brokenHouseRules({ path, text }: Source): ReadonlyArray<string> {
  const broken: Array<string> = []
  const say = (line: number, what: string) => broken.push(`${path}:${line} ${what}`)

  if (nameless.test(path)) say(1, "a file called like this has no idea of its own: name the concept")
  text.split("\n").forEach((line, index) => {
    if (noteToOneself.test(line)) say(index + 1, "a note to oneself: do it, or open an issue")
  })
  walk(parse(path, text), (node) => {
    const found = ruleBook.test(path) ? ambientIn(node) : undefined
    if (found !== undefined)
      say(lineOf(text, node), `asks the surroundings for ${found}: take it as a value or a service`)
    if (forcedCast(node)) say(lineOf(text, node), "forces a type: decode it, or fix the type")
    if (emptyCatch(node)) say(lineOf(text, node), "swallows an error: handle it, or let it through")
  })
  return broken
}
