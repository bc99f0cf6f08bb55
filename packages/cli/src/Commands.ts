/**
 * The command line: names, flags, help. What a command does is in `actions/`, loaded when it is run, so that help and
 * completion start fast.
 */
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type * as Audit from "./actions/Audit.ts"
import type * as Decide from "./actions/Decide.ts"
import type * as End from "./actions/End.ts"
import type * as Exec from "./actions/Exec.ts"
import type * as Login from "./actions/Login.ts"
import type * as Policy from "./actions/Policy.ts"
import type * as Principal from "./actions/Principal.ts"
import type * as Rego from "./actions/Rego.ts"
import type * as Request from "./actions/Request.ts"
import type * as Status from "./actions/Status.ts"
import type { Ended, Failure } from "./Failure.ts"
import { fromFlags, globalFlags, Invocation } from "./Invocation.ts"
import * as Length from "./Length.ts"
import { reporting } from "./Output.ts"

/** Runs an action of a module that is loaded now, with what was said for every command. */
const act = <Module, Input, R>(
  load: () => Promise<Module>,
  run: (module: Module, input: Input) => Effect.Effect<void, Failure | Ended, R>
) =>
  Effect.fnUntraced(function* (input: Input) {
    const invocation = yield* fromFlags
    return yield* reporting(Effect.flatMap(Effect.promise(load), (module) => run(module, input))).pipe(
      Effect.provideService(Invocation, invocation)
    )
  })

// What several commands have.

const requestId = Argument.String("id").pipe(
  Argument.withDescription("The request, req_..."),
  Argument.filter(
    (id) => /^req_[0-9A-HJKMNP-TV-Z]{26}$/u.test(id),
    (id) => `the id of a request (req_ and 26 letters and digits), not ${JSON.stringify(id)}`
  )
)
const yes = Flag.Boolean("yes").pipe(
  Flag.withAlias("y"),
  Flag.withoutNegation,
  Flag.withDescription("Do not ask"),
  Flag.withDefault(false)
)
const on = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withoutNegation, Flag.withDescription(description), Flag.withDefault(false))
const text = (name: string, description: string, metavar = "TEXT") =>
  Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(description))
const optionalText = (name: string, description: string, metavar = "TEXT") =>
  Flag.optional(text(name, description, metavar))
const several = (name: string, description: string, metavar: string) =>
  text(name, description, metavar).pipe(Flag.atLeast(0))

const length = (name: string, description: string) =>
  text(name, description, "LENGTH").pipe(
    Flag.filterMap(
      (typed) => Result.getSuccess(Length.parse(typed)),
      (typed) => Result.match(Length.parse(typed), { onFailure: (why) => why, onSuccess: () => "" })
    )
  )
const limit = (otherwise: number) =>
  Flag.Int("limit").pipe(
    Flag.withDescription(`How many at most (${otherwise})`),
    Flag.filterMap(
      (number) => (number >= 1 && number <= 1_000_000 ? Option.some(number) : Option.none()),
      () => "a number from 1 to 1000000"
    ),
    Flag.withDefault(otherwise)
  )
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
const actions = ["request", "route", "approve", "deny", "ai_approve", "revoke", "break_glass"] as const
const policyTypes = ["eligibility", "approval", "breakglass", "library"] as const

// Signing in.

