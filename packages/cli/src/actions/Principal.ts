/** `principal`: who is known, how far they are trusted, and what is locked. */
import type { Dto } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Daemon from "../Daemon.ts"
import { misused } from "../Failure.ts"
import * as Instant from "../Instant.ts"
import { answer, answerList, say } from "../Output.ts"
import type { Screen } from "../Output.ts"
import { facts } from "../Table.ts"

type Principal = typeof Dto.Principal.Type
type Lock = typeof Dto.Lock.Type

const nameOf = ({ email, identity }: Principal): string => email ?? identity

const detail = (one: Principal, { now, paint }: Screen): string =>
  facts(
    [
      ["Identity", one.identity],
      ["E-mail", one.email ?? undefined],
      ["Kind", one.kind],
      ["Groups", one.groups.length === 0 ? "(none)" : one.groups.join(", ")],
      ["Read", Instant.show(one.groupsReadAt, now)],
      ["Owner", one.owner ?? undefined],
      ["Trust", `tier ${one.trustTier}`],
      ["Notes", one.notes === "" ? undefined : one.notes],
      ["Reviews", one.openReviews === 0 ? undefined : `${one.openReviews} break-glass to be reviewed`],
      ["Known since", Instant.show(one.enrolledAt, now)]
    ],
    paint
  )

const shown = (principal: Principal) => answer(principal, { ids: ({ identity }) => [identity], text: detail })

export interface ListInput {
  readonly email: Option.Option<string>
  readonly limit: number
  readonly all: boolean
}

export const list = Effect.fn("principal.list")(function* (input: ListInput) {
  const daemon = yield* Daemon.connect()
  const email = Option.getOrUndefined(input.email)
  const found: Array<Principal> = []
  let cursor: string | undefined
  do {
    const limit = input.all ? 500 : Math.min(500, input.limit - found.length)
    const page = yield* daemon.call((client) =>
      client.principals.list({
        query: { limit, ...(email === undefined ? {} : { email }), ...(cursor === undefined ? {} : { cursor }) }
      })
    )
    found.push(...page.items)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined && (input.all || found.length < input.limit))
  yield* answerList(found, {
    id: ({ identity }) => identity,
    columns: () => [
      { title: "WHO", cell: nameOf, flexible: true },
      { title: "KIND", cell: ({ kind }) => kind },
      { title: "TRUST", cell: ({ trustTier }) => String(trustTier) },
      { title: "GROUPS", cell: ({ groups }) => groups.join(", "), flexible: true },
      { title: "OWNER", cell: ({ owner }) => owner ?? "", flexible: true },
      { title: "IDENTITY", cell: ({ identity }) => identity }
    ],
    none: "nobody"
  })
  if (cursor !== undefined) yield* say(`there are more: --limit ${input.limit * 2}, or --all`)
})

export const get = Effect.fn("principal.get")(function* (identity: string) {
  const daemon = yield* Daemon.connect()
  yield* shown(yield* daemon.call((client) => client.principals.get({ params: { identity } })))
})

export interface TrustInput {
  readonly identity: string
  readonly tier: number
  readonly notes: Option.Option<string>
}

export const trust = Effect.fn("principal.trust")(function* (input: TrustInput) {
  const daemon = yield* Daemon.connect()
  const payload = {
    trustTier: input.tier,
    ...(Option.isSome(input.notes) ? { notes: input.notes.value } : {})
  }
  yield* shown(
    yield* daemon.call((client) => client.principals.setTrustTier({ params: { identity: input.identity }, payload }))
  )
})

export interface OwnerInput {
  readonly identity: string
  readonly owner: string
}

export const owner = Effect.fn("principal.owner")(function* (input: OwnerInput) {
  const daemon = yield* Daemon.connect()
  yield* shown(
    yield* daemon.call((client) =>
      client.principals.setOwner({ params: { identity: input.identity }, payload: { owner: input.owner } })
    )
  )
})

const targetText = (target: Lock["target"]): string => {
  switch (target.kind) {
    case "principal":
      return target.identity
    case "provider":
      return `everything at ${target.provider}`
    case "role":
      return `${target.role} at ${target.provider} ${target.resourceScope}`
    case "everything":
      return "everything"
  }
}

export interface LockInput {
  readonly identity: Option.Option<string>
  readonly provider: Option.Option<string>
  readonly role: Option.Option<string>
  readonly scope: Option.Option<string>
  readonly everything: boolean
  readonly reason: string
}

const targetOf = Effect.fn("principal.targetOf")(function* (input: LockInput) {
  const identity = Option.getOrUndefined(input.identity)
  const provider = Option.getOrUndefined(input.provider)
  const role = Option.getOrUndefined(input.role)
  const scope = Option.getOrUndefined(input.scope)
  const said = [identity !== undefined, provider !== undefined, input.everything].filter(Boolean).length
  if (said !== 1) {
    return yield* misused("say one thing to lock: a principal, --provider, or --everything")
  }
  if (identity !== undefined) return { kind: "principal" as const, identity }
  if (provider === undefined) return { kind: "everything" as const }
  if (role === undefined && scope === undefined) return { kind: "provider" as const, provider }
  return { kind: "role" as const, provider, role: role ?? "*", resourceScope: scope ?? "*" }
})

export const lock = Effect.fn("principal.lock")(function* (input: LockInput) {
  const target = yield* targetOf(input)
  const daemon = yield* Daemon.connect()
  const made = yield* daemon.call((client) => client.locks.create({ payload: { target, reason: input.reason } }))
  yield* answer(made, {
    ids: ({ id }) => [id],
    text: (one, { now, paint }) =>
      facts(
        [
          ["Lock", one.id],
          ["Target", targetText(one.target)],
          ["Reason", one.reason],
          ["By", one.by],
          ["Since", Instant.show(one.since, now)]
        ],
        paint
      )
  })
})

export const unlock = Effect.fn("principal.unlock")(function* (id: string) {
  const daemon = yield* Daemon.connect()
  yield* daemon.call((client) => client.locks.remove({ params: { id } }))
  yield* say(`${id} is gone`)
})

export const locks = Effect.fn("principal.locks")(function* () {
  const daemon = yield* Daemon.connect()
  const all = yield* daemon.call((client) => client.locks.list({}))
  yield* answerList(all, {
    id: ({ id }) => id,
    columns: ({ now }) => [
      { title: "LOCK", cell: ({ id }) => id },
      { title: "TARGET", cell: ({ target }) => targetText(target), flexible: true },
      { title: "REASON", cell: ({ reason }) => reason, flexible: true },
      { title: "BY", cell: ({ by }) => by, flexible: true },
      { title: "SINCE", cell: ({ since }) => Instant.relative(since, now) }
    ],
    none: "nothing is locked"
  })
})
