/**
 * What a TypeScript file imports, and a walk over its syntax tree: parsed by rolldown's parser, since TypeScript 7
 * offers no API for it and a regular expression would believe what stands in comments and strings.
 */
import { parseAst } from "rolldown/parseAst"

/** A node of the tree: `type`, `start`, `end`, and fields that depend on the type. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [field: string]: unknown
}

export const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string"

export interface Import {
  /** As written: `"./Time.ts"`, `"effect/Schema"`. */
  readonly from: string
  /** Imported or re-exported names under the name that the other module gives them; `*` is the whole module. */
  readonly names: ReadonlyArray<string>
  /** Local names of the whole module: `import * as Schema` gives `Schema`. */
  readonly namespaces: ReadonlyArray<string>
  readonly line: number
}

const lang = (path: string) => (path.endsWith(".d.ts") ? "dts" : path.endsWith(".ts") ? "ts" : "js")

export function parse(path: string, text: string): Node {
  const program: unknown = parseAst(text, { lang: lang(path) }, path)
  if (!isNode(program)) throw new Error(`${path}: the parser gave no program`)
  return program
}

/** Calls `visit` for the node and everything below it, with the nodes above it, the nearest last. */
export function walk(
  node: Node,
  visit: (node: Node, above: ReadonlyArray<Node>) => void,
  above: ReadonlyArray<Node> = []
): void {
  visit(node, above)
  const inside = [...above, node]
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, visit, inside)
  }
}

export const lineOf = (text: string, { start }: Node): number => text.slice(0, start).split("\n").length

/** The text of an identifier or of a string literal, where the node is one. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  if (node.type === "Identifier" && typeof node["name"] === "string") return node["name"]
  return typeof node["value"] === "string" ? node["value"] : undefined
}

const list = (value: unknown): ReadonlyArray<Node> => (Array.isArray(value) ? value.filter(isNode) : [])
const named = (nodes: ReadonlyArray<Node>, field: string): ReadonlyArray<string> =>
  nodes.map((node) => nameOf(node[field])).filter((name) => name !== undefined)

function importIn(node: Node): Omit<Import, "line"> | undefined {
  const from = nameOf(node["source"])
  if (from === undefined) return undefined
  const specifiers = list(node["specifiers"])
  switch (node.type) {
    case "ImportDeclaration": {
      const whole = specifiers.filter(({ type }) => type === "ImportNamespaceSpecifier")
      const fallback = specifiers.some(({ type }) => type === "ImportDefaultSpecifier") ? ["default"] : []
      const names = [...named(specifiers, "imported"), ...fallback, ...whole.map(() => "*")]
      return { from, names, namespaces: named(whole, "local") }
    }
    case "ExportNamedDeclaration":
      return { from, names: named(specifiers, "local"), namespaces: [] }
    case "ExportAllDeclaration":
    case "ImportExpression":
      return { from, names: ["*"], namespaces: [] }
    case "TSImportType":
      return { from, names: [nameOf(node["qualifier"]) ?? "*"], namespaces: [] }
    default:
      return undefined
  }
}

/** `require("x")`, `require.resolve("x")` and `import.meta.resolve("x")` load by name too. */
function resolvedIn(node: Node): string | undefined {
  if (node.type !== "CallExpression" || !isNode(node["callee"])) return undefined
  const callee = node["callee"]
  const loads =
    nameOf(callee) === "require" ||
    (callee.type === "MemberExpression" &&
      nameOf(callee["property"]) === "resolve" &&
      isNode(callee["object"]) &&
      (nameOf(callee["object"]) === "require" || callee["object"].type === "MetaProperty"))
  return loads ? nameOf(list(node["arguments"])[0]) : undefined
}

/** Every module that a file names: imports, re-exports, dynamic imports, import types, `require`. */
export function importsOf(path: string, text: string): ReadonlyArray<Import> {
  const imports: Array<Import> = []
  walk(parse(path, text), (node) => {
    const found = importIn(node)
    const resolved = resolvedIn(node)
    if (found !== undefined) imports.push({ ...found, line: lineOf(text, node) })
    if (resolved !== undefined) {
      imports.push({ from: resolved, names: ["*"], namespaces: [], line: lineOf(text, node) })
    }
  })
  return imports
}

/** Members used of a namespace import: `Schema.Struct`, also in types. */
export function membersOf(path: string, text: string, namespace: string): ReadonlyArray<string> {
  const members = new Set<string>()
  walk(parse(path, text), (node) => {
    const [object, member] =
      node.type === "MemberExpression"
        ? [node["object"], node["property"]]
        : node.type === "TSQualifiedName"
          ? [node["left"], node["right"]]
          : []
    const name = nameOf(object) === namespace ? nameOf(member) : undefined
    if (name !== undefined) members.add(name)
  })
  return [...members]
}
