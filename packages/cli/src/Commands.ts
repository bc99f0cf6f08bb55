/**
 * The command line: names, flags, help. What a command does is in `actions/`, loaded when it is run, so that help and
 * completion start fast.
 */
import * as Command from "effect/cli/Command"
import { cancel, exec, request, revoke, status } from "./commands/Access.ts"
import { audit } from "./commands/AuditLog.ts"
import { approve, deny, review } from "./commands/Decisions.ts"
import { policy } from "./commands/Policies.ts"
import { principal } from "./commands/Principals.ts"
import { server } from "./commands/Server.ts"
import { context, login, logout, whoami } from "./commands/SignIn.ts"
import { globalFlags } from "./Invocation.ts"

/** All of it. */
export const jitsudo = Command.make("jitsudo").pipe(
  Command.withDescription(
    "Just-in-time privileged access: ask, decide, use, give back, prove. Exit codes: 0 ok, 1 error, 2 usage, 3 not signed in, 4 refused, 5 timed out; `exec` ends with its program's."
  ),
  Command.withExamples([
    { command: "jitsudo login --server https://jitsudo.example.com", description: "Sign in" },
    {
      command:
        "jitsudo request --provider aws --role prod-admin --scope 123456789012 --duration 1h --reason INC-42 --wait",
      description: "Ask, and wait"
    },
    { command: "jitsudo exec req_01J... -- aws s3 ls", description: "Use it" }
  ]),
  Command.withSubcommands([
    { group: "Access", commands: [request, status, exec, cancel, revoke] },
    { group: "Decisions", commands: [approve, deny, review] },
    { group: "Sign-in", commands: [login, logout, whoami, context] },
    { group: "Administration", commands: [policy, principal, audit, server] }
  ]),
  Command.withGlobalFlags(globalFlags)
)
