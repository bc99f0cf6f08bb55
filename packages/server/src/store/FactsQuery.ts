/**
 * Everything that a decision is made on, in one statement: one round trip and one snapshot.
 *
 * More than 256 intervals of one role and scope come merged: overlapping and touching ones as one. The unbroken time
 * that they amount to is the same.
 */
import { type Lock, Principal, type Request, type Store, Time } from "@jitsudo/core"
import type { PgClient } from "@effect/sql-pg/PgClient"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { SqlError } from "effect/sql/SqlError"
import { idempotencyId } from "./StepBatch.ts"

/** A principal as it is read: what moves with every sign-in stands over the body. */
export const principalColumn = (alias: string): string =>
  `${alias}.body || jsonb_build_object('groupsReadAt', ${alias}.groups_read_at, 'authTime', ${alias}.auth_time, 'amr', ${alias}.amr)`

const statement = `
WITH RECURSIVE
  subject AS MATERIALIZED (SELECT r.body FROM jitsudo.requests r WHERE r.id = $1::text),
  asked (key) AS (
    SELECT unnest($2::text[])
    UNION
    SELECT (d.value->'by'->>'issuer') || '#' || (d.value->'by'->>'subject')
    FROM subject s, jsonb_array_elements(s.body->'decisions') d
    WHERE $3::boolean AND d.value->'by'->>'issuer' IS NOT NULL
  ),
  known (key, owner_key) AS (
    SELECT p.key, p.owner_key FROM asked a JOIN jitsudo.principals p ON p.key = a.key
    UNION
    SELECT p.key, p.owner_key FROM known k JOIN jitsudo.principals p ON p.key = k.owner_key
  )
SELECT
  jitsudo.now_ms() AS now,
  (SELECT s.body FROM subject s) AS request,
  (SELECT jsonb_agg(${principalColumn("p")}) FROM known k JOIN jitsudo.principals p ON p.key = k.key) AS principals,
  (SELECT v.revision FROM jitsudo.revisions v WHERE v.name = 'locks') AS locks_revision,
  (SELECT jsonb_agg(l.body ORDER BY l.id) FROM jitsudo.locks l) AS locks,
  (SELECT jsonb_build_object('number', v.revision, 'hash', r.hash) FROM jitsudo.revisions v
    JOIN jitsudo.policy_revisions r ON r.revision = v.revision WHERE v.name = 'policy') AS policy,
  (SELECT jsonb_agg(r.body ORDER BY r.id) FROM jitsudo.requests r
    WHERE $4::text IS NOT NULL AND r.requester_key = $4 AND r.state = 'ACTIVE') AS active,
  (SELECT CASE WHEN count(*) <= 256
      THEN jsonb_agg(jsonb_build_array(r.held_from, r.held_to) ORDER BY r.held_from, r.held_to)
      ELSE (SELECT jsonb_agg(jsonb_build_array(lower(m), upper(m)) ORDER BY lower(m))
        FROM unnest(range_agg(int8range(r.held_from, greatest(r.held_from, r.held_to)))) m)
    END
    FROM jitsudo.requests r
    WHERE $4::text IS NOT NULL AND r.requester_key = $4 AND r.provider = $5::text AND r.role = $6::text
      AND r.resource_scope = $7::text AND r.held_from IS NOT NULL) AS held,
  (SELECT jsonb_build_object('bodyHash', k.body_hash, 'requestId', k.request_id) FROM jitsudo.idempotency k
    WHERE k.id = $8::text AND k.created_at > jitsudo.now_ms() - 86400000) AS idempotency`

interface Row {
  readonly now: bigint
  readonly request: Request.Request | null
  readonly principals: ReadonlyArray<Principal.Principal> | null
  readonly locks_revision: bigint
  readonly locks: ReadonlyArray<Lock.Lock> | null
  readonly policy: Store.StoredFacts["policy"]
  readonly active: ReadonlyArray<Request.Request> | null
  readonly held: ReadonlyArray<readonly [number, number]> | null
  readonly idempotency: { readonly bodyHash: string; readonly requestId: string } | null
}

/** Reads the facts. An empty answer is a defect: the statement always gives one row. */
export const read = (sql: PgClient, query: Store.FactsQuery): Effect.Effect<Store.StoredFacts, SqlError> => {
  const history = query.history
  const parameters = [
    query.requestId ?? null,
    Result.getOrThrow(PgTypes.array((query.principals ?? []).map(Principal.keyOf), PgTypes.OID.text)),
    query.withDeciders === true,
    history === undefined ? null : Principal.keyOf(history.principal),
    history?.provider ?? null,
    history?.role ?? null,
    history?.resourceScope ?? null,
    query.idempotency === undefined ? null : idempotencyId(query.idempotency)
  ]
  return Effect.map(sql.unsafe<Row>(statement, parameters), ([row]) => {
    if (row === undefined) throw new Error("the facts query gave no row")
    return {
      now: Time.make(Number(row.now)),
      request: row.request ?? undefined,
      principals: new Map((row.principals ?? []).map((one) => [Principal.keyOf(one), one])),
      locks: { revision: Number(row.locks_revision), active: row.locks ?? [] },
      policy: row.policy,
      activeGrants: row.active ?? [],
      held: (row.held ?? []).map(([from, to]) => ({ from: Time.make(from), to: Time.make(to) })),
      idempotency: row.idempotency ?? undefined
    }
  })
}
