/**
 * The store over SQL: the port `Store` on PGlite and PostgreSQL alike.
 *
 * Reads are single statements, so each sees one instant. Writes go through the committer and the database's function;
 * the one exception is what moves with a sign-in (`touchPrincipal`).
 */
import { type Policy, type PolicySet, Principal, type Request, type Sealer, Store, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Result from "effect/Result"
import * as Schedule from "effect/Schedule"
import * as ChangeFeed from "./ChangeFeed.ts"
import * as Committer from "./Committer.ts"
import * as Cursor from "./Cursor.ts"
import { Database } from "./Database.ts"
import * as FactsQuery from "./FactsQuery.ts"
import * as RequestListing from "./RequestListing.ts"
import { storeError } from "./SqlFailure.ts"

export interface Options extends Committer.Options, ChangeFeed.Options {}

/** A policy as it is stored: its modules stand elsewhere, by hash. */
interface StoredPolicy extends Omit<PolicySet.PolicySource, "compiled"> {
  readonly compiled: ReadonlyArray<Omit<PolicySet.CompiledModule, "wasm"> & { readonly wasmHash: string }>
}

const invalid = (message: string): Store.StoreError =>
  new Store.StoreError({ outcome: "none", reason: "invalid", retryable: false, message })

const make = Effect.fnUntraced(function* (options: Options) {
  const { sql } = yield* Database
  const committer = yield* Committer.make(options)
  const changes = yield* ChangeFeed.make(options)

  yield* sql`SELECT jitsudo.forget_old()`.pipe(
    Effect.ignore,
    Effect.repeat(Schedule.spaced("1 hour")),
    Effect.delay("1 minute"),
    Effect.forkScoped
  )

  const request = Effect.fn("Store.request")(
    function* (id: string) {
      const rows = yield* sql<{ body: Request.Request }>`SELECT r.body FROM jitsudo.requests r WHERE r.id = ${id}`
      return Option.map(Option.fromUndefinedOr(rows[0]), (row) => row.body)
    },
    Effect.catchTag("SqlError", (error) => storeError("read request")(error))
  )

  const requests = Effect.fn("Store.requests")(
    function* (listing: Parameters<Store.Store["Service"]["requests"]>[0]) {
      const key = yield* Cursor.opened("requests", ["number", "string"], listing)
      const after = key === undefined ? undefined : { createdAt: Number(key[0]), id: String(key[1]) }
      const rows = yield* RequestListing.read(sql, listing, after)
      return Cursor.pageOf(
        "requests",
        rows,
        listing.limit,
        (row) => row.body,
        (row) => [Number(row.created_at), row.id]
      )
    },
    Effect.catchTag("SqlError", (error) => storeError("list requests")(error))
  )

  const neighbours = Effect.fn("Store.neighbours")(
    function* (resourceKey: string, except: string) {
      const rows = yield* sql<{ id: string; state: string; latest_end: bigint; reference: Request.Grant["reference"] }>`
        SELECT r.id, r.state, r.latest_end, r.body->'grant'->'reference' AS reference FROM jitsudo.requests r
        WHERE r.resource_key = ${resourceKey} AND r.id <> ${except} AND (
          r.state IN ('ACTIVE', 'ENDING')
          OR (r.state IN ('FAILED', 'EXPIRED', 'REVOKED') AND r.body->'ending' <> 'null' AND r.latest_end > jitsudo.now_ms()))
        ORDER BY r.id`
      return rows.map((row) => ({
        requestId: row.id,
        state:
          row.state === "ACTIVE"
            ? ("active" as const)
            : row.state === "ENDING"
              ? ("ending" as const)
              : ("ended" as const),
        notAfter: Time.make(Number(row.latest_end)),
        reference: row.reference
      }))
    },
    Effect.catchTag("SqlError", (error) => storeError("read neighbours")(error))
  )

  const live = Effect.fn("Store.live")(
    function* (listing: Parameters<Store.Store["Service"]["live"]>[0]) {
      const key = yield* Cursor.opened("live", ["string"], listing)
      const rows = yield* sql<{ body: Request.Request; id: string }>`
        SELECT r.body, r.id FROM jitsudo.requests r
        WHERE r.state IN ('APPROVED', 'ACTIVE', 'ENDING') AND r.id > ${String(key?.[0] ?? "")}
          AND ${listing.provider === undefined ? sql`true` : sql`r.provider = ${listing.provider}`}
        ORDER BY r.id LIMIT ${listing.limit + 1}`
      return Cursor.pageOf(
        "live",
        rows,
        listing.limit,
        (row) => row.body,
        (row) => [row.id]
      )
    },
    Effect.catchTag("SqlError", (error) => storeError("list live requests")(error))
  )

  const credentials = Effect.fn("Store.credentials")(
    function* (id: string) {
      const rows = yield* sql<Sealer.SealedCredentials>`
        SELECT c.key_id AS "keyId", c.nonce, c.ciphertext FROM jitsudo.credentials c WHERE c.request_id = ${id}`
      return Option.fromUndefinedOr(rows[0])
    },
    Effect.catchTag("SqlError", (error) => storeError("read credentials")(error))
  )

  const principal = Effect.fn("Store.principal")(
    function* (key: Principal.PrincipalKey) {
      const rows = yield* sql<{ body: Principal.Principal }>`
        SELECT ${sql.literal(FactsQuery.principalColumn("p"))} AS body FROM jitsudo.principals p
        WHERE p.key = ${Principal.keyOf(key)}`
      return Option.map(Option.fromUndefinedOr(rows[0]), (row) => row.body)
    },
    Effect.catchTag("SqlError", (error) => storeError("read principal")(error))
  )

  const principals = Effect.fn("Store.principals")(
    function* (listing: Parameters<Store.Store["Service"]["principals"]>[0]) {
      const key = yield* Cursor.opened("principals", ["string", "string"], listing)
      const rows = yield* sql<{ body: Principal.Principal }>`
        SELECT ${sql.literal(FactsQuery.principalColumn("p"))} AS body FROM jitsudo.principals p
        WHERE ${listing.email === undefined ? sql`true` : sql`p.email = ${listing.email}`}
          AND ${
            key === undefined
              ? sql`true`
              : sql`(p.issuer, p.subject) > (${String(key[0])}::text, ${String(key[1])}::text)`
          }
        ORDER BY p.issuer, p.subject LIMIT ${listing.limit + 1}`
      return Cursor.pageOf(
        "principals",
        rows,
        listing.limit,
        (row) => row.body,
        (row) => [row.body.issuer, row.body.subject]
      )
    },
    Effect.catchTag("SqlError", (error) => storeError("list principals")(error))
  )

  const policies = Effect.fn("Store.policies")(
    function* (revision?: number) {
      const wanted =
        revision === undefined
          ? sql`(SELECT v.revision FROM jitsudo.revisions v WHERE v.name = 'policy')`
          : sql`${BigInt(Number.isSafeInteger(revision) ? revision : -1)}::int8`
      const [row] = yield* sql<{ revision: bigint; hash: string; policies: ReadonlyArray<StoredPolicy> }>`
        SELECT r.revision, r.hash, r.policies FROM jitsudo.policy_revisions r WHERE r.revision = ${wanted}`
      if (row === undefined) return yield* invalid(`there is no policy revision ${revision}`)
      const hashes = new Set(row.policies.flatMap((policy) => policy.compiled.map((module) => module.wasmHash)))
      const modules = yield* sql<{ hash: string; wasm: Uint8Array }>`
        SELECT m.hash, m.wasm FROM jitsudo.policy_modules m
        WHERE m.hash = ANY(${Result.getOrThrow(PgTypes.array([...hashes], PgTypes.OID.text))}::text[])`
      const wasm = new Map(modules.map((module) => [module.hash, Buffer.from(module.wasm).toString("base64")]))
      const number: Policy.PolicyRevision = { number: Number(row.revision), hash: row.hash }
      const whole: Array<PolicySet.PolicySource> = []
      for (const policy of row.policies) {
        const compiled: Array<PolicySet.CompiledModule> = []
        for (const { wasmHash, ...module } of policy.compiled) {
          const bytes = wasm.get(wasmHash)
          if (bytes === undefined) {
            return yield* new Store.StoreError({
              outcome: "none",
              reason: "corrupt",
              retryable: false,
              message: `policy revision ${number.number}: the compiled module of ${policy.name} is missing from the database`
            })
          }
          compiled.push({ ...module, wasm: bytes })
        }
        whole.push({ ...policy, compiled })
      }
      return { revision: number, policies: whole }
    },
    Effect.catchTag("SqlError", (error) => storeError("read policies")(error))
  )

  const touchPrincipal = Effect.fn("Store.touchPrincipal")(
    function* (key: Principal.PrincipalKey, seen: Parameters<Store.Store["Service"]["touchPrincipal"]>[1]) {
      const authTime = seen.authTime === null ? null : BigInt(seen.authTime)
      yield* sql`
        UPDATE jitsudo.principals p SET last_seen_at = jitsudo.now_ms(),
          groups_read_at = greatest(p.groups_read_at, ${BigInt(seen.groupsReadAt)}::int8),
          auth_time = ${authTime}::int8, amr = ${JSON.stringify(seen.amr)}::jsonb
        WHERE p.key = ${Principal.keyOf(key)}`
    },
    Effect.catchTag("SqlError", (error) => storeError("record sign-in")(error))
  )

  const locks = sql<{ revision: bigint; active: Store.StoredFacts["locks"]["active"] | null }>`
    SELECT v.revision, (SELECT jsonb_agg(l.body ORDER BY l.id) FROM jitsudo.locks l) AS active
    FROM jitsudo.revisions v WHERE v.name = 'locks'`.pipe(
    Effect.map(([row]) => ({ revision: Number(row?.revision ?? 0), active: row?.active ?? [] })),
    Effect.catchTag("SqlError", (error) => storeError("read locks")(error)),
    Effect.withSpan("Store.locks")
  )

  return Store.Store.of({
    facts: (query) =>
      FactsQuery.read(sql, query).pipe(
        Effect.catchTag("SqlError", (error) => storeError("read facts")(error)),
        Effect.withSpan("Store.facts")
      ),
    commit: (step) => Effect.withSpan(committer.commit(step), "Store.commit"),
    request,
    requests,
    neighbours,
    live,
    credentials,
    principal,
    principals,
    locks,
    policies,
    touchPrincipal,
    changes
  })
})

/** The store on a database whose schema is up to date (`Migrations.check`). */
export const layer = (options: Options = {}): Layer.Layer<Store.Store, never, Database> =>
  Layer.effect(Store.Store, make(options))
