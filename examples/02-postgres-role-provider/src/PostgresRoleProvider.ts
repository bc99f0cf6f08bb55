/**
 * The provider `postgres-role`: membership in a role of a PostgreSQL server, for a time.
 *
 * Each request gets a login of its own (`Logins.ts`), so that grants never meet: what one person holds twice is two
 * logins, and ending one leaves the other. The password is in the credentials of the request and nowhere else.
 */
import { AskCheck, Provider, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { randomBytes } from "node:crypto"
import type { Logins, Mark } from "./Logins.ts"
import type { PostgresRoleConfig } from "./PostgresRoleConfig.ts"

const name = "postgres-role"

const refuse = (reason: Provider.ProviderReason, message: string, hint: string) =>
  new Provider.ProviderError({ provider: name, reason, retryable: false, effect: "none", message, hint })

/** What `psql` and every driver read: where the server is, without how jitsudo signs in. */
const placeOf = (url: string): Readonly<Record<string, string>> => {
  const { hostname, pathname, port } = new URL(url)
  const database = decodeURIComponent(pathname.slice(1))
  return { PGHOST: hostname, PGPORT: port === "" ? "5432" : port, ...(database === "" ? {} : { PGDATABASE: database }) }
}

export const make = (config: PostgresRoleConfig, logins: Logins): Provider.Provider => {
  const capabilities: Provider.Capabilities = {
    // `VALID UNTIL` keeps new sessions out, and lets open ones live.
    nativeExpiry: false,
    earlyRevocation: {
      supported: true,
      withinSeconds: 5,
      note: "The login is removed and its sessions are ended at once; what they have not committed is lost."
    },
    listing: true,
    inspection: true,
    minDurationSeconds: 60,
    maxDurationSeconds: config.max_duration_seconds
  }
  const place = placeOf(Redacted.value(config.url))
  const keyOf = (role: string): string => `${config.scope}/${role}`
  const badId = refuse("InvalidReference", "the request's id cannot name a login", "Ids are req_ and a ULID.")
  const withId = (requestId: string) =>
    /^req_[0-9A-HJKMNP-TV-Z]{26}$/u.test(requestId) ? Effect.void : Effect.fail(badId)

  const roleMustExist = (role: string) =>
    Effect.flatMap(logins.roleExists(role), (exists) =>
      exists
        ? Effect.void
        : Effect.fail(refuse("RoleNotFound", "there is no such role on the server", `CREATE ROLE ${role} NOLOGIN;`))
    )

  return {
    name,
    capabilities,
    parse: (ask) =>
      Result.flatMap(AskCheck.check(name, capabilities, ask), ({ durationSeconds, resourceScope, role }) => {
        if (resourceScope !== config.scope) {
          return Result.fail(
            refuse("InvalidScope", "jitsudo does not know this server", "See `providers.postgres-role.scope`.")
          )
        }
        return config.roles.includes(role)
          ? Result.succeed({ role, resourceScope, durationSeconds })
          : Result.fail(
              refuse("InvalidRole", "jitsudo does not give this role", "Add it to `providers.postgres-role.roles`.")
            )
      }),
    check: ({ role }) => Effect.as(roleMustExist(role), { maxDurationSeconds: config.max_duration_seconds, facts: {} }),
    grant: ({ canonical, installation = null, now, requestId }) =>
      Effect.gen(function* () {
        yield* withId(requestId)
        yield* roleMustExist(canonical.role)
        const password = randomBytes(24).toString("base64url")
        const notAfter = Time.plusSeconds(now, canonical.durationSeconds)
        const wanted: Mark = { requestId, role: canonical.role, installation, issuedAt: now, notAfter }
        const made = yield* logins.make(wanted, password)
        return {
          issuedAt: Time.make(made.issuedAt),
          notAfter: Time.make(made.notAfter),
          reference: { login: logins.nameOf(requestId) },
          credentials: { ...place, PGUSER: logins.nameOf(requestId), PGPASSWORD: password }
        }
      }),
    // The login's name follows from the request: what a lost answer left is found, and nobody else's is ended.
    end: ({ requestId }) => Effect.as(Effect.andThen(withId(requestId), logins.remove(requestId)), { note: null }),
    resourceKey: ({ role }) => keyOf(role),
    inspect: ({ requestId }) =>
      Effect.map(Effect.andThen(withId(requestId), logins.find(requestId)), (mark): Provider.Liveness =>
        mark === undefined ? "ended" : "active"
      ),
    list: () =>
      Effect.map(logins.all, (marks) =>
        marks.map(({ installation, notAfter, requestId, role }) => ({
          requestId,
          resourceKey: keyOf(role),
          reference: { login: logins.nameOf(requestId) },
          notAfter: Time.make(notAfter),
          installation
        }))
      ),
    diagnose: ({ canonical }) =>
      Effect.forEach(canonical === null ? config.roles : [canonical.role], (role) =>
        Effect.map(logins.roleExists(role), (exists) => ({
          what: `role ${role}`,
          ok: exists,
          missing: null,
          hint: exists ? "" : `CREATE ROLE ${role} NOLOGIN;`
        }))
      )
  }
}
