/**
 * Tables of state and of durable work.
 *
 * 1. A row's `body` is what counts; the columns beside it are generated from it, so that the two cannot differ.
 * 2. Instants are `bigint` milliseconds since the epoch, as in the domain.
 * 3. Only `jitsudo.commit_steps` writes here, but for the bookkeeping columns named in `Grants.ts`.
 */
export const statements: ReadonlyArray<string> = [
  /** Milliseconds since the epoch by the database's clock. */
  `CREATE FUNCTION jitsudo.now_ms() RETURNS int8 LANGUAGE sql VOLATILE PARALLEL SAFE
   RETURN floor(extract(epoch FROM clock_timestamp()) * 1000)::int8`,

  /**
   * What a request is found by, as words: who asked and who answers for them (`key:`, `from:` the asker's e-mail), for
   * what (`role:`), and whom routing names as approvers (`group:`, `user:`, `open`).
   */
  `CREATE FUNCTION jitsudo.request_marks_of(body jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
   SET search_path = pg_catalog, pg_temp
   AS $$
     SELECT array_agg(DISTINCT mark) FROM (
       SELECT unnest(ARRAY[
         'key:' || (body->'requester'->>'issuer') || '#' || (body->'requester'->>'subject'),
         'from:' || (body->'requester'->>'email'),
         'role:' || (body->'asked'->>'provider') || '|' || (body->'asked'->>'role'),
         CASE WHEN jsonb_array_length(body->'routing'->'stages') = 0 AND body->'routing'->>'tier' = 'human' THEN 'open' END
       ]) AS mark
       UNION ALL
       SELECT 'group:' || name FROM jsonb_array_elements(body->'routing'->'stages') stage,
         jsonb_array_elements_text(stage->'groups') name
       UNION ALL
       SELECT 'user:' || name FROM jsonb_array_elements(body->'routing'->'stages') stage,
         jsonb_array_elements_text(stage->'users') name
       UNION ALL
       SELECT own FROM jsonb_array_elements_text(body->'party') own WHERE own LIKE 'key:%'
     ) marks WHERE mark IS NOT NULL
   $$`,

  /** Few columns and indexes: every change of state pays for each of them. */
  `CREATE TABLE jitsudo.requests (
     body jsonb NOT NULL,
     id text COLLATE "C" GENERATED ALWAYS AS (body->>'id') STORED PRIMARY KEY,
     version int8 GENERATED ALWAYS AS ((body->>'version')::int8) STORED NOT NULL,
     state text COLLATE "C" GENERATED ALWAYS AS (body->>'state') STORED NOT NULL,
     created_at int8 GENERATED ALWAYS AS ((body->>'createdAt')::int8) STORED NOT NULL,
     requester_key text COLLATE "C" GENERATED ALWAYS AS
       ((body->'requester'->>'issuer') || '#' || (body->'requester'->>'subject')) STORED NOT NULL,
     provider text COLLATE "C" GENERATED ALWAYS AS (body->'asked'->>'provider') STORED NOT NULL,
     role text COLLATE "C" GENERATED ALWAYS AS (body->'asked'->>'role') STORED NOT NULL,
     resource_scope text COLLATE "C" GENERATED ALWAYS AS (body->'asked'->>'resourceScope') STORED NOT NULL,
     resource_key text COLLATE "C" GENERATED ALWAYS AS (body->'grant'->>'resourceKey') STORED,
     latest_end int8 GENERATED ALWAYS AS ((body->'grant'->>'latestEnd')::int8) STORED,
     held_from int8 GENERATED ALWAYS AS
       (CASE WHEN body->'grant'->>'notAfter' IS NOT NULL THEN (body->'grant'->>'issuedAt')::int8 END) STORED,
     held_to int8 GENERATED ALWAYS AS
       (CASE WHEN body->>'state' IN ('CANCELLED', 'REJECTED', 'LAPSED', 'FAILED', 'EXPIRED', 'REVOKED')
         THEN least((body->'grant'->>'notAfter')::int8, (body->'ending'->>'since')::int8)
         ELSE (body->'grant'->>'notAfter')::int8 END) STORED
   ) WITH (fillfactor = 80)`,
  `CREATE INDEX requests_newest ON jitsudo.requests (created_at DESC, id DESC)`,
  `CREATE INDEX requests_by_state ON jitsudo.requests (state, created_at DESC, id DESC)`,
  `CREATE INDEX requests_active ON jitsudo.requests (requester_key, id) WHERE state = 'ACTIVE'`,
  `CREATE INDEX requests_held ON jitsudo.requests (requester_key, provider, role, resource_scope, held_from, held_to)
   WHERE held_from IS NOT NULL`,
  `CREATE INDEX requests_by_resource ON jitsudo.requests (resource_key) WHERE resource_key IS NOT NULL`,
  `CREATE INDEX requests_open_review ON jitsudo.requests (created_at DESC, id DESC)
   WHERE body->'review'->'closed' = 'null'`,
  `CREATE INDEX requests_waiting ON jitsudo.requests (created_at DESC, id DESC) WHERE body->>'waitingFor' IS NOT NULL`,

  /** One row per request and mark, written when it is made and when routing changes: listings newest first at any size. */
  `CREATE TABLE jitsudo.request_marks (
     mark text COLLATE "C" NOT NULL,
     created_at int8 NOT NULL,
     request_id text COLLATE "C" NOT NULL,
     PRIMARY KEY (mark, created_at, request_id)
   )`,
  `CREATE INDEX request_marks_request ON jitsudo.request_marks (request_id)`,

  /** `groups_read_at`, `auth_time` and `amr` move with every sign-in, without a step, and stand over those of the body. */
  `CREATE TABLE jitsudo.principals (
     body jsonb NOT NULL,
     groups_read_at int8 NOT NULL,
     auth_time int8,
     amr jsonb NOT NULL,
     last_seen_at int8 NOT NULL,
     issuer text COLLATE "C" GENERATED ALWAYS AS (body->>'issuer') STORED NOT NULL,
     subject text COLLATE "C" GENERATED ALWAYS AS (body->>'subject') STORED NOT NULL,
     key text COLLATE "C" GENERATED ALWAYS AS ((body->>'issuer') || '#' || (body->>'subject')) STORED PRIMARY KEY,
     version int8 GENERATED ALWAYS AS ((body->>'version')::int8) STORED NOT NULL,
     email text COLLATE "C" GENERATED ALWAYS AS (body->>'email') STORED,
     owner_key text COLLATE "C" GENERATED ALWAYS AS
       ((body->'owner'->>'issuer') || '#' || (body->'owner'->>'subject')) STORED
   ) WITH (fillfactor = 80)`,
  `CREATE INDEX principals_by_name ON jitsudo.principals (issuer, subject)`,
  `CREATE INDEX principals_by_email ON jitsudo.principals (email, issuer, subject)`,

  /** The two revisions that steps guard as a whole. */
  `CREATE TABLE jitsudo.revisions (
     name text PRIMARY KEY CHECK (name IN ('locks', 'policy')),
     revision int8 NOT NULL
   ) WITH (fillfactor = 10)`,
  `INSERT INTO jitsudo.revisions VALUES ('locks', 0), ('policy', 0)`,

  `CREATE TABLE jitsudo.locks (id text COLLATE "C" PRIMARY KEY, body jsonb NOT NULL)`,

  /** A revision is the whole set; its Wasm modules stand once each, by their hash, in `policy_modules`. */
  `CREATE TABLE jitsudo.policy_revisions (
     revision int8 PRIMARY KEY,
     hash text NOT NULL,
     policies jsonb NOT NULL,
     created_at int8 NOT NULL
   )`,
  `INSERT INTO jitsudo.policy_revisions VALUES (0, repeat('0', 64), '[]', 0)`,
  `CREATE TABLE jitsudo.policy_modules (hash text PRIMARY KEY, wasm bytea NOT NULL CHECK (hash = encode(sha256(wasm), 'hex')))`,
  `ALTER TABLE jitsudo.policy_modules ALTER COLUMN wasm SET STORAGE EXTENDED`,

  `CREATE TABLE jitsudo.credentials (
     request_id text COLLATE "C" PRIMARY KEY,
     key_id text NOT NULL,
     nonce text NOT NULL,
     ciphertext text NOT NULL
   )`,

  `CREATE TABLE jitsudo.idempotency (
     id text COLLATE "C" PRIMARY KEY,
     body_hash text NOT NULL,
     request_id text NOT NULL,
     created_at int8 NOT NULL
   )`,
  `CREATE INDEX idempotency_age ON jitsudo.idempotency (created_at)`,

  /** Lease numbers over all jobs: none is ever used twice. */
  `CREATE SEQUENCE jitsudo.lease_numbers AS int8`,
  `CREATE TABLE jitsudo.jobs (
     id text COLLATE "C" PRIMARY KEY,
     kind text NOT NULL,
     request_id text,
     serial_key text COLLATE "C",
     run_at int8 NOT NULL,
     after text COLLATE "C",
     payload jsonb NOT NULL,
     created_at int8 NOT NULL,
     attempts int4 NOT NULL DEFAULT 0,
     lease int8 NOT NULL DEFAULT 0,
     lease_until int8,
     holder text,
     last_error text,
     dead boolean NOT NULL DEFAULT false,
     CHECK (NOT (dead AND kind = 'end'))
   ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200)`,
  `CREATE INDEX jobs_due ON jitsudo.jobs (run_at, id) WHERE NOT dead`,

  /** Who holds a serial key: its row is what two claims of different jobs with one key meet on. */
  `CREATE TABLE jitsudo.job_serials (
     key text COLLATE "C" PRIMARY KEY,
     job_id text COLLATE "C" NOT NULL,
     lease int8 NOT NULL,
     until int8 NOT NULL
   ) WITH (fillfactor = 50)`
]
