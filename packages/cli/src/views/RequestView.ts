/** Requests for people: a row of a list, everything about one, and the live line while one is waited for. */
import type { Dto } from "@jitsudo/client"
import * as Instant from "../Instant.ts"
import * as Length from "../Length.ts"
import type { Saying } from "../LiveLine.ts"
import type { Screen } from "../Output.ts"
import type { Column, Fact } from "../Table.ts"
import { facts } from "../Table.ts"
import type { Style } from "../Terminal.ts"

type Request = Dto.ElevationRequest

const styles: Readonly<Record<Request["state"], Style | undefined>> = {
  PENDING: "yellow",
  APPROVED: "blue",
  ACTIVE: "green",
  ENDING: "magenta",
  CANCELLED: undefined,
  REJECTED: "red",
  LAPSED: undefined,
  FAILED: "red",
  EXPIRED: undefined,
  REVOKED: undefined
}

const stateCell = (request: Request) => ({ text: request.state, style: styles[request.state] })

/** An e-mail address where there is one; what cannot be one is marked by its kind. */
export const whoText = (who: typeof Dto.Who.Type): string => {
  const name = who.email ?? `${who.issuer}#${who.subject}`
  return who.kind === "human" ? name : `${name} (${who.kind})`
}

const deciderText = (by: typeof Dto.Decision.Type.by): string => ("policy" in by ? `policy ${by.policy}` : whoText(by))

/** What matters next, with how far away it is. */
const next = (request: Request, now: number): string => {
  const left = (instant: string | null | undefined) =>
    instant == null ? "" : Length.glance(Math.max(0, Instant.secondsUntil(instant, now)))
  switch (request.state) {
    case "PENDING":
      return `decide in ${left(request.decideBy)}`
    case "ACTIVE":
      return `${left(request.grant?.notAfter)} left`
    case "ENDING":
      return request.ending?.needsAttention === true ? "needs attention" : "being taken back"
    case "APPROVED":
      return "being granted"
    default:
      return Instant.relative(request.updatedAt, now)
  }
}

export const columns = ({ now }: Screen): ReadonlyArray<Column<Request>> => [
  { title: "ID", cell: ({ id }) => id },
  { title: "STATE", cell: stateCell },
  { title: "REQUESTER", cell: ({ requester }) => whoText(requester), flexible: true },
  { title: "PROVIDER", cell: ({ provider }) => provider },
  { title: "ROLE", cell: ({ role, breakGlass }) => (breakGlass ? `${role} (break-glass)` : role), flexible: true },
  { title: "SCOPE", cell: ({ resourceScope }) => resourceScope, flexible: true },
  { title: "FOR", cell: ({ durationSeconds }) => Length.show(durationSeconds) },
  { title: "WHEN", cell: (request) => next(request, now) }
]

const decisions = (request: Request, now: number): string | undefined =>
  request.decisions.length === 0
    ? undefined
    : request.decisions
        .map(({ at, by, comment, struck, verdict }) =>
          [
            `${verdict} by ${deciderText(by)} ${Instant.relative(at, now)}`,
            ...(comment === "" ? [] : [`: ${comment.replaceAll(/\s+/gu, " ")}`]),
            ...(struck === null ? [] : [` (no longer counts: ${struck})`])
          ].join("")
        )
        .join("\n")

const findings = (request: Request): string | undefined =>
  request.findings.length === 0
    ? undefined
    : request.findings
        .map(
          ({ policy, reasons, says }) => `${policy}: ${says}${reasons.length === 0 ? "" : ` (${reasons.join("; ")})`}`
        )
        .join("\n")

const stages = (request: Request): string | undefined => {
  if (request.tier !== "human" || request.breakGlass) return undefined
  const named = request.stages.map(
    ({ groups, quorum, unmeetable, users }) =>
      `${quorum} of ${[...groups, ...users].join(", ")}${unmeetable ? " (nobody outside the requester's side: it cannot be met)" : ""}`
  )
  return named.length > 0 ? named.join("\n") : `${request.openQuorum} of whom policy admits`
}

const ending = ({ ending: one }: Request, now: number): string | undefined =>
  one === null
    ? undefined
    : [
        `${one.why} ${Instant.relative(one.since, now)}${one.reason === "" ? "" : `: ${one.reason}`}`,
        ...(one.lastError === null ? [] : [`attempt ${one.attempts} failed: ${one.lastError}`]),
        ...(one.needsAttention ? ["needs attention: an operator should look at the provider"] : [])
      ].join("\n")

const review = ({ review: one }: Request, now: number): string | undefined => {
  if (one === null) return undefined
  return one.closed === null
    ? `open, due ${Instant.relative(one.dueAt, now)}`
    : `closed by ${whoText(one.closed.by)} ${Instant.relative(one.closed.at, now)}: ${one.closed.comment}`
}

const metadata = (request: Request): string | undefined => {
  const pairs = Object.entries(request.metadata)
  return pairs.length === 0 ? undefined : pairs.map(([key, value]) => `${key}=${value}`).join("\n")
}

