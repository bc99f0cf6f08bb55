/**
 * `server reconcile`: what the platforms hold against what is live here.
 *
 * Scripts go by the exit code: 0 nothing differs, or all that does is being acted on; 6 something differs (with
 * `--dry-run`), or waits for an administrator's word; 1 a provider could not be compared.
 */
import type { Dto } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Daemon from "../Daemon.ts"
import { Ended, exits, misused } from "../Failure.ts"
import * as Instant from "../Instant.ts"
import { answer, say, warn } from "../Output.ts"
import { table } from "../Table.ts"

export interface ReconcileInput {
  readonly provider: Option.Option<string>
  readonly dryRun: boolean
  readonly takeBack: ReadonlyArray<string>
}

interface Row {
  readonly provider: string
  readonly what: "orphan" | "unclaimed" | "foreign" | "removed"
  readonly requestId: string
  readonly installation: string
  readonly notAfter: string | null
  readonly resourceKey: string
}

const styles = { orphan: "yellow", unclaimed: "yellow", foreign: "dim", removed: "red" } as const

const rowsOf = (one: typeof Dto.ProviderDifference.Type): ReadonlyArray<Row> => {
  const marks = (what: Row["what"], all: ReadonlyArray<typeof Dto.Mark.Type>): ReadonlyArray<Row> =>
    all.map(({ installation, notAfter, requestId, resourceKey }) => ({
      provider: one.provider,
      what,
      requestId,
      installation: installation ?? "",
      notAfter,
      resourceKey
    }))
  return [
    ...marks("orphan", one.orphans),
    ...marks("unclaimed", one.unclaimed),
    ...marks("foreign", one.foreign),
    ...one.removed.map((requestId): Row => ({
      provider: one.provider,
      what: "removed",
      requestId,
      installation: "",
      notAfter: null,
      resourceKey: ""
    }))
  ]
}

export const reconcile = Effect.fn("server.reconcile")(function* (input: ReconcileInput) {
  if (input.dryRun && input.takeBack.length > 0) {
    return yield* misused("--dry-run changes nothing, and --take-back does", "give one of them")
  }
  const provider = Option.isSome(input.provider) ? { provider: input.provider.value } : {}
  const daemon = yield* Daemon.connect()
  const found = yield* daemon.call((client) =>
    input.dryRun
      ? client.reconciliation.difference({ query: provider })
      : client.reconciliation.run({
          payload: { ...provider, ...(input.takeBack.length === 0 ? {} : { takeBack: input.takeBack }) }
        })
  )
  const rows = found.providers.flatMap(rowsOf)
  yield* answer(
    { ...found, dryRun: input.dryRun },
    {
      ids: () => rows.filter(({ what }) => what !== "foreign").map(({ requestId }) => requestId),
      text: (_, screen) =>
        rows.length === 0
          ? ""
          : table(
              [
                { title: "PROVIDER", cell: ({ provider: name }) => name },
                { title: "WHAT", cell: ({ what }) => ({ text: what, style: styles[what] }) },
                { title: "REQUEST", cell: ({ requestId }) => requestId },
                { title: "OF", cell: ({ installation }) => installation },
                {
                  title: "ENDS",
                  cell: ({ notAfter }) => (notAfter === null ? "" : Instant.show(notAfter, screen.now))
                },
                { title: "ON", cell: ({ resourceKey }) => resourceKey, flexible: true }
              ],
              rows,
              screen
            )
    }
  )
  for (const one of found.providers) {
    if (one.error !== null) yield* warn(`${one.provider} could not be compared: ${one.error}`)
    else if (!one.listing) yield* say(`${one.provider} cannot list what it granted: nothing is known of orphans there`)
  }
  const missed = input.takeBack.filter((id) => !found.takenBack.includes(id))
  if (missed.length > 0) yield* warn(`not taken back, not there or live here: ${missed.join(", ")}`)
  const waiting = found.providers.flatMap((one) => one.unclaimed)
  if (waiting.length > 0) {
    yield* say(
      `${waiting.length} unclaimed: their marks name no installation. Take them back with --take-back ID, if they are nobody's`
    )
  }
  if (found.providers.some((one) => one.error !== null)) return yield* new Ended({ exit: exits.error })
  const differs = rows.some(({ what }) => what !== "foreign")
  if (input.dryRun ? differs : waiting.length > 0 || missed.length > 0) return yield* new Ended({ exit: exits.differs })
  if (!differs) yield* say("nothing differs")
})
