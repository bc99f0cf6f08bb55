/** `server`: is the daemon there, is it well, which version is it. Nobody needs to be signed in. */
import { Dto } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Daemon from "../Daemon.ts"
import { Ended, exits } from "../Failure.ts"
import { answer } from "../Output.ts"
import { facts, table } from "../Table.ts"
import { version as ourVersion } from "../Version.ts"

interface Component {
  readonly component: string
  readonly status: "UP" | "DEGRADED" | "DOWN"
  readonly detail: string
}

const isReady = Schema.is(Dto.Ready)

export const status = Effect.fn("server.status")(function* () {
  const daemon = yield* Daemon.anonymous()
  const process = yield* daemon
    .call((client) => client.healthz({}))
    .pipe(
      Effect.map((): Component => ({ component: "process", status: "UP", detail: daemon.server })),
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
            Effect.catchTag("Failure", ({ message }) =>
              Effect.succeed<ReadonlyArray<Component>>([
                { component: "readiness", status: "DEGRADED", detail: message }
              ])
            )
          )
  const all = [process, ...ready]
  const worst = all.some((one) => one.status === "DOWN")
    ? "DOWN"
    : all.some((one) => one.status !== "UP")
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
              cell: (one) => ({
                text: one.status,
                style: one.status === "UP" ? "green" : one.status === "DOWN" ? "red" : "yellow"
              })
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
