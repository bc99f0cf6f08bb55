/**
 * The one way to change state: a batch of steps in one statement.
 *
 * Order is what makes it right:
 * 1. The head row is taken first. Every change of requests, principals, locks and policies goes through here, so
 *    from then on nothing that a guard looks at can change.
 * 2. Guards are checked in statements of their own: each sees what the previous holder of the head committed. A lost
 *    race is a row that says which guard failed, never an error.
 * 3. Writes, jobs and entries of the steps whose guards hold; entries are numbered, linked and hashed; the head is
 *    stored. The lock lives for this statement and its flush.
 * 4. A step that was committed before is answered with its first receipt and changes nothing.
 *
 * The caller never puts two steps into one batch of which one writes what the other guards or writes; a batch that
 * does is refused as a whole (the rows written are counted).
 *
 * Plans are made once per session, often while the tables are still empty, and must fit them when they are large:
 * hence the settings that leave the planner nothing but the indexes.
 *
 * `x_*` are the writes that most steps have at most one of. Versions are taken from the bodies themselves: a body of
 * version n is a guard on n - 1.
 */
export const statements: ReadonlyArray<string> = [
  `CREATE FUNCTION jitsudo.commit_steps(
     p_id text[], p_now int8[],
     g_step int4[], g_kind text[], g_id text[], g_version int8[],
     r_step int4[], r_body text[],
     n_step int4[], n_body text[],
     x_step int4[], x_kind text[], x_id text[], x_body text[],
     e_step int4[], e_id text[], e_payload text[],
     t_step int4[], t_entry text[], t_hash text[], t_salt text[], t_text text[],
     j_step int4[], j_body text[]
   ) RETURNS TABLE (step int4, outcome text, conflict_kind text, conflict_id text, seqs int8[], hashes text[])
   LANGUAGE plpgsql VOLATILE SECURITY DEFINER
   SET search_path = pg_catalog, pg_temp
   SET lock_timeout = '2s'
   SET plan_cache_mode = force_generic_plan
   SET jit = off
   SET enable_seqscan = off
   SET enable_hashjoin = off
   SET enable_mergejoin = off
   AS $$
   #variable_conflict use_column
   DECLARE
     v_seq int8; v_hash bytea; v_now int8; v_locks int8; v_policy int8;
     v_done boolean[]; v_good boolean[];
     v_bad_kind text[]; v_bad_id text[];
     v_requests jsonb[] := '{}'; v_principals jsonb[] := '{}';
     v_expected int8; v_written int8; v_raised int8;
     v_seqs int8[] := '{}'; v_ids text[] := '{}'; v_steps int4[] := '{}'; v_payloads text[] := '{}';
     v_leaves bytea[] := '{}'; v_prevs bytea[] := '{}'; v_hashes bytea[] := '{}'; v_k int4 := 0;
     v_changed text[] := '{}'; v_policy_changed boolean; v_jobs_changed boolean; v_note text;
     r record;
   BEGIN
     IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') THEN
       PERFORM set_config('synchronous_commit', 'on', true);
     END IF;

     -- 1. the head
     SELECT h.seq, h.hash INTO STRICT v_seq, v_hash FROM jitsudo.audit_head h FOR UPDATE;
     v_now := jitsudo.now_ms();

     -- 2. steps that were committed before
     SELECT array_agg(
         EXISTS (SELECT FROM jitsudo.audit a WHERE a.step_id = s.id) OR EXISTS (SELECT FROM jitsudo.steps d WHERE d.id = s.id)
         ORDER BY s.i)
       INTO v_done FROM unnest(p_id) WITH ORDINALITY s(id, i);

     -- 3. guards; rows of jobs are held, because leases change without the head
     IF 'lease' = ANY(g_kind) OR 'settle' = ANY(x_kind) OR 'reschedule' = ANY(x_kind) THEN
       PERFORM FROM jitsudo.jobs j WHERE j.id = ANY(
         ARRAY(SELECT g.id FROM unnest(g_kind, g_id) g(kind, id) WHERE g.kind = 'lease')
         || ARRAY(SELECT x.id FROM unnest(x_kind, x_id) x(kind, id) WHERE x.kind IN ('settle', 'reschedule')))
         ORDER BY j.id FOR UPDATE;
     END IF;
     SELECT max(v.revision) FILTER (WHERE v.name = 'locks'), max(v.revision) FILTER (WHERE v.name = 'policy')
       INTO v_locks, v_policy FROM jitsudo.revisions v;
     IF cardinality(r_body) > 0 THEN
       v_requests := ARRAY(SELECT b.body::jsonb FROM unnest(r_body) WITH ORDINALITY b(body, i) ORDER BY b.i);
     END IF;
     IF cardinality(n_body) > 0 THEN
       v_principals := ARRAY(SELECT b.body::jsonb FROM unnest(n_body) WITH ORDINALITY b(body, i) ORDER BY b.i);
     END IF;
     v_bad_kind := array_fill(NULL::text, ARRAY[cardinality(p_id)]);
     v_bad_id := v_bad_kind;
     FOR r IN
       SELECT DISTINCT ON (c.step) c.step, c.kind, c.id FROM (
         SELECT s.i::int4 AS step, 0 AS class, 0::int8 AS ord, 'clock' AS kind, 'clock' AS id
           FROM unnest(p_id, p_now) WITH ORDINALITY s(id, at, i) WHERE abs(s.at - v_now) > 5000
         UNION ALL
         SELECT g.step, g.class, g.ord, g.kind, g.id FROM (
           SELECT u.step, 1 AS class, u.ord, u.kind, u.id, u.version
             FROM unnest(g_step, g_kind, g_id, g_version) WITH ORDINALITY u(step, kind, id, version, ord)
           UNION ALL
           SELECT u.step, 2, u.ord, 'request', u.body->>'id', (u.body->>'version')::int8 - 1
             FROM unnest(r_step, v_requests) WITH ORDINALITY u(step, body, ord)
           UNION ALL
           SELECT u.step, 3, u.ord, 'principal', (u.body->>'issuer') || '#' || (u.body->>'subject'),
               (u.body->>'version')::int8 - 1
             FROM unnest(n_step, v_principals) WITH ORDINALITY u(step, body, ord)
         ) g
         WHERE g.version IS DISTINCT FROM CASE g.kind
           WHEN 'request' THEN coalesce((SELECT q.version FROM jitsudo.requests q WHERE q.id = g.id), 0)
           WHEN 'principal' THEN coalesce((SELECT p.version FROM jitsudo.principals p WHERE p.key = g.id), 0)
           WHEN 'policy' THEN v_policy
           WHEN 'locks' THEN v_locks
           WHEN 'lease' THEN (SELECT j.lease FROM jitsudo.jobs j
             WHERE j.id = g.id AND NOT j.dead AND j.lease_until > v_now)
           WHEN 'lock' THEN (SELECT count(*) FROM jitsudo.locks l WHERE l.id = g.id)
           WHEN 'idempotency' THEN (SELECT count(*) FROM jitsudo.idempotency k
             WHERE k.id = g.id AND k.created_at > v_now - 86400000)
         END
       ) c ORDER BY c.step, c.class, c.ord
     LOOP
       v_bad_kind[r.step] := r.kind;
       v_bad_id[r.step] := r.id;
     END LOOP;
     SELECT array_agg(NOT d.done AND v_bad_kind[d.i] IS NULL ORDER BY d.i)
       INTO v_good FROM unnest(v_done) WITH ORDINALITY d(done, i);

     -- 4. requests, and what they are found by
     IF cardinality(r_step) > 0 THEN
       v_changed := ARRAY(SELECT u.body->>'id' FROM unnest(r_step, v_requests) u(step, body) WHERE v_good[u.step]);
     END IF;
     IF cardinality(v_changed) > 0 THEN
       INSERT INTO jitsudo.requests (body)
         SELECT u.body FROM unnest(r_step, v_requests) u(step, body)
         WHERE v_good[u.step] AND u.body->>'version' = '1';
       GET DIAGNOSTICS v_written = ROW_COUNT;
       IF v_written > 0 THEN
         INSERT INTO jitsudo.request_marks (mark, created_at, request_id)
           SELECT m.mark, (u.body->>'createdAt')::int8, u.body->>'id'
           FROM unnest(r_step, v_requests) u(step, body), unnest(jitsudo.request_marks_of(u.body)) m(mark)
           WHERE v_good[u.step] AND u.body->>'version' = '1';
       END IF;
       IF v_written < cardinality(v_changed) THEN
         v_expected := cardinality(v_changed) - v_written;
         FOR r IN
           SELECT u.body->>'id' AS id, (u.body->>'createdAt')::int8 AS created_at, u.body
           FROM unnest(r_step, v_requests) u(step, body)
           JOIN jitsudo.requests q ON q.id = u.body->>'id'
           WHERE v_good[u.step] AND u.body->>'version' <> '1' AND q.body->'routing' <> u.body->'routing'
         LOOP
           DELETE FROM jitsudo.request_marks a WHERE a.request_id = r.id;
           INSERT INTO jitsudo.request_marks (mark, created_at, request_id)
             SELECT m.mark, r.created_at, r.id FROM unnest(jitsudo.request_marks_of(r.body)) m(mark);
         END LOOP;
         UPDATE jitsudo.requests q SET body = u.body FROM unnest(r_step, v_requests) u(step, body)
           WHERE v_good[u.step] AND u.body->>'version' <> '1'
             AND q.id = u.body->>'id' AND q.version = (u.body->>'version')::int8 - 1;
         GET DIAGNOSTICS v_written = ROW_COUNT;
         IF v_written <> v_expected THEN
           RAISE EXCEPTION 'commit_steps: % of % requests were written', v_written, v_expected USING ERRCODE = 'data_corrupted';
         END IF;
       END IF;
     END IF;

     -- 5. principals
     IF cardinality(n_step) > 0 THEN
       INSERT INTO jitsudo.principals AS p (body, groups_read_at, auth_time, amr, last_seen_at)
         SELECT u.body, (u.body->>'groupsReadAt')::int8, (u.body->>'authTime')::int8, u.body->'amr', v_now
         FROM unnest(n_step, v_principals) u(step, body) WHERE v_good[u.step]
         ON CONFLICT (key) DO UPDATE
           SET body = excluded.body, groups_read_at = excluded.groups_read_at, auth_time = excluded.auth_time,
             amr = excluded.amr, last_seen_at = excluded.last_seen_at
           WHERE p.version = excluded.version - 1;
       GET DIAGNOSTICS v_written = ROW_COUNT;
       SELECT count(*) INTO v_expected FROM unnest(n_step) u(step) WHERE v_good[u.step];
       IF v_written <> v_expected THEN
         RAISE EXCEPTION 'commit_steps: % of % principals were written', v_written, v_expected USING ERRCODE = 'data_corrupted';
       END IF;
     END IF;

     -- 6. locks, policies, credentials, idempotency keys
     IF 'lock' = ANY(x_kind) THEN
       INSERT INTO jitsudo.locks (id, body)
         SELECT x.id, x.body::jsonb FROM unnest(x_step, x_kind, x_id, x_body) x(step, kind, id, body)
         WHERE x.kind = 'lock' AND v_good[x.step];
     END IF;
     IF 'unlock' = ANY(x_kind) THEN
       DELETE FROM jitsudo.locks l USING unnest(x_step, x_kind, x_id) x(step, kind, id)
         WHERE x.kind = 'unlock' AND v_good[x.step] AND l.id = x.id;
     END IF;
     IF 'lock' = ANY(x_kind) OR 'unlock' = ANY(x_kind) THEN
       SELECT count(*) INTO v_raised FROM unnest(x_step, x_kind) x(step, kind)
         WHERE x.kind IN ('lock', 'unlock') AND v_good[x.step];
       UPDATE jitsudo.revisions v SET revision = v.revision + v_raised WHERE v.name = 'locks' AND v_raised > 0;
     END IF;
     v_policy_changed := false;
     IF 'policies' = ANY(x_kind) THEN
       INSERT INTO jitsudo.policy_modules (hash, wasm)
         SELECT m.value->>'hash', decode(m.value->>'wasm', 'base64')
         FROM unnest(x_step, x_kind, x_body) x(step, kind, body), jsonb_array_elements(x.body::jsonb->'modules') m
         WHERE x.kind = 'policies' AND v_good[x.step]
         ON CONFLICT (hash) DO NOTHING;
       INSERT INTO jitsudo.policy_revisions (revision, hash, policies, created_at)
         SELECT v_policy + 1, x.body::jsonb->>'hash', x.body::jsonb->'policies', v_now
         FROM unnest(x_step, x_kind, x_body) x(step, kind, body) WHERE x.kind = 'policies' AND v_good[x.step];
       v_policy_changed := FOUND;
       UPDATE jitsudo.revisions v SET revision = v.revision + 1 WHERE v.name = 'policy' AND v_policy_changed;
     END IF;
     IF 'credentials' = ANY(x_kind) THEN
       INSERT INTO jitsudo.credentials AS c (request_id, key_id, nonce, ciphertext)
         SELECT x.id, b.body->>'keyId', b.body->>'nonce', b.body->>'ciphertext'
         FROM unnest(x_step, x_kind, x_id, x_body) x(step, kind, id, body), LATERAL (SELECT x.body::jsonb) b(body)
         WHERE x.kind = 'credentials' AND v_good[x.step]
         ON CONFLICT (request_id) DO UPDATE
           SET key_id = excluded.key_id, nonce = excluded.nonce, ciphertext = excluded.ciphertext;
     END IF;
     IF 'wipe' = ANY(x_kind) THEN
       DELETE FROM jitsudo.credentials c USING unnest(x_step, x_kind, x_id) x(step, kind, id)
         WHERE x.kind = 'wipe' AND v_good[x.step] AND c.request_id = x.id;
     END IF;
     IF 'idempotency' = ANY(x_kind) THEN
       INSERT INTO jitsudo.idempotency AS k (id, body_hash, request_id, created_at)
         SELECT x.id, b.body->>'bodyHash', b.body->>'requestId', v_now
         FROM unnest(x_step, x_kind, x_id, x_body) x(step, kind, id, body), LATERAL (SELECT x.body::jsonb) b(body)
         WHERE x.kind = 'idempotency' AND v_good[x.step]
         ON CONFLICT (id) DO UPDATE
           SET body_hash = excluded.body_hash, request_id = excluded.request_id, created_at = excluded.created_at;
     END IF;

     -- 7. jobs: settled ones first, so that a step may replace a job by one of the same id
     v_jobs_changed := false;
     IF 'settle' = ANY(x_kind) THEN
       DELETE FROM jitsudo.jobs j USING unnest(x_step, x_kind, x_id) x(step, kind, id)
         WHERE x.kind = 'settle' AND v_good[x.step] AND j.id = x.id;
       DELETE FROM jitsudo.job_serials k USING unnest(x_step, x_kind, x_id) x(step, kind, id)
         WHERE x.kind = 'settle' AND v_good[x.step] AND k.job_id = x.id;
     END IF;
     IF 'reschedule' = ANY(x_kind) THEN
       UPDATE jitsudo.jobs j SET run_at = x.body::int8
         FROM unnest(x_step, x_kind, x_id, x_body) x(step, kind, id, body)
         WHERE x.kind = 'reschedule' AND v_good[x.step] AND j.id = x.id AND NOT j.dead;
       v_jobs_changed := FOUND;
     END IF;
     IF cardinality(j_step) > 0 THEN
       INSERT INTO jitsudo.jobs (id, kind, request_id, serial_key, run_at, after, payload, created_at)
         SELECT b.body->>'id', b.body->>'kind', b.body->>'requestId', b.body->>'serialKey', (b.body->>'runAt')::int8,
           b.body->>'after', b.body->'payload', v_now
         FROM unnest(j_step, j_body) j(step, body), LATERAL (SELECT j.body::jsonb) b(body)
         WHERE v_good[j.step]
         ON CONFLICT (id) DO NOTHING;
       v_jobs_changed := v_jobs_changed OR FOUND;
     END IF;

     -- 8. entries: numbered, linked, hashed
     FOR r IN
       SELECT e.step, e.id, e.payload, sha256('\\x00'::bytea || convert_to(e.payload, 'UTF8')) AS leaf
       FROM unnest(e_step, e_id, e_payload) WITH ORDINALITY e(step, id, payload, ord)
       WHERE v_good[e.step] ORDER BY e.ord
     LOOP
       v_k := v_k + 1;
       v_seq := v_seq + 1;
       v_prevs[v_k] := v_hash;
       v_hash := sha256('\\x01'::bytea || v_hash || int8send(v_seq) || r.leaf);
       v_seqs[v_k] := v_seq;
       v_steps[v_k] := r.step;
       v_ids[v_k] := r.id;
       v_payloads[v_k] := r.payload;
       v_leaves[v_k] := r.leaf;
       v_hashes[v_k] := v_hash;
     END LOOP;
     IF v_k > 0 THEN
       INSERT INTO jitsudo.audit (seq, id, step_id, payload, leaf, prev_hash, hash, time, actor_issuer, actor_subject,
           actor_email, action, outcome, request_id, provider)
         SELECT e.seq, e.id, p_id[e.step], e.payload, e.leaf, e.prev, e.hash, b.body->>'time',
           b.body->'actor'->>'issuer', b.body->'actor'->>'subject', b.body->'actor'->>'email',
           b.body->>'action', b.body->>'outcome', b.body->>'requestId', b.body->>'provider'
         FROM unnest(v_seqs, v_ids, v_steps, v_payloads, v_leaves, v_prevs, v_hashes)
             e(seq, id, step, payload, leaf, prev, hash),
           LATERAL (SELECT e.payload::jsonb) b(body);
       UPDATE jitsudo.audit_head h SET seq = v_seq, hash = v_hash;
     END IF;
     IF cardinality(t_step) > 0 THEN
       INSERT INTO jitsudo.audit_text (hash, entry_id, ord, salt, text)
         SELECT t.hash, t.entry, t.ord, t.salt, t.body
         FROM unnest(t_step, t_entry, t_hash, t_salt, t_text) WITH ORDINALITY t(step, entry, hash, salt, body, ord)
         WHERE v_good[t.step];
     END IF;
     INSERT INTO jitsudo.steps (id, committed_at)
       SELECT s.id, v_now FROM unnest(p_id) WITH ORDINALITY s(id, i)
       WHERE v_good[s.i] AND s.i <> ALL(v_steps);

     -- 9. tell the others; a payload may have 8,000 bytes, and a change without names means: look
     IF cardinality(v_changed) > 0 OR v_policy_changed OR v_jobs_changed THEN
       v_note := json_build_object('seq', v_seq, 'requests', v_changed, 'policy', v_policy_changed, 'jobs', v_jobs_changed)::text;
       IF octet_length(v_note) > 7900 THEN
         v_note := json_build_object('seq', v_seq, 'requests', NULL, 'policy', v_policy_changed, 'jobs', v_jobs_changed)::text;
       END IF;
       PERFORM pg_notify('jitsudo_changes', v_note);
     END IF;

     RETURN QUERY
       SELECT d.i::int4,
         CASE WHEN d.done THEN 'repeated' WHEN v_good[d.i] THEN 'committed' ELSE 'conflict' END,
         CASE WHEN d.done THEN NULL ELSE v_bad_kind[d.i] END,
         CASE WHEN d.done THEN NULL ELSE v_bad_id[d.i] END,
         CASE WHEN d.done THEN ARRAY(SELECT a.seq FROM jitsudo.audit a WHERE a.step_id = p_id[d.i] ORDER BY a.seq)
           ELSE ARRAY(SELECT e.seq FROM unnest(v_seqs, v_steps) e(seq, step) WHERE e.step = d.i ORDER BY e.seq) END,
         CASE WHEN d.done THEN ARRAY(SELECT encode(a.hash, 'hex') FROM jitsudo.audit a WHERE a.step_id = p_id[d.i] ORDER BY a.seq)
           ELSE ARRAY(SELECT encode(e.hash, 'hex') FROM unnest(v_seqs, v_steps, v_hashes) e(seq, step, hash)
             WHERE e.step = d.i ORDER BY e.seq) END
       FROM unnest(v_done) WITH ORDINALITY d(done, i);
   END
   $$`,

  /** Removes what nobody asks for any more: idempotency keys and step ids older than a day. */
  `CREATE FUNCTION jitsudo.forget_old() RETURNS int8 LANGUAGE plpgsql VOLATILE SECURITY DEFINER
   SET search_path = pg_catalog, pg_temp
   SET lock_timeout = '2s'
   AS $$
   DECLARE v_keys int8; v_steps int8;
   BEGIN
     DELETE FROM jitsudo.idempotency k WHERE k.created_at <= jitsudo.now_ms() - 86400000;
     GET DIAGNOSTICS v_keys = ROW_COUNT;
     DELETE FROM jitsudo.steps s WHERE s.committed_at <= jitsudo.now_ms() - 86400000;
     GET DIAGNOSTICS v_steps = ROW_COUNT;
     RETURN v_keys + v_steps;
   END
   $$`
]