/** Who, what, how long, why: what a decider must see, in this order. */
const askedFacts = (request: Request, now: number): ReadonlyArray<Fact> => [
  ["Requester", whoText(request.requester)],
  ["Provider", request.provider],
  ["Role", request.roleAsked === request.role ? request.role : `${request.role} (asked as ${request.roleAsked})`],
  ["Scope", request.resourceScope],
  ["Duration", Length.show(request.durationSeconds)],
  ["Reason", request.reason === "" ? "(none given)" : request.reason],
  ["Metadata", metadata(request)],
  [
    "Break-glass",
    request.breakGlass ? { text: "yes: without approval, reviewed afterwards", style: "red" } : undefined
  ],
  ["Extends", request.extends ?? undefined],
  ["Asked", Instant.show(request.createdAt, now)]
]

export const detail = (request: Request, { now, paint }: Screen): string =>
  facts(
    [
      ["ID", request.id],
      ["State", stateCell(request)],
      ...askedFacts(request, now),
      ["Tier", request.tier],
      ["Approval", stages(request)],
      ["Missing", request.state === "PENDING" && request.missing.length > 0 ? request.missing.join("\n") : undefined],
      ["Waiting for", request.waitingFor ?? undefined],
      ["Decide by", request.state === "PENDING" ? Instant.show(request.decideBy, now) : undefined],
      ["Decisions", decisions(request, now)],
      ["Policy", findings(request)],
      ["Granted", request.grant?.issuedAt == null ? undefined : Instant.show(request.grant.issuedAt, now)],
      ["Ends", request.grant?.notAfter == null ? undefined : Instant.show(request.grant.notAfter, now)],
      ["Last error", request.grant?.lastError ?? undefined],
      [
        "Revocation",
        (request.state === "ACTIVE" || wasGranted(request)) && request.revocation !== ""
          ? request.revocation
          : undefined
      ],
      ["Ending", ending(request, now)],
      ["Outcome", request.outcome ?? undefined],
      ["Review", review(request, now)],
      ["Extended by", request.extendedBy ?? undefined]
    ],
    paint
  )

const history = (requests: ReadonlyArray<Request>, now: number): string =>
  requests.length === 0
    ? "nothing else that you may see"
    : requests
        .map(
          (one) =>
            `${one.state} ${Instant.relative(one.createdAt, now)}: ${one.role} at ${one.provider} ${one.resourceScope} for ${Length.show(one.durationSeconds)}`
        )
        .join("\n")

/** What somebody sees before they decide. */
export const forDecider = (request: Request, before: ReadonlyArray<Request> | null, { now, paint }: Screen): string =>
  facts(
    [
      ["ID", request.id],
      ["State", stateCell(request)],
      ...askedFacts(request, now),
      ["Approval", stages(request)],
      ["Decisions", decisions(request, now)],
      ["Policy", findings(request)],
      ["History", before === null ? "(cannot be read)" : history(before, now)],
      ["Decide by", Instant.show(request.decideBy, now)]
    ],
    paint
  )

/** State, who can approve, time left. */
export const waiting =
  (request: Request): Saying =>
  (now) => {
    const { missing, tier, waitingFor } = request
    const needs =
      request.state !== "PENDING"
        ? ""
        : (waitingFor ??
          (tier === "ai_review"
            ? "an agent reviews it"
            : missing.length > 0
              ? `waits for ${missing.join(" and ")}`
              : ""))
    return [request.state, needs, next(request, now)]
  }

/** One line: what became of it. */
export const stateLine = (request: Request, now: number): string => {
  const { grant, id, missing, outcome, state } = request
  switch (state) {
    case "ACTIVE":
      return `${id} is ACTIVE for ${Length.glance(Math.max(0, Instant.secondsUntil(grant?.notAfter ?? request.updatedAt, now)))}`
    case "PENDING":
      return `${id} is PENDING: it waits for ${missing.length > 0 ? missing.join(" and ") : "a decision"}`
    case "APPROVED":
      return `${id} is APPROVED: the provider is being asked`
    case "ENDING":
      return `${id} is ENDING: the right is being taken back`
    default:
      return `${id} is ${state}${outcome === null || outcome === "" ? "" : `: ${outcome}`}`
  }
}

/** Whether there was a right that an end takes away before its time. */
export const wasGranted = ({ grant, state }: Request): boolean =>
  (state === "ENDING" || state === "REVOKED") && grant !== null && grant.issuedAt !== null

/** What its requester can do next; empty where there is nothing. */
export const nextStep = ({ id, provider, state }: Request): string => {
  switch (state) {
    case "ACTIVE":
      return `use it: jitsudo exec ${id} -- COMMAND; give it back: jitsudo revoke ${id}`
    case "PENDING":
    case "APPROVED":
      return `follow it: jitsudo status ${id} --watch`
    case "ENDING":
      return `see how it ends: jitsudo status ${id} --watch`
    case "REJECTED":
    case "CANCELLED":
    case "LAPSED":
    case "FAILED":
    case "EXPIRED":
    case "REVOKED":
      return `ask again: jitsudo request --provider ${provider} ...`
  }
}
