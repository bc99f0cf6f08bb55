/** Two roles and a table on the run's PostgreSQL, under a prefix of their own; gone when the scope closes. */
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import { randomBytes } from "node:crypto"

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser URL of the run's server, or why there is none. */
    readonly postgres: { readonly url: string; readonly version: string } | { readonly unavailable: string }
  }
  interface TaskMeta {
    /** Why a skipped suite cannot run here. */
    skipReason?: string
  }
}

export const freshPrefix = (): string => `t${randomBytes(6).toString("hex")}_`

export const rolesOf = (prefix: string) => ({
  reader: `${prefix.slice(0, -1)}reader`,
  writer: `${prefix.slice(0, -1)}writer`
})

/** Statements as somebody. */
export const as = <A, E>(url: string, work: Effect.Effect<A, E, SqlClient.SqlClient>) =>
  Effect.provide(work, PgClient.layer({ url: Redacted.make(url), maxConnections: 1 }))

export const worldOf = (url: string, prefix: string) => {
  const { reader, writer } = rolesOf(prefix)
  const run = (...statements: ReadonlyArray<string>) =>
    Effect.orDie(
      as(
        url,
        SqlClient.SqlClient.use((sql) => Effect.forEach(statements, (statement) => sql.unsafe(statement).unprepared))
      )
    )
  const removal = Effect.gen(function* () {
    const logins = yield* Effect.orDie(
      as(
        url,
        SqlClient.SqlClient.use(
          (sql) => sql<{ readonly rolname: string }>`SELECT rolname FROM pg_roles WHERE starts_with(rolname, ${prefix})`
        )
      )
    )
    yield* run(...logins.flatMap(({ rolname }) => [`DROP OWNED BY ${rolname}`, `DROP ROLE ${rolname}`]))
    yield* run(`DROP TABLE IF EXISTS ${reader}_orders`, `DROP ROLE ${reader}`, `DROP ROLE ${writer}`)
  })
  return Effect.acquireRelease(
    run(
      `CREATE ROLE ${reader} NOLOGIN`,
      `CREATE ROLE ${writer} NOLOGIN`,
      `CREATE TABLE ${reader}_orders (id int)`,
      `GRANT SELECT ON ${reader}_orders TO ${reader}`
    ),
    () => removal
  )
}
