/** The input of `policy eval`: what was given, completed to the whole document with empty values, and nothing else. */
import type { Policy } from "@jitsudo/core"
import { ElevationError, type Json, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"

const principal: Policy.PolicyPrincipal = {
  email: "",
  subject: "",
  issuer: "",
  groups: [],
  groups_age_seconds: 0,
  kind: "human",
  auth_time: "",
  amr: []
}

const isObject = (value: unknown): value is { readonly [key: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const sort = (value: unknown): string => (Array.isArray(value) ? "array" : value === null ? "null" : typeof value)

/** Free maps take any key; everything else is a closed document. */
const free = new Set(["request.metadata", "context.labels"])

const overlay = (below: unknown, given: unknown, path: string, problems: Array<ElevationError.Problem>): unknown => {
  if (given === undefined) return below
  if (isObject(below)) {
    if (!isObject(given)) {
      problems.push({ field: path, message: "must be an object" })
      return below
    }
    const result: Record<string, unknown> = { ...below }
    for (const [key, value] of Object.entries(given)) {
      const here = path === "" ? key : `${path}.${key}`
      if (Object.hasOwn(below, key)) result[key] = overlay(below[key], value, here, problems)
      else if (free.has(path)) result[key] = value
      else problems.push({ field: here.slice(0, 128), message: `unknown; known: ${Object.keys(below).join(", ")}` })
    }
    return result
  }
  if (sort(given) !== sort(below)) {
    problems.push({ field: path, message: `must be a ${sort(below)}` })
    return below
  }
  return given
}

const invalid = (problems: ReadonlyArray<ElevationError.Problem>) =>
  ElevationError.decline(
    "invalid_input",
    "the input is not one that policies see",
    "docs/spec/policy.md has the whole document",
    { problems }
  )

/** `now` pins the clock: both `context.now` and `context.now_ns`. `user` is the requester where only one is given. */
export const complete = (
  action: Policy.PolicyAction,
  given: Json.Json,
  pinned: string | undefined,
  databaseNow: Time.Time
): Effect.Effect<Policy.PolicyInput, ElevationError.Refused> => {
  const millis = pinned === undefined ? databaseNow : Date.parse(pinned)
  if (!Number.isSafeInteger(millis) || millis < 0) {
    return Effect.fail(invalid([{ field: "now", message: "must be a time in RFC 3339" }]))
  }
  const now = Time.make(millis)
  const document: Policy.PolicyInput = {
    version: 1,
    action,
    user: principal,
    requester: principal,
    request: {
      id: "",
      provider: "",
      role: "",
      role_asked: "",
      resource_scope: "",
      duration_seconds: 0,
      reason: "",
      break_glass: action === "break_glass",
      metadata: {},
      created_at: Time.toRfc3339(now)
    },
    review: { confidence: 0, risk: "", model: "" },
    context: {
      trust_tier: 0,
      requester_trust_tier: 0,
      now: Time.toRfc3339(now),
      now_ns: now * 1_000_000,
      channel: "",
      source_ip: "",
      approvals: [],
      active_grants: [],
      held_seconds: 0,
      open_breakglass_reviews: 0,
      labels: { facts_ok: true }
    }
  }
  if (!isObject(given)) return Effect.fail(invalid([{ field: "input", message: "must be an object" }]))
  const both =
    isObject(given["user"]) && given["requester"] === undefined && action !== "approve" && action !== "deny"
      ? { ...given, requester: given["user"] }
      : isObject(given["requester"]) && given["user"] === undefined
        ? { ...given, user: given["requester"] }
        : given
  const problems: Array<ElevationError.Problem> = []
  const whole = overlay(document, both, "", problems)
  return problems.length > 0 ? Effect.fail(invalid(problems)) : Effect.succeed(whole as Policy.PolicyInput)
}
