/** Where rights can be granted, and what the platforms can do: for everybody who is signed in. */
import { Api, type Dto } from "@jitsudo/client"
import { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"

const shown = ({ capabilities, name }: Provider.Provider): typeof Dto.Provider.Type => ({
  name,
  nativeExpiry: capabilities.nativeExpiry,
  earlyRevocation: {
    supported: capabilities.earlyRevocation.supported,
    withinSeconds: capabilities.earlyRevocation.withinSeconds,
    note: capabilities.earlyRevocation.note
  },
  listing: capabilities.listing,
  inspection: capabilities.inspection,
  minDurationSeconds: capabilities.minDurationSeconds,
  maxDurationSeconds: capabilities.maxDurationSeconds
})

export const layerNoDeps = HttpApiBuilder.group(
  Api.Api,
  "providers",
  Effect.fn(function* (handlers) {
    const providers = yield* Provider.Providers
    return handlers.handleAll({
      list: () => Effect.sync(() => providers.names.flatMap((name) => providers.get(name) ?? []).map(shown))
    })
  })
)
