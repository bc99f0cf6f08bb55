/**
 * What the daemon's own database role may do: call the commit function, read, and keep books.
 *
 * Requests, decisions, principals' rights, locks, policies and entries have no write grant at all: they change through
 * `jitsudo.commit_steps` only. The list is applied again after every migration and takes back what it does not name.
 */
export const role = "jitsudo_app"

/** Creates the role where the migrating user may; another process doing the same at the same time is no error. */
export const createRole = `DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '${role}') THEN
    CREATE ROLE ${role} NOLOGIN;
  END IF;
EXCEPTION
  WHEN duplicate_object OR unique_violation THEN
    RAISE NOTICE 'role ${role} was created by another process';
  WHEN insufficient_privilege THEN
    RAISE NOTICE 'role ${role} is missing and may not be created by %', current_user;
END
$$`

const functions = ["commit_steps", "now_ms", "forget_old"]

export const grants: ReadonlyArray<string> = [
  `REVOKE ALL ON SCHEMA jitsudo FROM PUBLIC`,
  `REVOKE ALL ON ALL TABLES IN SCHEMA jitsudo FROM PUBLIC, ${role}`,
  `REVOKE ALL ON ALL SEQUENCES IN SCHEMA jitsudo FROM PUBLIC, ${role}`,
  `REVOKE ALL ON ALL FUNCTIONS IN SCHEMA jitsudo FROM PUBLIC, ${role}`,
  `GRANT USAGE ON SCHEMA jitsudo TO ${role}`,
  `GRANT SELECT ON ALL TABLES IN SCHEMA jitsudo TO ${role}`,
  ...functions.map((name) => `GRANT EXECUTE ON FUNCTION jitsudo.${name} TO ${role}`),
  `GRANT USAGE ON SEQUENCE jitsudo.lease_numbers TO ${role}`,
  `GRANT UPDATE (run_at, attempts, lease, lease_until, holder, last_error, dead) ON jitsudo.jobs TO ${role}`,
  `GRANT INSERT, UPDATE, DELETE ON jitsudo.job_serials TO ${role}`,
  `GRANT INSERT ON jitsudo.audit_tree, jitsudo.audit_checkpoints TO ${role}`,
  `GRANT UPDATE (last_seen_at, groups_read_at, auth_time, amr) ON jitsudo.principals TO ${role}`
]
