/** `server providers`: where rights can be granted, and what each platform can do. */
import type { Dto } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as Daemon from "../Daemon.ts"
import * as Length from "../Length.ts"
import { answerList } from "../Output.ts"

type Provider = typeof Dto.Provider.Type

/** How soon it bites. */
const within = ({ earlyRevocation: { supported, withinSeconds } }: Provider): string =>
  !supported ? "not possible" : withinSeconds < 1 ? "at once" : `within ${Length.show(withinSeconds)}`

export const providers = Effect.fn("server.providers")(function* () {
  const daemon = yield* Daemon.connect()
  const all = yield* daemon.call((client) => client.providers.list({}))
  yield* answerList(all, {
    id: ({ name }) => name,
    none: "no provider is configured here: nothing can be granted",
    columns: () => [
      { title: "NAME", cell: ({ name }) => name },
      {
        title: "FOR",
        cell: ({ maxDurationSeconds, minDurationSeconds }) =>
          `${Length.show(minDurationSeconds)} to ${Length.show(maxDurationSeconds)}`
      },
      { title: "ENDS BY ITSELF", cell: ({ nativeExpiry }) => (nativeExpiry ? "yes" : "jitsudo ends it") },
      { title: "RECONCILED", cell: ({ listing }) => (listing ? "yes" : "no") },
      { title: "EARLY END", cell: within },
      { title: "WHAT GOES ON", cell: ({ earlyRevocation }) => earlyRevocation.note, flexible: true }
    ]
  })
})
