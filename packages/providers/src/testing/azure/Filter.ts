/**
 * The little of OData's filter language that the operations here understand, and nothing else: comparisons of a property
 * with a text, joined by `or`, as the services do. Text in quotes has its quotes doubled; a quote that is not doubled
 * ends the text, so that a careless filter means what it means to the service.
 */
import { Refusal } from "./Refusal.ts"

export interface Comparison {
  readonly property: string
  readonly value: string
}

const invalid = (): Refusal => new Refusal(400, "BadRequest", "Invalid filter clause.")

/** `a eq 'x' or a eq 'y'`: the comparisons, any of which may hold. */
export const comparisons = (filter: string, properties: ReadonlyArray<string>): ReadonlyArray<Comparison> => {
  const found: Array<Comparison> = []
  let rest = filter
  for (;;) {
    const next = /^\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*/u.exec(rest)
    if (next === null) throw invalid()
    const [whole, property = "", value = ""] = next
    if (!properties.includes(property)) throw invalid()
    found.push({ property, value: value.replaceAll("''", "'") })
    rest = rest.slice(whole.length)
    if (rest === "") return found
    if (!rest.startsWith("or ")) throw invalid()
    rest = rest.slice(3)
  }
}
