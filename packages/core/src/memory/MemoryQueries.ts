/** Reads over the memory store's state: pure, over frozen rows, so an answer can be handed out as it stands. */
import type { Principal, PrincipalKey } from "../Principal.ts"
import { keyOf } from "../Principal.ts"
import type { Neighbour } from "../Provider.ts"
import type { Request, RequestId, State } from "../Request.ts"
import { terminal } from "../Request.ts"
import type { FactsQuery, HeldInterval, Page, RequestFilter, Store, StoredFacts } from "../Store.ts"
import type { Time } from "../Time.ts"
import * as Times from "../Time.ts"
import { idempotencyKey, rememberedUse } from "./MemoryCommit.ts"
import type { MemoryState } from "./MemoryState.ts"

type Query<Name extends "requests" | "live" | "principals"> = Parameters<Store["Service"][Name]>[0]
type VisibleTo = NonNullable<Query<"requests">["visibleTo"]>

/** A cursor that was not made here, or a limit that is no count. */
export class InvalidQuery extends Error {
  override readonly name = "InvalidQuery"
}

const requestsOf = (state: MemoryState, ids: Iterable<RequestId>): ReadonlyArray<Request> => {
  const found: Array<Request> = []
  for (const id of ids) {
    const request = state.requests.get(id)
    if (request !== undefined) found.push(request)
  }
  return found
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const byId = (a: Request, b: Request): number => order(a.id, b.id)

/** These principals, and their owners from the nearest to the farthest. Unknown ones are left out. */
const withOwners = (state: MemoryState, keys: ReadonlyArray<PrincipalKey>): ReadonlyMap<string, Principal> => {
  const found = new Map<string, Principal>()
  const waiting = [...keys]
  for (let key = waiting.shift(); key !== undefined; key = waiting.shift()) {
    const id = keyOf(key)
    const principal = state.principals.get(id)
    if (principal === undefined || found.has(id)) continue
    found.set(id, principal)
    if (principal.owner !== null) waiting.push(principal.owner)
  }
  return found
}

const deciders = (request: Request | undefined): ReadonlyArray<PrincipalKey> =>
  (request?.decisions ?? []).flatMap((decision) => ("policy" in decision.by ? [] : [decision.by]))

/** From when a grant was issued to its `notAfter`, or to when we began to take it back if that is over and earlier. */
const heldIn = (request: Request): HeldInterval | null => {
  const grant = request.grant
  if (grant === null || grant.issuedAt === null || grant.notAfter === null) return null
  const ended = terminal.has(request.state) && request.ending !== null
  return { from: grant.issuedAt, to: ended ? Times.min(grant.notAfter, request.ending.since) : grant.notAfter }
}

export const facts = (state: MemoryState, query: FactsQuery, now: Time): StoredFacts => {
  const request = query.requestId === undefined ? undefined : state.requests.get(query.requestId)
  const asked = [...(query.principals ?? []), ...(query.withDeciders === true ? deciders(request) : [])]
  const history = query.history
  const own =
    history === undefined
      ? []
      : [...requestsOf(state, state.byRequester.get(keyOf(history.principal)) ?? [])].sort(byId)
  const held = own
    .filter(
      (one) =>
        one.asked.provider === history?.provider &&
        one.asked.role === history.role &&
        one.asked.resourceScope === history.resourceScope
    )
    .flatMap((one) => heldIn(one) ?? [])
    .sort((a, b) => a.from - b.from || a.to - b.to)
  const use = query.idempotency === undefined ? undefined : rememberedUse(state, idempotencyKey(query.idempotency), now)
  return {
    now,
    request,
    principals: withOwners(state, asked),
    locks: state.locks,
    policy: policies(state).revision,
    activeGrants: own.filter((one) => one.state === "ACTIVE"),
    held,
    idempotency: use === undefined ? undefined : { bodyHash: use.bodyHash, requestId: use.requestId }
  }
}

export const policies = (state: MemoryState, revision = state.policies.length - 1) => {
  const found = state.policies[revision]
  if (found === undefined) throw new InvalidQuery(`there is no policy revision ${revision}`)
  return found
}

const matches = (request: Request, filter: RequestFilter): boolean =>
  (filter.states === undefined || filter.states.includes(request.state)) &&
  (filter.requester === undefined || keyOf(filter.requester) === keyOf(request.requester)) &&
  (filter.requesterEmail === undefined || filter.requesterEmail === request.requester.email) &&
  (filter.provider === undefined || filter.provider === request.asked.provider) &&
  (filter.role === undefined || filter.role === request.asked.role) &&
  (filter.resourceScope === undefined || filter.resourceScope === request.asked.resourceScope) &&
  (filter.since === undefined || request.createdAt >= filter.since) &&
  (filter.until === undefined || request.createdAt < filter.until) &&
  (filter.breakGlass === undefined || filter.breakGlass === request.asked.breakGlass) &&
  (filter.openReview === undefined ||
    filter.openReview === (request.review !== null && request.review.closed === null)) &&
  (filter.waiting === undefined || filter.waiting === (request.waitingFor !== null))

const sees = (who: VisibleTo, request: Request): boolean =>
  request.party.includes(`key:${keyOf(who.principal)}`) ||
  keyOf(who.principal) === keyOf(request.requester) ||
  request.routing.stages.some(
    (stage) =>
      stage.groups.some((group) => who.groups.includes(group)) ||
      stage.users.includes(keyOf(who.principal)) ||
      (who.email !== null && stage.users.includes(who.email))
  ) ||
  (request.routing.tier === "human" && request.routing.stages.length === 0)

/** Rows after the cursor in this order, and where the next page begins. */
const page = <A>(
  rows: ReadonlyArray<A>,
  options: { readonly limit: number; readonly cursor?: string },
  keyOfRow: (row: A) => ReadonlyArray<string | number>,
  compare: (a: ReadonlyArray<string | number>, b: ReadonlyArray<string | number>) => number
): Page<A> => {
  if (!Number.isSafeInteger(options.limit) || options.limit < 1) {
    throw new InvalidQuery(`a page of ${options.limit} rows: the limit must be a whole number from 1`)
  }
  const after = options.cursor === undefined ? undefined : decodeCursor(options.cursor)
  const rest = rows
    .map((row) => ({ row, key: keyOfRow(row) }))
    .filter(({ key }) => after === undefined || compare(key, after) > 0)
    .sort((a, b) => compare(a.key, b.key))
  const taken = rest.slice(0, options.limit)
  const last = taken.at(-1)
  return {
    items: taken.map(({ row }) => row),
    nextCursor: last === undefined || rest.length === taken.length ? null : encodeCursor(last.key)
  }
}

const encodeCursor = (key: ReadonlyArray<string | number>): string => encodeURIComponent(JSON.stringify(key))

/** The cursor comes back from outside: anything but what `encodeCursor` makes is refused. */
const decodeCursor = (cursor: string): ReadonlyArray<string | number> => {
  const refused = new InvalidQuery("the cursor was not given by this store: ask again without one")
  let parsed: unknown
  try {
    parsed = JSON.parse(decodeURIComponent(cursor))
  } catch {
    throw refused
  }
  if (!Array.isArray(parsed)) throw refused
  return parsed.map((part: unknown) => {
    if (typeof part !== "string" && typeof part !== "number") throw refused
    return part
  })
}

const ascending = (a: ReadonlyArray<string | number>, b: ReadonlyArray<string | number>): number => {
  for (const [index, part] of a.entries()) {
    const other = b[index]
    if (other === undefined || typeof other !== typeof part) throw new InvalidQuery("the cursor is of another query")
    if (part !== other) return part < other ? -1 : 1
  }
  return 0
}

const descending: typeof ascending = (a, b) => -ascending(a, b)

export const requests = (state: MemoryState, options: Query<"requests">): Page<Request> => {
  const requester = options.filter.requester
  const candidates =
    requester === undefined
      ? [...state.requests.values()]
      : requestsOf(state, state.byRequester.get(keyOf(requester)) ?? [])
  const who = options.visibleTo
  return page(
    candidates.filter((one) => matches(one, options.filter) && (who === undefined || sees(who, one))),
    options,
    (one) => [one.createdAt, one.id],
    descending
  )
}

const alive: ReadonlySet<State> = new Set(["APPROVED", "ACTIVE", "ENDING"])

export const live = (state: MemoryState, options: Query<"live">): Page<Request> =>
  page(
    [...state.requests.values()].filter(
      (one) => alive.has(one.state) && (options.provider === undefined || options.provider === one.asked.provider)
    ),
    options,
    (one) => [one.id],
    ascending
  )

export const principals = (state: MemoryState, options: Query<"principals">): Page<Principal> =>
  page(
    [...state.principals.values()].filter((one) => options.email === undefined || options.email === one.email),
    options,
    (one) => [one.issuer, one.subject],
    ascending
  )

const neighbourState = (request: Request, latestEnd: Time, now: Time): Neighbour["state"] | null => {
  if (request.state === "ACTIVE") return "active"
  if (request.state === "ENDING") return "ending"
  return terminal.has(request.state) && request.ending !== null && latestEnd > now ? "ended" : null
}

export const neighbours = (
  state: MemoryState,
  resourceKey: string,
  except: RequestId,
  now: Time
): ReadonlyArray<Neighbour> =>
  [...requestsOf(state, state.byResource.get(resourceKey) ?? [])].sort(byId).flatMap((request) => {
    if (request.grant === null || request.id === except) return []
    const { latestEnd, reference } = request.grant
    const as = neighbourState(request, latestEnd, now)
    return as === null ? [] : [{ requestId: request.id, state: as, notAfter: latestEnd, reference }]
  })
