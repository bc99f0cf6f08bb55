/**
 * How a command ends when it does not succeed: one sentence, what belongs to it, the next step, and an exit code.
 *
 * Texts may quote others (the daemon, an issuer, a file); whoever prints them escapes them (`Terminal.safe`).
 */
import * as Data from "effect/Data"

/** What scripts may rely on. `exec` ends with its child's code, `audit verify` with 0, 1 or 2 as its verdict. */
export const exits = {
  ok: 0,
  error: 1,
  usage: 2,
  notSignedIn: 3,
  refused: 4,
  timedOut: 5,
  /** `server reconcile`: something differs. */
  differs: 6,
  interrupted: 130
} as const

export type ExitCode = (typeof exits)[keyof typeof exits]

export class Failure extends Data.TaggedError("Failure")<{
  readonly exit: number
  /** What is wrong, naming the object and the rule. */
  readonly message: string
  /** Every field at fault, or every reason. */
  readonly details?: ReadonlyArray<string>
  /** What to do next. */
  readonly hint?: string
  /** The daemon's problem document (RFC 9457), for `--output json`. */
  readonly document?: Readonly<Record<string, unknown>>
}> {}

/** Ends with a code and says nothing more: everything was said. */
export class Ended extends Data.TaggedError("Ended")<{ readonly exit: number }> {}

const failing =
  (exit: number) =>
  (message: string, hint?: string, details?: ReadonlyArray<string>): Failure =>
    new Failure({
      exit,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details })
    })

/** Something did not work. */
export const failed = failing(exits.error)
/** The command line asks for what there is not. */
export const misused = failing(exits.usage)
/** Nobody is signed in, or the sign-in is over. */
export const notSignedIn = failing(exits.notSignedIn)
/** Somebody or some rule said no. */
export const refused = failing(exits.refused)
/** It was waited for long enough. */
export const timedOut = failing(exits.timedOut)

/** What a caught value says, for the end of a sentence. Node's errors have codes that say more than their messages. */
export const reasonOf = (thrown: unknown): string => {
  if (!(thrown instanceof Error)) return "it failed"
  const { cause } = thrown
  if (cause instanceof Error && cause !== thrown) return reasonOf(cause)
  const code = "code" in thrown ? String(thrown.code) : ""
  return sentences[code] ?? (thrown.message === "" ? code || thrown.name : thrown.message)
}

const sentences: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there (connection refused)",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "the name cannot be looked up now",
  ETIMEDOUT: "it does not answer (timed out)",
  UND_ERR_CONNECT_TIMEOUT: "it does not answer (timed out)",
  UND_ERR_HEADERS_TIMEOUT: "it does not answer (timed out)",
  ECONNRESET: "the connection was cut off",
  UND_ERR_SOCKET: "the connection was cut off",
  EHOSTUNREACH: "there is no way to the host",
  ENETUNREACH: "there is no way to the host",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ENOENT: "no such file or directory",
  EISDIR: "it is a directory",
  ENOTDIR: "part of the path is not a directory",
  ENOSPC: "the disk is full",
  EROFS: "the file system is read-only",
  CERT_HAS_EXPIRED: "its certificate has expired",
  DEPTH_ZERO_SELF_SIGNED_CERT:
    "its certificate is self-signed: name its CA in NODE_EXTRA_CA_CERTS or in the context's `tls.ca_file`",
  SELF_SIGNED_CERT_IN_CHAIN:
    "its certificate is from an unknown CA: name it in NODE_EXTRA_CA_CERTS or in the context's `tls.ca_file`",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "its certificate is from an unknown CA: name it in NODE_EXTRA_CA_CERTS or in the context's `tls.ca_file`",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    "its certificate is from an unknown CA: name it in NODE_EXTRA_CA_CERTS or in the context's `tls.ca_file`",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host"
}
