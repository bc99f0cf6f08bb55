/** How the daemon loads it. */
import * as PgClient from "@effect/sql-pg/PgClient"
import type { ProviderPlugin } from "@jitsudo/core"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as SqlClient from "effect/sql/SqlClient"
import * as Logins from "./Logins.ts"
import { PostgresRoleConfig } from "./PostgresRoleConfig.ts"
import * as PostgresRoleProvider from "./PostgresRoleProvider.ts"

/** A few connections, made when they are needed; they end with the scope. */
export const connect = (url: Redacted.Redacted<string>) =>
  Effect.map(
    Layer.build(PgClient.layer({ url, maxConnections: 4, connectTimeout: "5 seconds", applicationName: "jitsudo" })),
    (context) => Context.get(context, SqlClient.SqlClient)
  )

// #region plugin
export const plugin: ProviderPlugin.ProviderPlugin<PostgresRoleConfig> = {
  name: "postgres-role",
  config: PostgresRoleConfig,
  make: (config) =>
    Effect.gen(function* () {
      const sql = yield* Effect.orDie(connect(config.url))
      return PostgresRoleProvider.make(config, Logins.make(sql, config.login_prefix))
    }),
  // Roles and logins belong to the whole server.
  territory: ({ login_prefix: prefix, url }) => [`${new URL(Redacted.value(url)).host} ${prefix}`]
}
// #endregion plugin
