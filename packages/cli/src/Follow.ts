/**
 * A request's states as they come.
 *
 * By the daemon's live events, resumed after the last version seen when the connection breaks; and by a slow look of our
 * own beside them, because something in between may hold events back or have none. The same state never comes twice,
 * and none comes after a newer one.
 */
import type { Dto } from "@jitsudo/client"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import type { Daemon } from "./Daemon.ts"
import type { Failure } from "./Failure.ts"

/** How often to look where events say nothing. */
export const LookEvery = Context.Reference<Duration.Duration>("@jitsudo/cli/LookEvery", {
  defaultValue: () => Duration.seconds(10)
})

/** States from which nothing leads on. */
const over: ReadonlySet<Dto.ElevationRequest["state"]> = new Set([
  "CANCELLED",
  "REJECTED",
  "LAPSED",
  "FAILED",
  "EXPIRED",
  "REVOKED"
])

export const isOver = (request: Dto.ElevationRequest): boolean => over.has(request.state)

/** From the state it is in now to the one that is its last. Fails when it cannot be read at all. */
export const follow = (daemon: Daemon, id: string): Stream.Stream<Dto.ElevationRequest, Failure> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const seen = yield* Ref.make(0)
      const read = daemon.call((client) => client.requests.get({ params: { id } }))
      const first = yield* read

      /** One connection, from the last version seen on. What it fails with says nothing that the looks do not. */
      const events = Stream.unwrap(
        Effect.gen(function* () {
          const last = yield* Ref.get(seen)
          return yield* daemon.call((client) =>
            client.requests.watch({ params: { id }, headers: { "last-event-id": String(last) } })
          )
        })
      ).pipe(
        Stream.map((event) => event.data),
        Stream.catchCause(() => Stream.empty)
      )
      const connections = Stream.fromSchedule(Schedule.spaced("1 second").pipe(Schedule.jittered)).pipe(
        Stream.prepend([0]),
        Stream.flatMap(() => events)
      )
      const looks = Stream.fromSchedule(Schedule.spaced(yield* LookEvery)).pipe(Stream.mapEffect(() => read))

      return Stream.concat(Stream.succeed(first), Stream.merge(connections, looks)).pipe(
        Stream.filterEffect((request) =>
          Ref.modify(seen, (last) => [request.version > last, Math.max(last, request.version)])
        ),
        Stream.takeUntil(isOver)
      )
    })
  )
