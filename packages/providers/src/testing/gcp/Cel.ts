/**
 * The part of CEL that conditions on time are written in: comparisons of `request.time`, joined by `&&`.
 *
 * Attributes: https://cloud.google.com/iam/docs/conditions-attribute-reference#date-time. An expression that is not of
 * this part is refused when it is new; Google knows far more.
 */

const comparison = /^request\.time\s*(<=|>=|<|>)\s*timestamp\(\s*(["'])([^"']+)\2\s*\)$/u
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/u

export type Predicate = (now: number) => boolean

const predicateOf = (text: string): Predicate | null => {
  const [, operator, , stamp = ""] = comparison.exec(text.trim()) ?? []
  const instant = rfc3339.test(stamp) ? Date.parse(stamp) : Number.NaN
  if (Number.isNaN(instant)) return null
  switch (operator) {
    case "<":
      return (now) => now < instant
    case "<=":
      return (now) => now <= instant
    case ">":
      return (now) => now > instant
    default:
      return (now) => now >= instant
  }
}

/** What an expression says of an instant; null when it is not understood. */
export const parse = (expression: string): Predicate | null => {
  const parts = expression.split("&&").map(predicateOf)
  const known = parts.filter((part) => part !== null)
  return known.length === parts.length ? (now) => known.every((holds) => holds(now)) : null
}

/** Logic operators, of which a condition has at most 12: https://cloud.google.com/iam/quotas#limits */
export const operators = (expression: string): number => expression.match(/&&|\|\||!(?!=)/gu)?.length ?? 0
