/**
 * The audit log's tables (docs/spec/audit.md).
 *
 * 1. `payload` is the canonical text and is what counts; the columns behind it are an index over it that
 *    verification compares with it.
 * 2. Rows of `audit` are never changed or removed; rows of `audit_text` are never changed, and removed only by the
 *    redaction command.
 * 3. `audit_head` has one row. Whoever holds it is the only one who changes state.
 */
export const statements: ReadonlyArray<string> = [
  `CREATE TABLE jitsudo.audit (
     seq int8 PRIMARY KEY,
     id text COLLATE "C" NOT NULL UNIQUE,
     step_id text COLLATE "C" NOT NULL,
     payload text NOT NULL,
     leaf bytea NOT NULL,
     prev_hash bytea NOT NULL,
     hash bytea NOT NULL,
     time text COLLATE "C" NOT NULL,
     actor_issuer text COLLATE "C",
     actor_subject text COLLATE "C",
     actor_email text COLLATE "C",
     action text COLLATE "C" NOT NULL,
     outcome text COLLATE "C" NOT NULL,
     request_id text COLLATE "C",
     provider text COLLATE "C"
   )`,
  `CREATE INDEX audit_step ON jitsudo.audit (step_id)`,
  `CREATE INDEX audit_by_request ON jitsudo.audit (request_id, seq) WHERE request_id IS NOT NULL`,
  `CREATE INDEX audit_by_actor ON jitsudo.audit ((actor_issuer || '#' || actor_subject), seq)`,
  `CREATE INDEX audit_by_email ON jitsudo.audit (actor_email, seq) WHERE actor_email IS NOT NULL`,
  `CREATE INDEX audit_by_action ON jitsudo.audit (action, seq)`,
  `CREATE INDEX audit_by_provider ON jitsudo.audit (provider, seq) WHERE provider IS NOT NULL`,
  `CREATE INDEX audit_not_success ON jitsudo.audit (outcome, seq) WHERE outcome <> 'success'`,
  `CREATE INDEX audit_time ON jitsudo.audit USING brin (time)`,

  /** Long and personal texts: in the payload stands only `hash`, of salt and text. */
  `CREATE TABLE jitsudo.audit_text (
     hash text COLLATE "C" PRIMARY KEY,
     entry_id text COLLATE "C" NOT NULL,
     ord int4 NOT NULL,
     salt text NOT NULL,
     text text NOT NULL
   )`,
  `CREATE INDEX audit_text_entry ON jitsudo.audit_text (entry_id, ord)`,

  `CREATE TABLE jitsudo.audit_head (
     one boolean PRIMARY KEY CHECK (one),
     seq int8 NOT NULL,
     hash bytea NOT NULL
   ) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0)`,
  `INSERT INTO jitsudo.audit_head VALUES (true, 0, decode(repeat('00', 32), 'hex'))`,

  /** Steps that left no entry: a step with entries is known by them. */
  `CREATE TABLE jitsudo.steps (id text COLLATE "C" PRIMARY KEY, committed_at int8 NOT NULL)`,
  `CREATE INDEX steps_age ON jitsudo.steps (committed_at)`,

  `CREATE FUNCTION jitsudo.refuse_change() RETURNS trigger LANGUAGE plpgsql
   SET search_path = pg_catalog, pg_temp
   AS $$
   BEGIN
     IF TG_TABLE_NAME = 'audit_text' AND TG_OP = 'DELETE'
       AND coalesce(current_setting('jitsudo.redaction', true), '') = 'on' THEN
       RETURN NULL;
     END IF;
     RAISE EXCEPTION 'the audit log is append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
       USING ERRCODE = 'insufficient_privilege';
   END
   $$`,
  `CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON jitsudo.audit
   FOR EACH STATEMENT EXECUTE FUNCTION jitsudo.refuse_change()`,
  `CREATE TRIGGER audit_text_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON jitsudo.audit_text
   FOR EACH STATEMENT EXECUTE FUNCTION jitsudo.refuse_change()`
]
