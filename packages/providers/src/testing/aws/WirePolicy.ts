/**
 * The part of IAM's policy language that the wire server understands, and refuses to take for more: identity policies
 * with the operators and keys that deny a session.
 *
 * Grammar: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
 * Operators: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
 */
import * as Schema from "effect/Schema"

const oneOrMore = Schema.Union([Schema.String, Schema.Array(Schema.String)])

const Statement = Schema.Struct({
  Sid: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[A-Za-z0-9]*$/u))),
  Effect: Schema.Literals(["Allow", "Deny"]),
  Action: oneOrMore,
  Resource: oneOrMore,
  Condition: Schema.optionalKey(Schema.Record(Schema.String, Schema.Record(Schema.String, oneOrMore)))
})

const Document = Schema.Struct({
  Version: Schema.Literal("2012-10-17"),
  Statement: Schema.Union([Statement, Schema.Array(Statement)])
})

/** The facts about a session that its policies are evaluated on. */
export interface SessionFacts {
  /** `role-id:session-name` */
  readonly userid: string
  /** Epoch milliseconds, whole seconds. */
  readonly tokenIssueTime: number
}

const all = (value: string | ReadonlyArray<string>): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : value

/** `*` and `?` as IAM reads them. */
export const isLike = (pattern: string, text: string): boolean => {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/gu, "\\$&")
    .replaceAll("*", "[^]*")
    .replaceAll("?", "[^]")
  return new RegExp(`^${source}$`, "u").test(text)
}

const keyed = (facts: SessionFacts, key: string): string | number | undefined => {
  switch (key.toLowerCase()) {
    case "aws:userid":
      return facts.userid
    case "aws:tokenissuetime":
      return facts.tokenIssueTime
    default:
      return undefined
  }
}

type Test = (value: string | number, asked: string) => boolean

const operators: Readonly<{ [operator: string]: Test }> = {
  StringEquals: (value, asked) => value === asked,
  StringLike: (value, asked) => isLike(asked, String(value)),
  DateLessThanEquals: (value, asked) => Number(value) <= Date.parse(asked),
  DateLessThan: (value, asked) => Number(value) < Date.parse(asked)
}

export type Policy = typeof Document.Type

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Document), { onExcessProperty: "error" })

const statementsOf = (policy: Policy): ReadonlyArray<typeof Statement.Type> =>
  "Effect" in policy.Statement ? [policy.Statement] : policy.Statement

/** The document as a policy. Throws when it is malformed or says something that this server cannot evaluate. */
export const parse = (document: string): Policy => {
  const policy = decode(document)
  const sids = new Set<string>()
  for (const { Sid, Condition } of statementsOf(policy)) {
    if (Sid !== undefined && sids.size === sids.add(Sid).size) throw new Error(`two statements are called ${Sid}`)
    for (const [operator, keys] of Object.entries(Condition ?? {})) {
      if (!(operator in operators)) throw new Error(`the operator ${operator} is not understood`)
      for (const [key, values] of Object.entries(keys)) {
        if (keyed({ userid: "", tokenIssueTime: 0 }, key) === undefined)
          throw new Error(`the key ${key} is not understood`)
        if (all(values).length === 0) throw new Error(`the key ${key} has no value`)
        if (operator.startsWith("Date") && all(values).some((value) => Number.isNaN(Date.parse(value)))) {
          throw new Error(`the key ${key} has a value that is no date`)
        }
      }
    }
  }
  return policy
}

/** Whether a policy denies this action to this session: every condition of one denying statement holds. */
export const denies = (policy: Policy, action: string, facts: SessionFacts): boolean =>
  statementsOf(policy).some(
    (statement) =>
      statement.Effect === "Deny" &&
      all(statement.Action).some((pattern) => isLike(pattern.toLowerCase(), action.toLowerCase())) &&
      all(statement.Resource).some((pattern) => pattern === "*") &&
      Object.entries(statement.Condition ?? {}).every(([operator, keys]) =>
        Object.entries(keys).every(([key, values]) => {
          const value = keyed(facts, key)
          return value !== undefined && all(values).some((asked) => operators[operator]?.(value, asked) === true)
        })
      )
  )

/** A policy of an identity: without conditions, which this server evaluates for sessions only. */
export const parseIdentity = (document: string): Policy => {
  const policy = parse(document)
  if (statementsOf(policy).some(({ Condition }) => Condition !== undefined)) {
    throw new Error("conditions in an identity's policy are not understood")
  }
  return policy
}

/** Whether an identity's policy allows this action on this resource. */
export const allows = (policy: Policy, action: string, resource: string): boolean => {
  const hits = (effect: "Allow" | "Deny"): boolean =>
    statementsOf(policy).some(
      (statement) =>
        statement.Effect === effect &&
        all(statement.Action).some((pattern) => isLike(pattern.toLowerCase(), action.toLowerCase())) &&
        all(statement.Resource).some((pattern) => isLike(pattern, resource))
    )
  return hits("Allow") && !hits("Deny")
}

/** Characters that count against a quota: all but white space. */
export const sizeOf = (document: string): number => document.replace(/\s/gu, "").length
