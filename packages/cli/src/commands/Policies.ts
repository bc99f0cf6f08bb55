/** `policy`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import type * as Policy from "../actions/Policy.ts"
import type * as Rego from "../actions/Rego.ts"
import { act, on, text, optionalText, several } from "./Parts.ts"

const actions = ["request", "route", "approve", "deny", "ai_approve", "revoke", "break_glass"] as const
const policyTypes = ["eligibility", "approval", "breakglass", "library"] as const

const paths = Argument.String("path").pipe(
  Argument.withDescription("Files, or directories with policies"),
  Argument.variadic({ min: 1 })
)
const policyName = Argument.String("policy").pipe(Argument.withDescription("Id or name"))

export const policy = Command.make("policy").pipe(
  Command.withShortDescription("Policy: write, test, apply"),
  Command.withDescription(
    "Policy in Rego. check, fmt and test work offline. A policy is NAME.rego or NAME/*.rego; *_test.rego go along; its package says what it is for."
  ),
  Command.withSubcommands([
    Command.make(
      "apply",
      {
        file: Flag.Path("file").pipe(
          Flag.withAlias("f"),
          Flag.withMetavar("PATH"),
          Flag.withDescription("A policy, or a directory of policies, applied as one revision")
        ),
        name: optionalText("name", "Another name than the file's", "NAME"),
        type: Flag.optional(
          Flag.Literals("type", policyTypes).pipe(Flag.withDescription("Where the package does not say"))
        ),
        description: optionalText("description", "For people"),
        disable: on("disable", "Store without effect"),
        replaceAll: on("replace-all", "Delete every policy that is not in the directory"),
        expectRevision: Flag.optional(
          Flag.Int("expect-revision").pipe(Flag.withDescription("Only if nobody changed policy since this revision"))
        )
      },
      act(
        () => import("../actions/Policy.ts"),
        (module, input: Policy.ApplyInput) => module.apply(input)
      )
    ).pipe(
      Command.withDescription("Check, compile and store policy (administrators)"),
      Command.withExamples([
        { command: "jitsudo policy apply -f policies/", description: "All of a directory, as one revision" },
        { command: "jitsudo policy apply -f on-call.rego", description: "One, with on-call_test.rego beside it" }
      ])
    ),
    Command.make(
      "list",
      {},
      act(
        () => import("../actions/Policy.ts"),
        (module) => module.list()
      )
    ).pipe(Command.withDescription("The policies in force")),
    Command.make(
      "get",
      { policy: policyName },
      act(
        () => import("../actions/Policy.ts"),
        (module, input: { readonly policy: string }) => module.get(input.policy)
      )
    ).pipe(Command.withDescription("One policy with its sources")),
    Command.make(
      "delete",
      { policy: policyName },
      act(
        () => import("../actions/Policy.ts"),
        (module, input: { readonly policy: string }) => module.remove(input.policy)
      )
    ).pipe(Command.withDescription("Delete one (administrators)")),
    Command.make(
      "eval",
      {
        input: text("input", "The input document: JSON, @FILE, or @- for standard input", "JSON|@FILE"),
        action: Flag.Literals("action", actions).pipe(
          Flag.withDescription("What is decided (request)"),
          Flag.withDefault("request" as const)
        ),
        files: several("file", "Evaluate these instead of what is stored, several times", "PATH").pipe(
          Flag.withAlias("f")
        ),
        now: optionalText("now", "Policy's clock", "TIME")
      },
      act(
        () => import("../actions/Policy.ts"),
        (module, input: Policy.EvalInput) => module.evaluate(input)
      )
    ).pipe(
      Command.withDescription("What policy would say (administrators and auditors)"),
      Command.withExamples([
        {
          command: "jitsudo policy eval --input @request.json --file policies/",
          description: "Before it is applied"
        }
      ])
    ),
    Command.make(
      "check",
      { paths },
      act(
        () => import("../actions/Rego.ts"),
        (module, input: { readonly paths: ReadonlyArray<string> }) => module.check(input.paths)
      )
    ).pipe(Command.withDescription("Say what is wrong with policies, offline")),
    Command.make(
      "fmt",
      {
        write: Flag.Boolean("write").pipe(
          Flag.withAlias("w"),
          Flag.withoutNegation,
          Flag.withDescription("Rewrite the files"),
          Flag.withDefault(false)
        ),
        check: on("check", "Only name those that would change (exit code 1)"),
        paths
      },
      act(
        () => import("../actions/Rego.ts"),
        (module, input: Rego.FormatInput) => module.format(input)
      )
    ).pipe(Command.withDescription("Format Rego as `opa fmt` does, offline")),
    Command.make(
      "test",
      { paths },
      act(
        () => import("../actions/Rego.ts"),
        (module, input: { readonly paths: ReadonlyArray<string> }) => module.test(input.paths)
      )
    ).pipe(Command.withDescription("Run the tests of policies, offline"))
  ])
)
