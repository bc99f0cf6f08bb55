/** `login`, `logout`, `whoami`, `context`. */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import type * as Login from "../actions/Login.ts"
import { act, optionalText } from "./Parts.ts"

export const login = Command.make(
  "login",
  {
    issuer: optionalText("issuer", "The OpenID Connect issuer, where the daemon names several or none", "URL"),
    clientId: optionalText("client-id", "The client that this program is there", "ID"),
    scope: optionalText("scope", "What to ask the issuer for, where the daemon does not say", "SCOPES")
  },
  act(
    () => import("../actions/Login.ts"),
    (module, input: Login.LoginInput) => module.login(input)
  )
).pipe(
  Command.withShortDescription("Sign in"),
  Command.withDescription(
    "Sign in by a browser, here or on another device. What is needed comes from the daemon; the sign-in is kept for the context, and renewed by itself."
  ),
  Command.withExamples([
    { command: "jitsudo login --server https://jitsudo.example.com", description: "The first time" },
    { command: "jitsudo login", description: "Again, where the sign-in is over" },
    {
      command: "jitsudo login --context staging --server https://staging.example.com",
      description: "Another server beside"
    }
  ])
)

export const logout = Command.make(
  "logout",
  {},
  act(
    () => import("../actions/Login.ts"),
    (module) => module.logout()
  )
).pipe(
  Command.withShortDescription("Sign out"),
  Command.withDescription("Forget the sign-in of the context and tell the issuer.")
)

export const whoami = Command.make(
  "whoami",
  {},
  act(
    () => import("../actions/Login.ts"),
    (module) => module.whoami()
  )
).pipe(
  Command.withShortDescription("Who the daemon takes me for"),
  Command.withDescription("Identity, groups and rights as the daemon sees them, and how long the token lasts.")
)

const name = Argument.String("name").pipe(Argument.withDescription("The context"))

export const context = Command.make("context").pipe(
  Command.withShortDescription("Servers and sign-ins by name"),
  Command.withDescription("Named contexts, each a server and a sign-in. `jitsudo login --context NAME` makes one."),
  Command.withSubcommands([
    Command.make(
      "list",
      {},
      act(
        () => import("../actions/Contexts.ts"),
        (module) => module.list()
      )
    ).pipe(Command.withDescription("All contexts")),
    Command.make(
      "use",
      { name },
      act(
        () => import("../actions/Contexts.ts"),
        (module, input: { readonly name: string }) => module.use(input.name)
      )
    ).pipe(Command.withDescription("Use one where none is named")),
    Command.make(
      "remove",
      { name },
      act(
        () => import("../actions/Contexts.ts"),
        (module, input: { readonly name: string }) => module.remove(input.name)
      )
    ).pipe(Command.withDescription("Forget one"))
  ])
)
