/**
 * jitsudo's logins on the server: one for each request, a member of exactly one role.
 *
 * 1. A login is made whole or not at all: role, membership and mark come in one transaction.
 * 2. `VALID UNTIL` stops new sessions at the end even when nobody takes the login away; open sessions live on, so a login
 *    must be removed.
 * 3. Removing it shuts it, ends its sessions, leaves what it made to its role, and drops it. Each step may be repeated.
 * 4. The server computes every statement's quoting (`format`), and gets a SCRAM verifier instead of a password: neither
 *    its log nor its statistics know one.
 */
import { Provider, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { createHash, createHmac, pbkdf2Sync, randomBytes } from "node:crypto"

/** What a login's comment says of it. */
const Mark = Schema.fromJsonString(
  Schema.Struct({
    requestId: Schema.String,
    role: Schema.String,
    installation: Schema.NullOr(Schema.String),
    issuedAt: Schema.Int,
    notAfter: Schema.Int
  })
)
export type Mark = typeof Mark.Type

export interface Logins {
  readonly roleExists: (role: string) => Effect.Effect<boolean, Provider.ProviderError>
  /** Makes the login, or gives the one that there is another password; the mark is that of the first. */
  readonly make: (mark: Mark, password: string) => Effect.Effect<Mark, Provider.ProviderError>
  readonly find: (requestId: string) => Effect.Effect<Mark | undefined, Provider.ProviderError>
  readonly all: Effect.Effect<ReadonlyArray<Mark>, Provider.ProviderError>
  /** Removes the login, its sessions and its membership; done also when there is none. */
  readonly remove: (requestId: string) => Effect.Effect<void, Provider.ProviderError>
  readonly nameOf: (requestId: string) => string
}

/** What the server stores of a password (RFC 5803). */
const scramVerifier = (password: string): string => {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, 4096, 32, "sha256")
  const keyed = (text: string) => createHmac("sha256", salted).update(text).digest()
  const stored = createHash("sha256").update(keyed("Client Key")).digest("base64")
  return `SCRAM-SHA-256$4096:${salt.toString("base64")}$${stored}:${keyed("Server Key").toString("base64")}`
}

/** In the port's words. Who only reads, or whose transaction was refused, changed nothing. */
const asError = (error: SqlError): Provider.ProviderError => {
  const reason = error.reason._tag
  const make = (
    why: Provider.ProviderReason,
    effect: "none" | "unknown",
    retryable: boolean,
    message: string,
    hint: string
  ) => new Provider.ProviderError({ provider: "postgres-role", reason: why, effect, retryable, message, hint })
  switch (reason) {
    case "AuthenticationError":
    case "AuthorizationError":
      return make(
        "ProviderDenied",
        "none",
        false,
        "the database does not let jitsudo do this",
        "The user of `providers.postgres-role.url` needs CREATEROLE, ADMIN OPTION on the roles, and pg_signal_backend."
      )
    case "UniqueViolation":
    case "DeadlockError":
    case "SerializationError":
    case "LockTimeoutError":
      return make("ProviderConflict", "none", true, "the database is busy with the same login", "It is tried again.")
    case "ConstraintError":
      return make(
        "ProviderConflict",
        "none",
        false,
        "the login owns something in another database",
        "Give away what it owns there (REASSIGN OWNED BY), then it can be removed."
      )
    default:
      return make("ProviderUnavailable", "unknown", true, "the database did not answer", `It was a ${reason}.`)
  }
}

const requestIdOf = /^req_([0-9A-HJKMNP-TV-Z]{26})$/u

export const make = (sql: SqlClient.SqlClient, prefix: string): Logins => {
  const told = <A>(effect: Effect.Effect<A, SqlError>) => Effect.mapError(effect, asError)
  const nameOf = (requestId: string): string => {
    const ulid = requestIdOf.exec(requestId)?.[1]
    if (ulid === undefined) throw new Error("a request's id is req_ and a ULID")
    return `${prefix}${ulid.toLowerCase()}`
  }
  /** Runs a statement that the server itself put together. */
  const run = (template: string, ...values: ReadonlyArray<string>) =>
    Effect.flatMap(
      sql.unsafe<{ readonly statement: string }>(
        `SELECT format($1, VARIADIC ARRAY[${values.map((_, index) => `$${index + 2}::text`).join(", ")}]) AS statement`,
        [template, ...values]
      ),
      ([row]) => sql.unsafe(row?.statement ?? "").unprepared
    )
  const markOf = (comment: string | null): Mark | undefined => {
    const decoded = Schema.decodeUnknownResult(Mark)(comment)
    return decoded._tag === "Success" ? decoded.success : undefined
  }
  const marks = (where: string, value: string) =>
    Effect.map(
      sql.unsafe<{ readonly comment: string | null }>(
        `SELECT shobj_description(oid, 'pg_authid') AS comment FROM pg_roles WHERE ${where}`,
        [value]
      ),
      (rows) => rows.flatMap(({ comment }) => markOf(comment) ?? [])
    )
  const exists = (name: string) =>
    Effect.map(sql`SELECT FROM pg_roles WHERE rolname = ${name}`, (rows) => rows.length > 0)
  const find = (requestId: string) => Effect.map(marks("rolname = $1", nameOf(requestId)), ([mark]) => mark)

  return {
    nameOf,
    roleExists: (role) => told(exists(role)),
    find: (requestId) => told(find(requestId)),
    // `_` would stand for any character.
    all: told(marks("starts_with(rolname, $1)", prefix)),
    make: (mark, password) =>
      told(
        sql.withTransaction(
          Effect.gen(function* () {
            const login = nameOf(mark.requestId)
            const verifier = scramVerifier(password)
            const before = yield* find(mark.requestId)
            if (before !== undefined) {
              yield* run("ALTER ROLE %I PASSWORD %L", login, verifier)
              return before
            }
            const until = Time.toRfc3339(Time.make(mark.notAfter))
            const template = "CREATE ROLE %I LOGIN INHERIT PASSWORD %L VALID UNTIL %L IN ROLE %I"
            yield* run(template, login, verifier, until, mark.role)
            yield* run("COMMENT ON ROLE %I IS %L", login, Schema.encodeSync(Mark)(mark))
            return mark
          })
        )
      ),
    remove: (requestId) =>
      told(
        Effect.gen(function* () {
          const login = nameOf(requestId)
          if (!(yield* exists(login))) return
          // Shut first, and for everybody to see, so that nobody comes in behind the sessions that are ended.
          yield* run("ALTER ROLE %I NOLOGIN", login)
          yield* sql`SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ${login}`
          const role = (yield* find(requestId))?.role
          yield* sql.withTransaction(
            Effect.gen(function* () {
              if (role !== undefined) yield* run("REASSIGN OWNED BY %I TO %I", login, role)
              yield* run("DROP OWNED BY %I", login)
              yield* run("DROP ROLE %I", login)
            })
          )
        })
      )
  }
}
