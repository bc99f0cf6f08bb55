/** `audit`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type * as Audit from "../actions/Audit.ts"
import type * as Receipts from "../actions/Receipts.ts"
import { act, on, optionalText, requestId, several, limit } from "./Parts.ts"

export const audit = Command.make(
  "audit",
  {
    user: optionalText("user", "Only what this one did: an e-mail address, or ISSUER#SUBJECT", "WHO"),
    action: optionalText("action", "Only this: grant.issued, request.approved, ...", "ACTION"),
    request: optionalText("request", "Only about this request", "ID"),
    provider: optionalText("provider", "Only of this provider", "NAME"),
    outcome: Flag.optional(
      Flag.Literals("outcome", ["success", "failure", "refused"]).pipe(Flag.withDescription("Only with this outcome"))
    ),
    since: optionalText("since", "From then on: 24h, 7d, 2026-01-31, 2026-01-31T09:00:00Z", "TIME"),
    until: optionalText("until", "Before then", "TIME"),
    limit: limit(50),
    all: on("all", "All there are"),
    oldest: on("oldest-first", "The oldest first")
  },
  act(
    () => import("../actions/Audit.ts"),
    (module, input: Audit.QueryInput) => module.query(input)
  )
).pipe(
  Command.withShortDescription("The audit log: look, verify, take along"),
  Command.withDescription(
    "Entries of the audit log, newest first. Auditors see all, others those of requests that they may see."
  ),
  Command.withExamples([
    { command: "jitsudo audit --since 24h --outcome refused", description: "What was refused today" },
    { command: "jitsudo audit --request req_01J... --oldest-first", description: "The story of one request" },
    { command: "jitsudo audit verify", description: "Prove that nobody changed the log" }
  ]),
  Command.withSubcommands([
    Command.make(
      "verify",
      {
        file: Flag.optional(
          Flag.Path("file", { pathType: "file" }).pipe(
            Flag.withMetavar("FILE"),
            Flag.withDescription("An export, instead of the daemon")
          )
        ),
        heads: several(
          "head",
          "An entry that must be there, several times; the newest seen before is known anyway",
          "SEQ:HASH"
        )
      },
      act(
        () => import("../actions/Audit.ts"),
        (module, input: Audit.VerifyInput) => module.verifyLog(input)
      )
    ).pipe(
      Command.withDescription(
        "Check every entry of the log, and that it still has what was seen before. Exit code: 0 intact, 1 tampered, 2 could not check."
      ),
      Command.withExamples([
        { command: "jitsudo audit verify", description: "The daemon's log" },
        { command: "jitsudo audit verify --file export.ndjson", description: "An export, without a daemon" }
      ])
    ),
    Command.make(
      "export",
      {
        file: Flag.optional(
          Flag.Path("file").pipe(Flag.withMetavar("FILE"), Flag.withDescription("Where to; else standard output"))
        ),
        from: Flag.optional(Flag.Int("from").pipe(Flag.withDescription("First entry (1)"))),
        to: Flag.optional(Flag.Int("to").pipe(Flag.withDescription("Last entry (the newest)")))
      },
      act(
        () => import("../actions/Audit.ts"),
        (module, input: Audit.ExportInput) => module.exportLog(input)
      )
    ).pipe(
      Command.withDescription("The log as NDJSON that anybody can verify (auditors)"),
      Command.withExamples([{ command: "jitsudo audit export --file audit.ndjson", description: "All of it" }])
    ),
    Command.make(
      "receipt",
      {
        id: requestId,
        seq: Flag.optional(Flag.Int("seq").pipe(Flag.withDescription("This entry only"))),
        file: Flag.optional(
          Flag.Path("file").pipe(Flag.withMetavar("FILE"), Flag.withDescription("Where to; else standard output"))
        )
      },
      act(
        () => import("../actions/Receipts.ts"),
        (module, input: Receipts.ReceiptInput) => module.receipt(input)
      )
    ).pipe(
      Command.withShortDescription("Proof that a request's entries are in the log"),
      Command.withDescription(
        "Proof, to be checked without a daemon, that the entries of a request are in the log: one receipt for each (c2sp.org/tlog-proof)."
      ),
      Command.withExamples([
        { command: "jitsudo audit receipt req_01J... --file req.tlog-proof", description: "Of the whole story" },
        {
          command: "jitsudo audit receipt verify req.tlog-proof --key log.example.com+1d20c3a4+ARpc...",
          description: "Anywhere, with the log's public key alone"
        }
      ]),
      Command.withSubcommands([
        Command.make(
          "verify",
          {
            file: Argument.Path("file", { pathType: "file" }).pipe(Argument.withDescription("The receipts")),
            keys: several("key", "A public key of the log, and the sizes it speaks for if it was exchanged", "KEY")
          },
          act(
            () => import("../actions/Receipts.ts"),
            (module, input: Receipts.VerifyInput) => module.verifyReceipts(input)
          )
        ).pipe(
          Command.withDescription(
            "Check receipts without a daemon. Exit code: 0 all are proved, 1 one of them is not, 2 could not check."
          )
        )
      ])
    ),
    Command.make(
      "checkpoint",
      {},
      act(
        () => import("../actions/Receipts.ts"),
        (module) => module.checkpoint()
      )
    ).pipe(
      Command.withDescription(
        "The newest signed checkpoint of the log: keep it, to see later that the log was not cut or rewritten"
      )
    ),
    Command.make(
      "keys",
      {},
      act(
        () => import("../actions/Receipts.ts"),
        (module) => module.keys()
      )
    ).pipe(Command.withDescription("The public keys of the log; get them from its operator by another way as well"))
  ])
)
