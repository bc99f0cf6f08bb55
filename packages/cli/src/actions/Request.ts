/** `request`: ask, and wait for what becomes of it. */
import type { Dto } from "@jitsudo/client"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { randomUUID } from "node:crypto"
import { confirm } from "../Ask.ts"
import * as Daemon from "../Daemon.ts"
import { Ended, exits, misused, timedOut } from "../Failure.ts"
import { follow, isOver } from "../Follow.ts"
import * as LiveLine from "../LiveLine.ts"
import * as Length from "../Length.ts"
import { answer, say } from "../Output.ts"
import { Io } from "../Io.ts"
import { facts } from "../Table.ts"
import { paintFor } from "../Terminal.ts"
import * as RequestView from "../views/RequestView.ts"

export interface RequestInput {
  readonly provider: string
  readonly role: string
  readonly scope: string
  readonly duration: number
  readonly reason: string
  readonly metadata: Readonly<Record<string, string>>
  readonly breakGlass: boolean
  readonly yes: boolean
  readonly wait: boolean
  readonly timeout: Option.Option<number>
}

/** Until it is decided and granted, or over. */
const untilSettled = Effect.fn("request.untilSettled")(function* (daemon: Daemon.Daemon, asked: Dto.ElevationRequest) {
  if (asked.state === "ACTIVE" || isOver(asked)) return asked
  const line = yield* LiveLine.make
  const last = yield* follow(daemon, asked.id).pipe(
    Stream.tap((request) => line.show(RequestView.waiting(request))),
    Stream.takeUntil((request) => request.state === "ACTIVE"),
    Stream.runLast
  )
  return Option.getOrElse(last, () => asked)
}, Effect.scoped)

/** What `--wait` ends with. */
const exitOf = (state: Dto.ElevationRequest["state"]): number => {
  if (state === "ACTIVE") return exits.ok
  if (state === "REJECTED") return exits.refused
  if (state === "LAPSED") return exits.timedOut
  return exits.error
}

const shown = (request: Dto.ElevationRequest) => answer(request, { ids: ({ id }) => [id], text: RequestView.detail })

export const request = Effect.fn("request")(function* (input: RequestInput) {
  const daemon = yield* Daemon.connect()
  if (input.breakGlass && !input.yes) {
    const io = yield* Io
    yield* io.err(
      facts(
        [
          [
            "Break-glass",
            { text: "granted without approval, alerted at once, reviewed by others afterwards", style: "red" }
          ],
          ["Provider", input.provider],
          ["Role", input.role],
          ["Scope", input.scope],
          ["Duration", Length.show(input.duration)],
          ["Reason", input.reason === "" ? "(none given)" : input.reason]
        ],
        paintFor(io, "stderr")
      )
    )
    yield* confirm("Break the glass?", { yes: false })
  }
  // One key for all attempts: however often it is sent, there is one request.
  const key = randomUUID()
  const asked = yield* daemon.call((client) =>
    client.requests.create({
      headers: { "idempotency-key": key },
      payload: {
        provider: input.provider,
        role: input.role,
        resourceScope: input.scope,
        durationSeconds: input.duration,
        reason: input.reason,
        breakGlass: input.breakGlass,
        metadata: input.metadata
      }
    })
  )
  if (!input.wait) {
    yield* shown(asked)
    return yield* say(RequestView.nextStep(asked))
  }
  yield* say(`asked: ${asked.id}`)
  const goesOn = `${asked.id} goes on without us: jitsudo status ${asked.id} --watch`
  const waiting = untilSettled(daemon, asked)
  const bounded = Option.match(input.timeout, {
    onNone: () => waiting,
    onSome: (seconds) =>
      Effect.timeoutOrElse(waiting, {
        duration: Duration.seconds(seconds),
        orElse: () => Effect.fail(timedOut(`${asked.id} was not decided within ${Length.show(seconds)}`, goesOn))
      })
  })
  const settled = yield* Effect.onInterrupt(bounded, () => say(goesOn))
  yield* shown(settled)
  const exit = exitOf(settled.state)
  yield* say(RequestView.stateLine(settled, yield* Clock.currentTimeMillis))
  if (exit !== exits.ok) return yield* new Ended({ exit })
  return yield* say(RequestView.nextStep(settled))
})

/** `key=value` as it was typed, several times. */
export const metadataOf = (pairs: ReadonlyArray<string>, ticket: string | undefined) =>
  Effect.gen(function* () {
    const all: Record<string, string> = Object.create(null)
    for (const pair of pairs) {
      const split = pair.indexOf("=")
      if (split < 1) return yield* misused(`--metadata ${JSON.stringify(pair)} is not key=value`)
      const key = pair.slice(0, split)
      if (Object.hasOwn(all, key)) return yield* misused(`--metadata names ${JSON.stringify(key)} twice`)
      all[key] = pair.slice(split + 1)
    }
    if (ticket !== undefined) {
      if (Object.hasOwn(all, "ticket")) return yield* misused("--ticket and --metadata ticket=... say it twice")
      all["ticket"] = ticket
    }
    return { ...all }
  })
