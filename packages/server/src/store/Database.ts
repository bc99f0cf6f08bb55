/**
 * The connections that the store lives on, whatever the database is behind them.
 *
 * `sql` is shared and for reads and bookkeeping. `connect` opens a session of its own: the committer has one, so that
 * a commit never waits for a free connection, and `LISTEN` has one.
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"
import type { PgClient } from "@effect/sql-pg/PgClient"

export class Database extends Context.Service<
  Database,
  {
    readonly kind: "pglite" | "postgres"
    readonly sql: PgClient
    readonly connect: Effect.Effect<PgClient, SqlError, Scope.Scope>
    /** `LISTEN` reaches us over `connect`. Where it does not, changes are found by the poll alone. */
    readonly listens: boolean
  }
>()("@jitsudo/server/store/Database") {}
