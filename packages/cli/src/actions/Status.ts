/** `status`: one request, or those that one may see. */
import type { Dto } from "@jitsudo/client"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as Daemon from "../Daemon.ts"
import { follow } from "../Follow.ts"
import { Invocation } from "../Invocation.ts"
import { Io } from "../Io.ts"
import * as LiveLine from "../LiveLine.ts"
import { answer, answerList, encoded, say } from "../Output.ts"
import * as RequestView from "../views/RequestView.ts"
import { safe } from "../Terminal.ts"

type Request = Dto.ElevationRequest

export interface StatusInput {
  readonly id: Option.Option<string>
  readonly mine: boolean
  readonly pending: boolean
  readonly reviews: boolean
  readonly state: Option.Option<Request["state"]>
  readonly provider: Option.Option<string>
  readonly role: Option.Option<string>
  readonly user: Option.Option<string>
  readonly limit: number
  readonly all: boolean
  readonly watch: boolean
}

const ids = (request: Request) => [request.id]

const one = Effect.fn("status.one")(function* (daemon: Daemon.Daemon, id: string) {
  const request = yield* daemon.call((client) => client.requests.get({ params: { id } }))
  yield* answer(request, { ids, text: RequestView.detail })
})

/** Every state as it comes: a line for people where it says something new, a document for programs. */
const watch = Effect.fn("status.watch")(function* (daemon: Daemon.Daemon, id: string) {
  const io = yield* Io
  const { format, quiet } = yield* Invocation
  const line = yield* LiveLine.make
  const last = yield* Ref.make("")
  yield* follow(daemon, id).pipe(
    Stream.runForEach((request) =>
      Effect.gen(function* () {
        if (format === "json") return yield* io.out(`${JSON.stringify(JSON.parse(yield* encoded(request, "json")))}\n`)
        if (format === "yaml") return yield* io.out(`---\n${yield* encoded(request, "yaml")}`)
        const now = yield* Clock.currentTimeMillis
        const sayAt = (instant: number) => (quiet ? request.state : RequestView.stateLine(request, instant))
        // Time that goes by is no news, and neither is a version that people see nothing of.
        const news = sayAt(Date.parse(request.createdAt))
        if ((yield* Ref.getAndSet(last, news)) !== news) {
          yield* line.clear
          yield* io.out(`${new Date(now).toISOString().slice(11, 19)}  ${safe(sayAt(now))}\n`)
        }
        // A countdown only where it is written over: elsewhere the lines of the answer are the news.
        if (line.isLive) yield* line.show(RequestView.waiting(request))
      })
    )
  )
}, Effect.scoped)

const list = Effect.fn("status.list")(function* (daemon: Daemon.Daemon, input: StatusInput) {
  const state = Option.getOrUndefined(input.state)
  const provider = Option.getOrUndefined(input.provider)
  const role = Option.getOrUndefined(input.role)
  const requester = Option.getOrUndefined(input.user)
  const query = {
    ...(input.mine ? { mine: true } : {}),
    ...(input.pending ? { pending: true } : {}),
    ...(input.reviews ? { openReview: true } : {}),
    ...(state === undefined ? {} : { state }),
    ...(provider === undefined ? {} : { provider }),
    ...(role === undefined ? {} : { role }),
    ...(requester === undefined ? {} : { requester })
  }
  const found: Array<Request> = []
  let cursor: string | undefined
  do {
    const limit = input.all ? 200 : Math.min(500, input.limit - found.length)
    const page = yield* daemon.call((client) =>
      client.requests.list({ query: { ...query, limit, ...(cursor === undefined ? {} : { cursor }) } })
    )
    found.push(...page.items)
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined && (input.all || found.length < input.limit))
  yield* answerList(found, {
    id: ({ id }) => id,
    columns: RequestView.columns,
    none: input.pending ? "nothing waits for your decision" : "no requests"
  })
  if (cursor !== undefined) yield* say(`there are more: --limit ${input.limit * 2}, or --all`)
})

/** The list again and again, over itself. */
const watchList = Effect.fn("status.watchList")(function* (daemon: Daemon.Daemon, input: StatusInput) {
  const io = yield* Io
  const { format } = yield* Invocation
  const again = Effect.gen(function* () {
    if (format === "table" && io.isTty.stdout) yield* io.out("\u001b[H\u001b[2J")
    yield* list(daemon, input)
    yield* Effect.sleep("5 seconds")
  })
  return yield* Effect.forever(again)
})

export const status = Effect.fn("status")(function* (input: StatusInput) {
  const daemon = yield* Daemon.connect()
  const id = Option.getOrUndefined(input.id)
  if (id !== undefined) return yield* input.watch ? watch(daemon, id) : one(daemon, id)
  return yield* input.watch ? watchList(daemon, input) : list(daemon, input)
})
