/**
 * `exec`: a program with the credentials of a grant in its environment, and nowhere else.
 *
 * What a platform's tools read from a file comes as `JITSUDO_FILE_<NAME>`: its text is written to a file that is the
 * user's alone, `<NAME>` says where, and it is gone when the program has ended.
 */
import type { Dto } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as Child from "../Child.ts"
import * as ChildFiles from "../ChildFiles.ts"
import * as Daemon from "../Daemon.ts"
import { Ended, exits, failed, misused, refused } from "../Failure.ts"
import { Io } from "../Io.ts"
import * as RequestView from "../views/RequestView.ts"

/** Names that change which code runs: a provider has no business with them. */
const notForProviders =
  /^(?:LD_.*|DYLD_.*|PATH|IFS|ENV|BASH_ENV|SHELLOPTS|PS4|NODE_OPTIONS|PYTHONPATH|PYTHONSTARTUP|PERL5OPT|RUBYOPT|JITSUDO_.*)$/u

const inFile = "JITSUDO_FILE_"

/** The variables of the grant, each fit to be one, and those whose value belongs in a file. Values are never quoted. */
const variables = Effect.fn("exec.variables")(function* (credentials: typeof Dto.Credentials.Type) {
  const plain: Record<string, string> = {}
  const files: Record<string, string> = {}
  for (const { name: given, value } of credentials.credentials) {
    const isFile = given.startsWith(inFile)
    const name = isFile ? given.slice(inFile.length) : given
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/u.test(name) || (!isFile && value.includes("\u0000"))) {
      return yield* failed(`the provider gave a credential that cannot be a variable: ${JSON.stringify(given)}`)
    }
    // JITSUDO_K8S_ROLE and JITSUDO_K8S_NAMESPACE are the Kubernetes provider's.
    if (notForProviders.test(name) && (isFile || !name.startsWith("JITSUDO_K8S_"))) {
      return yield* failed(`the provider gave a credential named ${given}, which changes what programs do`)
    }
    if (isFile) files[name] = value
    else plain[name] = value
  }
  return { plain, files }
})

export interface ExecInput {
  readonly id: string
  readonly argv: ReadonlyArray<string>
}

export const exec = Effect.fn("exec")(function* (input: ExecInput) {
  const [program, ...args] = input.argv
  if (program === undefined || program === "") {
    return yield* misused("no program is named", `jitsudo exec ${input.id} -- COMMAND [ARGUMENTS]`)
  }
  const io = yield* Io
  const daemon = yield* Daemon.connect()
  const request = yield* daemon.call((client) => client.requests.get({ params: { id: input.id } }))
  if (request.state !== "ACTIVE") {
    return yield* refused(
      `${request.id} is ${request.state}, and only an ACTIVE grant has credentials`,
      RequestView.nextStep(request)
    )
  }
  const credentials = yield* daemon.call((client) => client.requests.credentials({ params: { id: input.id } }))
  const { JITSUDO_TOKEN: _ours, ...inherited } = io.env
  const { files, plain } = yield* variables(credentials)
  const env = {
    ...inherited,
    ...plain,
    ...(yield* ChildFiles.written(files)),
    JITSUDO_ELEVATED: "1",
    JITSUDO_REQUEST_ID: request.id
  }
  const { stderr, stdin, stdout } = io.isTty
  const exit = yield* Child.run(program, args, env, { atTerminal: stdin || stdout || stderr })
  if (exit !== exits.ok) return yield* new Ended({ exit })
}, Effect.scoped)
