/** `approve` and `deny`: see everything, say yes, and decide on exactly what was shown. */
import type { Dto } from "@jitsudo/client"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { confirm } from "../Ask.ts"
import * as Daemon from "../Daemon.ts"
import { misused } from "../Failure.ts"
import { Invocation } from "../Invocation.ts"
import { Io } from "../Io.ts"
import { answer } from "../Output.ts"
import { paintFor, safe } from "../Terminal.ts"
import * as RequestView from "../views/RequestView.ts"

export interface DecideInput {
  readonly id: string
  readonly comment: Option.Option<string>
  readonly reason: Option.Option<string>
  readonly digest: Option.Option<string>
  readonly yes: boolean
}

const recent = 5

/** What else this person asked for lately, as far as the decider may see it. Null where it cannot be read. */
const historyOf = (daemon: Daemon.Daemon, request: Dto.ElevationRequest) => {
  const { email } = request.requester
  if (email === null) return Effect.succeed(null)
  return daemon
    .call((client) => client.requests.list({ query: { requester: email, limit: recent + 1 } }))
    .pipe(
      Effect.map(({ items }) => items.filter(({ id }) => id !== request.id).slice(0, recent)),
      // It helps to decide and is not needed for it.
      Effect.catchTag("Failure", () => Effect.succeed(null))
    )
}

const decide = (verb: "approve" | "deny") =>
  Effect.fn(verb)(function* (input: DecideInput) {
    const comment = Option.getOrElse(
      Option.orElse(input.comment, () => input.reason),
      () => ""
    )
    if (verb === "deny" && comment.trim() === "") {
      return yield* misused("a denial needs a reason", "say why: --reason 'not in a freeze'")
    }
    const daemon = yield* Daemon.connect()
    const io = yield* Io
    const { quiet } = yield* Invocation
    const request = yield* daemon.call((client) => client.requests.get({ params: { id: input.id } }))
    // On what is decided already the daemon says why not; nobody needs to be asked first.
    if (request.state === "PENDING") {
      if (!(input.yes && quiet)) {
        const before = yield* historyOf(daemon, request)
        const screen = { now: yield* Clock.currentTimeMillis, paint: paintFor(io, "stderr"), columns: io.columns }
        yield* io.err(RequestView.forDecider(request, before, screen))
      }
      yield* confirm(verb === "approve" ? "Approve it?" : "Deny it?", input)
    }
    const payload = {
      digest: Option.getOrElse(input.digest, () => request.digest),
      ...(comment === "" ? {} : { comment })
    }
    const decided = yield* daemon.call((client) =>
      verb === "approve"
        ? client.requests.approve({ params: { id: request.id }, payload })
        : client.requests.deny({ params: { id: request.id }, payload })
    )
    yield* answer(decided, {
      ids: ({ id }) => [id],
      text: (one, { now }) => `${safe(RequestView.stateLine(one, now))}\n`
    })
  })

export const approve = decide("approve")
export const deny = decide("deny")