const login = Command.make(
  "login",
  {
    issuer: optionalText("issuer", "The OpenID Connect issuer, where the daemon names several or none", "URL"),
    clientId: optionalText("client-id", "The client that this program is there", "ID"),
    scope: optionalText("scope", "What to ask the issuer for, where the daemon does not say", "SCOPES")
  },
  act(
    () => import("./actions/Login.ts"),
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

const logout = Command.make(
  "logout",
  {},
  act(
    () => import("./actions/Login.ts"),
    (module) => module.logout()
  )
).pipe(
  Command.withShortDescription("Sign out"),
  Command.withDescription("Forget the sign-in of the context and tell the issuer.")
)

const whoami = Command.make(
  "whoami",
  {},
  act(
    () => import("./actions/Login.ts"),
    (module) => module.whoami()
  )
).pipe(
  Command.withShortDescription("Who the daemon takes me for"),
  Command.withDescription("Identity, groups and rights as the daemon sees them, and how long the token lasts.")
)

const name = Argument.String("name").pipe(Argument.withDescription("The context"))

const context = Command.make("context").pipe(
  Command.withShortDescription("Servers and sign-ins by name"),
  Command.withDescription("Named contexts, each a server and a sign-in. `jitsudo login --context NAME` makes one."),
  Command.withSubcommands([
    Command.make(
      "list",
      {},
      act(
        () => import("./actions/Contexts.ts"),
        (module) => module.list()
      )
    ).pipe(Command.withDescription("All contexts")),
    Command.make(
      "use",
      { name },
      act(
        () => import("./actions/Contexts.ts"),
        (module, input: { readonly name: string }) => module.use(input.name)
      )
    ).pipe(Command.withDescription("Use one where none is named")),
    Command.make(
      "remove",
      { name },
      act(
        () => import("./actions/Contexts.ts"),
        (module, input: { readonly name: string }) => module.remove(input.name)
      )
    ).pipe(Command.withDescription("Forget one"))
  ])
)

// Asking.

const request = Command.make(
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
    () => import("./actions/Request.ts"),
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

const status = Command.make(
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
    () => import("./actions/Status.ts"),
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

const cancel = Command.make(
  "cancel",
  { id: requestId, reason: optionalText("reason", "Why") },
  act(
    () => import("./actions/End.ts"),
    (module, input: End.EndInput) => module.cancel(input)
  )
).pipe(Command.withDescription("Withdraw a request that nobody has decided yet"))

const revoke = Command.make(
  "revoke",
  { id: requestId, reason: optionalText("reason", "Why") },
  act(
    () => import("./actions/End.ts"),
    (module, input: End.EndInput) => module.revoke(input)
  )
).pipe(
  Command.withDescription("End a grant before its time: my own, or another's where I may"),
  Command.withExamples([{ command: "jitsudo revoke req_01J... --reason done", description: "Give it back" }])
)

const exec = Command.make(
  "exec",
  {
    id: requestId,
    argv: Argument.String("command").pipe(
      Argument.withDescription("The program and its arguments, after --"),
      Argument.variadic()
    )
  },
  act(
    () => import("./actions/Exec.ts"),
    (module, input: Exec.ExecInput) => module.exec(input)
  )
).pipe(
  Command.withShortDescription("Run a program with the credentials of a grant"),
  Command.withDescription(
    "Run a program with the credentials of an ACTIVE grant, which are in its environment and nowhere else. JITSUDO_ELEVATED=1 and JITSUDO_REQUEST_ID tell it so. The exit code is the program's: 128 + n where signal n ended it, 127 where there is none, 126 where it cannot be run."
  ),
  Command.withExamples([{ command: "jitsudo exec req_01J... -- aws s3 ls", description: "One command" }])
)

// Deciding.

const deciding = {
  id: requestId,
  comment: optionalText("comment", "For the requester and the log"),
  digest: optionalText("digest", "Decide on what was read elsewhere: the request's `digest`", "SHA256"),
  yes
}

const approve = Command.make(
  "approve",
  deciding,
  act(
    () => import("./actions/Decide.ts"),
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

const deny = Command.make(
  "deny",
  { ...deciding, reason: optionalText("reason", "The same as --comment") },
  act(
    () => import("./actions/Decide.ts"),
    (module, input: Decide.DecideInput) => module.deny(input)
  )
).pipe(
  Command.withShortDescription("Deny a request"),
  Command.withDescription("Show a request as `approve` does, ask, and deny it. A reason is needed."),
  Command.withExamples([
    { command: "jitsudo deny req_01J... --reason 'not during the freeze'", description: "Say why" }
  ])
)

const review = Command.make("review").pipe(
  Command.withShortDescription("Break-glass reviews"),
  Command.withDescription("Break-glass is looked at afterwards, by somebody else."),
  Command.withSubcommands([
    Command.make(
      "close",
      { id: requestId, comment: text("comment", "What was found") },
      act(
        () => import("./actions/End.ts"),
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

// The log.

const audit = Command.make(
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
    () => import("./actions/Audit.ts"),
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
        () => import("./actions/Audit.ts"),
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
        () => import("./actions/Audit.ts"),
        (module, input: Audit.ExportInput) => module.exportLog(input)
      )
    ).pipe(
      Command.withDescription("The log as NDJSON that anybody can verify (auditors)"),
      Command.withExamples([{ command: "jitsudo audit export --file audit.ndjson", description: "All of it" }])
    )
  ])
)

// Policy.

const paths = Argument.String("path").pipe(
  Argument.withDescription("Files, or directories with policies"),
  Argument.variadic({ min: 1 })
)
const policyName = Argument.String("policy").pipe(Argument.withDescription("Id or name"))

const policy = Command.make("policy").pipe(
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
        () => import("./actions/Policy.ts"),
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
        () => import("./actions/Policy.ts"),
        (module) => module.list()
      )
    ).pipe(Command.withDescription("The policies in force")),
    Command.make(
      "get",
      { policy: policyName },
      act(
        () => import("./actions/Policy.ts"),
        (module, input: { readonly policy: string }) => module.get(input.policy)
      )
    ).pipe(Command.withDescription("One policy with its sources")),
    Command.make(
      "delete",
      { policy: policyName },
      act(
        () => import("./actions/Policy.ts"),
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
        () => import("./actions/Policy.ts"),
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
        () => import("./actions/Rego.ts"),
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
        () => import("./actions/Rego.ts"),
        (module, input: Rego.FormatInput) => module.format(input)
      )
    ).pipe(Command.withDescription("Format Rego as `opa fmt` does, offline")),
    Command.make(
      "test",
      { paths },
      act(
        () => import("./actions/Rego.ts"),
        (module, input: { readonly paths: ReadonlyArray<string> }) => module.test(input.paths)
      )
    ).pipe(Command.withDescription("Run the tests of policies, offline"))
  ])
)

// Principals.

const identity = Argument.String("principal").pipe(Argument.withDescription("An e-mail address, or ISSUER#SUBJECT"))

const principal = Command.make("principal").pipe(
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
        () => import("./actions/Principal.ts"),
        (module, input: Principal.ListInput) => module.list(input)
      )
    ).pipe(Command.withDescription("Everybody who ever signed in (auditors)")),
    Command.make(
      "get",
      { identity },
      act(
        () => import("./actions/Principal.ts"),
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
        () => import("./actions/Principal.ts"),
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
        () => import("./actions/Principal.ts"),
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
        () => import("./actions/Principal.ts"),
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
        () => import("./actions/Principal.ts"),
        (module, input: { readonly id: string }) => module.unlock(input.id)
      )
    ).pipe(Command.withDescription("Take a lock away (administrators)")),
    Command.make(
      "locks",
      {},
      act(
        () => import("./actions/Principal.ts"),
        (module) => module.locks()
      )
    ).pipe(Command.withDescription("What is locked"))
  ])
)

const server = Command.make("server").pipe(
  Command.withShortDescription("The daemon: health and version"),
  Command.withDescription("Whether the daemon is there and well. Nobody needs to be signed in."),
  Command.withSubcommands([
    Command.make(
      "status",
      {},
      act(
        () => import("./actions/Server.ts"),
        (module) => module.status()
      )
    ).pipe(Command.withDescription("Health and readiness; exit code 1 unless all is well")),
    Command.make(
      "version",
      {},
      act(
        () => import("./actions/Server.ts"),
        (module) => module.version()
      )
    ).pipe(Command.withDescription("Versions of the daemon, its API and this program"))
  ])
)

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
