/**
 * `server`: is the daemon there, is it well, which version is it. Nobody needs to be signed in.
 *
 * A daemon with `server.metrics_addr` serves health and readiness elsewhere. That it answers as a daemon shows that it is
 * there; whether it is ready cannot be seen from here, which is no failing of its own.
 */
import { Dto } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Daemon from "../Daemon.ts"
import type { Failure } from "../Failure.ts"
import { Ended, exits } from "../Failure.ts"
import { answer } from "../Output.ts"
import { facts, table } from "../Table.ts"
import { version as ourVersion } from "../Version.ts"

interface Component {
  readonly component: string
  /** `UNKNOWN`: it is not to be seen from here. */
  readonly status: "UP" | "DEGRADED" | "DOWN" | "UNKNOWN"
  readonly detail: string
}

const isReady = Schema.is(Dto.Ready)

/** The daemon's own word that there is no such path, not that of something else which listens there. */
const isNotServed = ({ document }: Failure): boolean => document?.["status"] === 404

const styles = { UP: "green", DEGRADED: "yellow", DOWN: "red", UNKNOWN: "dim" } as const

export const status = Effect.fn("server.status")(function* () {
  const daemon = yield* Daemon.anonymous()
  const process = yield* daemon
    .call((client) => client.healthz({}))
    .pipe(
      Effect.map((): Component => ({ component: "process", status: "UP", detail: daemon.server })),
      Effect.catchTag("Failure", (failure) =>
        isNotServed(failure)
          ? Effect.map(
              daemon.call((client) => client.version({})),
              (): Component => ({ component: "process", status: "UP", detail: daemon.server })
            )
          : Effect.fail(failure)
      ),
      Effect.catchTag("Failure", ({ message }) =>
        Effect.succeed<Component>({ component: "process", status: "DOWN", detail: message })
      )
    )
  // Not ready is an answer, not a failure.
  const ready =
    process.status === "DOWN"
      ? []
      : yield* daemon
          .call((client) =>
            client
              .readyz({})
              .pipe(Effect.catch((error) => (isReady(error) ? Effect.succeed(error) : Effect.fail(error))))
          )
          .pipe(
            Effect.map(({ checks }) =>
              checks.map(({ detail, name, ok }): Component => ({
                component: name,
                status: ok ? "UP" : "DEGRADED",
                detail
              }))
            ),
            Effect.catchTag("Failure", (failure) =>
              Effect.succeed<ReadonlyArray<Component>>([
                isNotServed(failure)
                  ? { component: "readiness", status: "UNKNOWN", detail: "not served here: server.metrics_addr has it" }
                  : { component: "readiness", status: "DEGRADED", detail: failure.message }
              ])
            )
          )
  const all = [process, ...ready]
  const worst = all.some((one) => one.status === "DOWN")
    ? "DOWN"
    : all.some((one) => one.status === "DEGRADED")
      ? "DEGRADED"
      : "UP"
  yield* answer(
    { server: daemon.server, status: worst, components: all },
    {
      ids: () => [worst],
      text: (_, screen) =>
        table(
          [
            { title: "COMPONENT", cell: ({ component }) => component },
            {
              title: "STATUS",
              cell: ({ status }) => ({ text: status, style: styles[status] })
            },
            { title: "DETAIL", cell: ({ detail }) => detail, flexible: true }
          ],
          all,
          screen
        )
    }
  )
  if (worst !== "UP") return yield* new Ended({ exit: exits.error })
})

export const version = Effect.fn("server.version")(function* () {
  const daemon = yield* Daemon.anonymous()
  const info = yield* daemon.call((client) => client.version({}))
  yield* answer(
    { ...info, server: daemon.server, client: ourVersion },
    {
      ids: () => [info.version],
      text: (_, { paint }) =>
        facts(
          [
            ["Server", `${info.version}${info.development ? " (development: not for real access)" : ""}`],
            ["API", info.apiVersions.join(", ")],
            ["Client", ourVersion]
          ],
          paint
        )
    }
  )
})
