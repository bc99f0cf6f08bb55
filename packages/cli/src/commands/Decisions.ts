/** `approve`, `deny`, `review`. */
import * as Command from "effect/cli/Command"
import * as Option from "effect/Option"
import type * as Decide from "../actions/Decide.ts"
import type * as End from "../actions/End.ts"
import { act, requestId, yes, text, optionalText } from "./Parts.ts"

const deciding = {
  id: requestId,
  comment: optionalText("comment", "For the requester and the log"),
  digest: optionalText("digest", "Decide on what was read elsewhere: the request's `digest`", "SHA256"),
  yes
}

export const approve = Command.make(
  "approve",
  deciding,
  act(
    () => import("../actions/Decide.ts"),
    (module, input: Omit<Decide.DecideInput, "reason">) => module.approve({ ...input, reason: Option.none() })
  )
).pipe(
  Command.withShortDescription("Approve a request"),
  Command.withDescription(
    "Show who asks for what, for how long and why, what policy found and what they asked for lately; then ask, and approve exactly that."
  ),
  Command.withExamples([
    { command: "jitsudo approve req_01J...", description: "Look, then answer y" },
    { command: "jitsudo approve req_01J... --yes --comment 'agreed by phone'", description: "Without being asked" }
  ])
)

export const deny = Command.make(
  "deny",
  { ...deciding, reason: optionalText("reason", "The same as --comment") },
  act(
    () => import("../actions/Decide.ts"),
    (module, input: Decide.DecideInput) => module.deny(input)
  )
).pipe(
  Command.withShortDescription("Deny a request"),
  Command.withDescription("Show a request as `approve` does, ask, and deny it. A reason is needed."),
  Command.withExamples([
    { command: "jitsudo deny req_01J... --reason 'not during the freeze'", description: "Say why" }
  ])
)

export const review = Command.make("review").pipe(
  Command.withShortDescription("Break-glass reviews"),
  Command.withDescription("Break-glass is looked at afterwards, by somebody else."),
  Command.withSubcommands([
    Command.make(
      "close",
      { id: requestId, comment: text("comment", "What was found") },
      act(
        () => import("../actions/End.ts"),
        (module, input: End.ReviewInput) => module.closeReview(input)
      )
    ).pipe(
      Command.withDescription("Close the review of a break-glass"),
      Command.withExamples([
        { command: "jitsudo status --open-review", description: "What is open" },
        { command: "jitsudo review close req_01J... --comment 'justified, INC-42'", description: "Close it" }
      ])
    )
  ])
)
