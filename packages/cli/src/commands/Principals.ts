/** `principal`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import type * as Principal from "../actions/Principal.ts"
import { act, on, text, optionalText, limit } from "./Parts.ts"

const identity = Argument.String("principal").pipe(Argument.withDescription("An e-mail address, or ISSUER#SUBJECT"))

export const principal = Command.make("principal").pipe(
  Command.withShortDescription("People and agents: trust, owners, locks"),
  Command.withDescription("Who is known, how far they are trusted, who answers for an agent, and what is locked."),
  Command.withSubcommands([
    Command.make(
      "list",
      {
        email: optionalText("email", "Only with this address", "EMAIL"),
        limit: limit(50),
        all: on("all", "All there are")
      },
      act(
        () => import("../actions/Principal.ts"),
        (module, input: Principal.ListInput) => module.list(input)
      )
    ).pipe(Command.withDescription("Everybody who ever signed in (auditors)")),
    Command.make(
      "get",
      { identity },
      act(
        () => import("../actions/Principal.ts"),
        (module, input: { readonly identity: string }) => module.get(input.identity)
      )
    ).pipe(Command.withDescription("One of them")),
    Command.make(
      "trust",
      {
        identity,
        tier: Argument.Int("tier").pipe(
          Argument.withDescription("0 (unknown) to 4"),
          Argument.filter(
            (tier) => tier >= 0 && tier <= 4,
            () => "a tier from 0 to 4"
          )
        ),
        notes: optionalText("notes", "Why")
      },
      act(
        () => import("../actions/Principal.ts"),
        (module, input: Principal.TrustInput) => module.trust(input)
      )
    ).pipe(
      Command.withDescription("Say how far somebody is trusted (administrators)"),
      Command.withExamples([
        { command: "jitsudo principal trust alice@example.com 3 --notes 'on call since May'", description: "Tier 3" }
      ])
    ),
    Command.make(
      "owner",
      { identity, owner: Argument.String("owner").pipe(Argument.withDescription("Who answers for it")) },
      act(
        () => import("../actions/Principal.ts"),
        (module, input: Principal.OwnerInput) => module.owner(input)
      )
    ).pipe(Command.withDescription("Say who answers for an agent (administrators)")),
    Command.make(
      "lock",
      {
        identity: Argument.optional(identity),
        provider: optionalText("provider", "Everything there", "NAME"),
        role: optionalText("role", "Only roles like this (* is any text)", "PATTERN"),
        scope: optionalText("scope", "Only scopes like this (* is any text)", "PATTERN"),
        everything: on("everything", "All access of all"),
        reason: text("reason", "Why")
      },
      act(
        () => import("../actions/Principal.ts"),
        (module, input: Principal.LockInput) => module.lock(input)
      )
    ).pipe(
      Command.withDescription("Stop everything new on a target and end what is active (administrators)"),
      Command.withExamples([
        {
          command: "jitsudo principal lock mallory@example.com --reason 'laptop stolen'",
          description: "One person, with their agents"
        },
        { command: "jitsudo principal lock --provider aws --role 'prod-*' --reason INC-42", description: "Roles" }
      ])
    ),
    Command.make(
      "unlock",
      { id: Argument.String("lock").pipe(Argument.withDescription("The lock, lck_...")) },
      act(
        () => import("../actions/Principal.ts"),
        (module, input: { readonly id: string }) => module.unlock(input.id)
      )
    ).pipe(Command.withDescription("Take a lock away (administrators)")),
    Command.make(
      "locks",
      {},
      act(
        () => import("../actions/Principal.ts"),
        (module) => module.locks()
      )
    ).pipe(Command.withDescription("What is locked"))
  ])
)
