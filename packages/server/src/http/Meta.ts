/** Without a token: health, readiness, version, and what a client needs to sign somebody in. */
import { Api } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as Context from "effect/Context"
import type { Dto } from "@jitsudo/client"

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

export const layerNoDeps = HttpApiBuilder.group(
  Api.Api,
  "meta",
  Effect.fn(function* (handlers) {
    const host = yield* Host
    return handlers.handleAll({
      healthz: () => Effect.succeed("ok"),
      readyz: () => Effect.flatMap(host.checks, (ready) => (ready.ready ? Effect.succeed(ready) : Effect.fail(ready))),
      version: () =>
        Effect.succeed({ version: host.version, apiVersions: ["v1alpha1"], development: host.development }),
      signIn: () => Effect.succeed(host.signIn)
    })
  })
)
