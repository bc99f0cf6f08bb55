/**
 * The description of the API as clients should read it: what they send is closed (an unknown member is an error), what
 * they get is open (a later version may say more). Internal annotations are left out.
 */
type Json = unknown

const isObject = (value: Json): value is Readonly<Record<string, Json>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const prefix = "#/components/schemas/"

/** Names of the component schemas that a part of the description refers to. */
const refsIn = (value: Json, found: Set<string> = new Set()): Set<string> => {
  if (Array.isArray(value)) for (const item of value) refsIn(item, found)
  else if (isObject(value)) {
    for (const [name, member] of Object.entries(value)) {
      if (name === "$ref" && typeof member === "string" && member.startsWith(prefix)) {
        found.add(member.slice(prefix.length))
      } else refsIn(member, found)
    }
  }
  return found
}

/** Without closing words, unless it is `closed`, and without annotations of the library. */
const described = (value: Json, closed: boolean): Json => {
  if (Array.isArray(value)) return value.map((item) => described(item, closed))
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(
        ([name, member]) =>
          !name.startsWith("x-effect") && (closed || name !== "additionalProperties" || member !== false)
      )
      .map(([name, member]) => [name, described(member, closed || name === "requestBody" || name === "parameters")])
  )
}

/** Component schemas that are part of a request, directly or through others. */
const sent = (paths: Json, schemas: Readonly<Record<string, Json>>): ReadonlySet<string> => {
  const found = new Set<string>()
  for (const path of Object.values(isObject(paths) ? paths : {})) {
    for (const operation of Object.values(isObject(path) ? path : {})) {
      if (isObject(operation)) refsIn([operation["requestBody"], operation["parameters"]], found)
    }
  }
  for (const name of found) for (const further of refsIn(schemas[name])) found.add(further)
  return found
}

export const openAnswers = (spec: Readonly<Record<string, Json>>): Record<string, Json> => {
  const components = isObject(spec["components"]) ? spec["components"] : {}
  const schemas = isObject(components["schemas"]) ? components["schemas"] : {}
  const closed = sent(spec["paths"], schemas)
  const shapes = Object.entries(schemas).map(([name, schema]) => [name, described(schema, closed.has(name))] as const)
  return {
    ...spec,
    paths: described(spec["paths"], false),
    components: { ...components, schemas: Object.fromEntries(shapes) }
  }
}
