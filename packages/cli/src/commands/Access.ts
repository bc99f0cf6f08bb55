/** `request`, `status`, `cancel`, `revoke`, `exec`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as End from "../actions/End.ts"
import type * as Exec from "../actions/Exec.ts"
import type * as Request from "../actions/Request.ts"
import type * as Status from "../actions/Status.ts"
import { act, requestId, yes, on, text, optionalText, several, length, limit } from "./Parts.ts"

const states = [
  "PENDING",
  "APPROVED",
  "ACTIVE",
  "ENDING",
  "CANCELLED",
  "REJECTED",
  "LAPSED",
  "FAILED",
  "EXPIRED",
  "REVOKED"
] as const

export const request = Command.make(
  "request",
  {
    provider: text("provider", "Where: aws, mock, ...", "NAME"),
    role: text("role", "The role there", "ROLE"),
    scope: text("scope", "In what: an account, a project, a namespace", "SCOPE").pipe(Flag.withDefault("")),
    duration: length("duration", "For how long: 45m, 1h30m (1h)").pipe(Flag.withDefault(3600)),
    reason: text("reason", "Why; deciders and auditors read it").pipe(Flag.withDefault("")),
    metadata: several("metadata", "A fact for policy, several times", "KEY=VALUE"),
    ticket: optionalText("ticket", "The same as --metadata ticket=ID", "ID"),
    breakGlass: on("break-glass", "In an emergency: without approval, alerted at once, reviewed afterwards"),
    yes,
    wait: on("wait", "Wait until it is granted or refused"),
    timeout: Flag.optional(length("timeout", "Wait no longer than this (exit code 5)"))
  },
  act(
    () => import("../actions/Request.ts"),
    (module, { metadata, ticket, ...input }: RequestFlags) =>
      Effect.flatMap(module.metadataOf(metadata, Option.getOrUndefined(ticket)), (pairs) =>
        module.request({ ...input, metadata: pairs })
      )
  )
).pipe(
  Command.withShortDescription("Ask for a role for a limited time"),
  Command.withDescription(
    "Ask for a role for a limited time. With --wait the exit code tells: 0 granted, 4 refused, 5 nobody decided in time."
  ),
  Command.withExamples([
    {
      command:
        "jitsudo request --provider aws --role prod-admin --scope 123456789012 --duration 1h --reason 'INC-42: disk full' --wait",
      description: "Ask, and wait for the decision"
    },
    {
      command:
        'ID=$(jitsudo request -q --provider mock --role reader --scope demo --duration 15m --wait) && jitsudo exec "$ID" -- env',
      description: "In a script"
    }
  ])
)

type RequestFlags = Omit<Request.RequestInput, "metadata"> & {
  readonly metadata: ReadonlyArray<string>
  readonly ticket: Option.Option<string>
}

export const status = Command.make(
  "status",
  {
    id: Argument.optional(requestId),
    mine: on("mine", "Only what I asked for"),
    pending: on("pending", "Only what waits for my decision"),
    reviews: on("open-review", "Only break-glass that nobody has reviewed"),
    state: Flag.optional(Flag.Literals("state", states).pipe(Flag.withDescription("Only in this state"))),
    provider: optionalText("provider", "Only of this provider", "NAME"),
    role: optionalText("role", "Only of this role", "ROLE"),
    user: optionalText("user", "Only of this person", "EMAIL"),
    limit: limit(50),
    all: on("all", "All there are"),
    watch: on("watch", "Go on, and show what changes")
  },
  act(
    () => import("../actions/Status.ts"),
    (module, input: Status.StatusInput) => module.status(input)
  )
).pipe(
  Command.withShortDescription("Requests: one, or those that I may see"),
  Command.withDescription("One request with everything about it, or a list of those that I may see, newest first."),
  Command.withExamples([
    { command: "jitsudo status --pending", description: "What waits for me" },
    { command: "jitsudo status req_01J... --watch", description: "Follow one to its end" },
    { command: "jitsudo status --mine --state ACTIVE -q", description: "Ids of what I hold" }
  ])
)

export const cancel = Command.make(
  "cancel",
  { id: requestId, reason: optionalText("reason", "Why") },
  act(
    () => import("../actions/End.ts"),
    (module, input: End.EndInput) => module.cancel(input)
  )
).pipe(Command.withDescription("Withdraw a request that nobody has decided yet"))

export const revoke = Command.make(
  "revoke",
  { id: requestId, reason: optionalText("reason", "Why") },
  act(
    () => import("../actions/End.ts"),
    (module, input: End.EndInput) => module.revoke(input)
  )
).pipe(
  Command.withDescription("End a grant before its time: my own, or another's where I may"),
  Command.withExamples([{ command: "jitsudo revoke req_01J... --reason done", description: "Give it back" }])
)

export const exec = Command.make(
  "exec",
  {
    id: requestId,
    argv: Argument.String("command").pipe(
      Argument.withDescription("The program and its arguments, after --"),
      Argument.variadic()
    )
  },
  act(
    () => import("../actions/Exec.ts"),
    (module, input: Exec.ExecInput) => module.exec(input)
  )
).pipe(
  Command.withShortDescription("Run a program with the credentials of a grant"),
  Command.withDescription(
    "Run a program with the credentials of an ACTIVE grant, which are in its environment and nowhere else. JITSUDO_ELEVATED=1 and JITSUDO_REQUEST_ID tell it so. The exit code is the program's: 128 + n where signal n ended it, 127 where there is none, 126 where it cannot be run."
  ),
  Command.withExamples([{ command: "jitsudo exec req_01J... -- aws s3 ls", description: "One command" }])
)
