/** Without a token: health, readiness, version, and what a client needs to sign somebody in. */
import { Api, type Dto } from "@jitsudo/client"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import { Draining } from "./Draining.ts"

/** What a host reports about itself. */
export class Host extends Context.Service<
  Host,
  {
    readonly version: string
    readonly development: boolean
    readonly signIn: typeof Dto.SignInConfig.Type
    /** Details are for operators, and never hold a host's, user's or driver's text. */
    readonly checks: Effect.Effect<typeof Dto.Ready.Type>
  }
>()("@jitsudo/server/Host") {}

/** The host's checks, and that it is not on its way out. */
export const readiness = Effect.gen(function* () {
  const host = yield* Host
  const draining = yield* Draining
  return Effect.map(host.checks, ({ checks, ready }) =>
    draining.hasBegun()
      ? { ready: false, checks: [...checks, { name: "draining", ok: false, detail: "this process is stopping" }] }
      : { ready, checks }
  )
})

export const layerNoDeps = HttpApiBuilder.group(
  Api.Api,
  "meta",
  Effect.fn(function* (handlers) {
    const host = yield* Host
    const ready = yield* readiness
    return handlers.handleAll({
      healthz: () => Effect.succeed("ok"),
      readyz: () => Effect.flatMap(ready, (found) => (found.ready ? Effect.succeed(found) : Effect.fail(found))),
      version: () =>
        Effect.succeed({ version: host.version, apiVersions: ["v1alpha1"], development: host.development }),
      signIn: () => Effect.succeed(host.signIn)
    })
  })
)
