/**
 * Checkpoints of the log in the database: the tree is the pure library's, there is one checkpoint of a size whatever
 * happens to those who sign, and a database that contradicts what was signed is signed no more.
 */
import { Checkpoint, Frontier, Signer, VerifierKey } from "@jitsudo/audit"
import type { Store } from "@jitsudo/core"
import * as PgClient from "@effect/sql-pg/PgClient"
import { TestDatabase } from "@jitsudo/server/testing"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest"
import * as AcceptRestore from "../../src/evidence/AcceptRestore.ts"
import * as Signing from "../../src/evidence/Signing.ts"
import * as SignerState from "../../src/evidence/SignerState.ts"
import type { Database } from "../../src/store/Database.ts"
import { migrate } from "../../src/store/Migrations.ts"
import * as Pglite from "../../src/store/Pglite.ts"
import * as Postgres from "../../src/store/Postgres.ts"
import * as SqlAuditChain from "../../src/store/SqlAuditChain.ts"
import * as SqlStore from "../../src/store/SqlStore.ts"
import * as CuttingProxy from "../store/CuttingProxy.ts"
import { onPostgres, patience, postgresUrl } from "../store/Suites.ts"
import { append, rootOf } from "./Log.ts"

const origin = "log.example.com/jitsudo"

const newKey = (name = origin) =>
  Effect.gen(function* () {
    const { privateKey } = yield* Signer.generate(name, VerifierKey.noteType)
    return yield* Signer.parse(privateKey)
  })

/** As the daemon's role, and as somebody who may do what the daemon may not. */
interface Shared {
  readonly app: Context.Context<Database | Store.Store>
  readonly owner: Context.Context<SqlClient.SqlClient>
  readonly appUrl: string
}

const appOf = (url: string) =>
  Effect.gen(function* () {
    const database = yield* Layer.build(Postgres.layer({ url: Redacted.make(url) }))
    const store = yield* Layer.build(Layer.provide(SqlStore.layer(), Layer.succeedContext(database)))
    return Context.merge(database, store)
  })

/** What a superuser does behind everybody's back. */
const tamper = (statements: ReadonlyArray<string>) =>
  SqlClient.SqlClient.use((sql) =>
    sql.withTransaction(
      Effect.gen(function* () {
        yield* sql`SET LOCAL session_replication_role = replica`
        for (const statement of statements) yield* sql.unsafe(statement).unprepared
      })
    )
  )

const rows = SqlClient.SqlClient.use(
  (sql) => sql<{ size: number; root: string; note: string }>`
    SELECT size::int4 AS size, encode(root, 'hex') AS root, note FROM jitsudo.audit_checkpoints ORDER BY size`
)

const suite = (open: Effect.Effect<Shared, unknown, Scope.Scope>) => {
  const scope = Scope.makeUnsafe()
  let shared: Shared
  let directory = ""
  const file = () => join(directory, "signed.json")
  beforeAll(async () => {
    shared = await Effect.runPromise(Scope.provide(open, scope))
  }, 60_000)
  afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))
  beforeEach(async () => {
    directory = mkdtempSync(join(inject("scratch"), "signing-"))
    await Effect.runPromise(TestDatabase.empty.pipe(Effect.provideContext(shared.owner)))
    return () => rmSync(directory, { recursive: true, force: true })
  })

  const asOwner = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
    Effect.provideContext(effect, shared.owner)
  const grow = (count: number, each?: number) => Effect.provideContext(append(count, each), shared.app)
  const signing = (signer: Signer.Signer, batch?: number, stateFile = file()) =>
    Effect.provideContext(Signing.make({ signer, stateFile, ...(batch === undefined ? {} : { batch }) }), shared.app)

  it(
    "signs what the log is, after each growth, in batches; the tree is the pure library's",
    () =>
      Effect.gen(function* () {
        const signer = yield* newKey()
        const { tick } = yield* signing(signer, 300)
        expect((yield* tick).kind).toBe("current")
        const wanted = [1, 2, 255, 256, 257, 511, 512, 513, 1100]
        const signed: Array<number> = []
        let size = 0
        for (const one of wanted) {
          yield* grow(one - size, 40)
          size = one
          for (;;) {
            const done = yield* tick
            if (done.kind !== "signed") break
            signed.push(done.checkpoint.size)
          }
          expect((yield* tick).kind).toBe("current")
        }
        expect(signed).toEqual([1, 2, 255, 256, 257, 511, 512, 513, 813, 1100])
        const stored = yield* asOwner(rows)
        expect(stored.map((row) => row.size)).toEqual(signed)
        for (const { note, root, size: of } of stored) {
          expect({ size: of, root }).toEqual(yield* asOwner(rootOf(of)))
          const trusted = yield* Checkpoint.verify(note, { keys: [{ key: signer.key, from: 0 }] })
          expect([trusted.size, trusted.root, trusted.origin]).toEqual([of, root, origin])
        }
        expect(JSON.parse(readFileSync(file(), "utf8"))).toEqual({ v: 1, origin, ...(yield* asOwner(rootOf(1100))) })
        expect(statSync(file()).mode & 0o777).toBe(0o600)
      }).pipe(Effect.runPromise),
    patience
  )

  it(
    "a signature whose commit was lost does no harm: the next tick signs what grew from it",
    () =>
      Effect.gen(function* () {
        const signer = yield* newKey()
        yield* grow(10)
        // As a process leaves it that ends between the file and the commit.
        yield* SignerState.write(file(), { origin, ...(yield* asOwner(rootOf(10))) })
        yield* grow(5)
        const { tick } = yield* signing(signer)
        expect(yield* tick).toMatchObject({ kind: "signed", checkpoint: { size: 15 } })
      }).pipe(Effect.runPromise),
    patience
  )

  it(
    "a database that was rolled back, rewritten, or is another log's is refused, and nothing is signed",
    () =>
      Effect.gen(function* () {
        const signer = yield* newKey()
        yield* grow(600)
        const first = yield* signing(signer)
        yield* first.tick
        const before = readFileSync(file(), "utf8")
        const refused = (reason: string) =>
          Effect.gen(function* () {
            // The instance that saw it all, one that was started anew, and each of them again.
            for (const one of [first, yield* signing(signer)]) {
              for (const _ of [1, 2]) {
                expect(yield* Effect.flip(one.tick)).toMatchObject({ _tag: "HistoryRefused", reason })
              }
            }
            expect(readFileSync(file(), "utf8")).toBe(before)
          })

        // Everything about the log is as it was at 400 entries, and other entries follow.
        yield* asOwner(
          tamper([
            `DELETE FROM jitsudo.audit WHERE seq > 400`,
            `DELETE FROM jitsudo.audit_tree WHERE place >= 1`,
            `DELETE FROM jitsudo.audit_checkpoints`,
            `UPDATE jitsudo.audit_head SET seq = 400, hash = (SELECT hash FROM jitsudo.audit WHERE seq = 400)`
          ])
        )
        yield* refused("smaller")
        yield* grow(300)
        yield* refused("rewritten")
        expect(yield* asOwner(rows)).toEqual([])

        const stranger = yield* signing(yield* newKey("log.example.com/other"))
        expect(yield* Effect.flip(stranger.tick)).toMatchObject({ reason: "origin" })
        // What the operator decides: from here on it is trusted again.
        rmSync(file())
        expect((yield* (yield* signing(signer)).tick).kind).toBe("signed")
        rmSync(file())
        expect(yield* Effect.flip(stranger.tick)).toMatchObject({ reason: "origin" })
      }).pipe(Effect.runPromise),
    patience
  )

  it(
    "entries or rows of the tree that are gone, and a checkpoint with another root, stop it",
    () =>
      Effect.gen(function* () {
        const signer = yield* newKey()
        yield* grow(520)
        yield* (yield* signing(signer)).tick
        const restore = (yield* asOwner(
          SqlClient.SqlClient.use(
            (sql) => sql<{ hash: string }>`SELECT encode(hash, 'hex') AS hash FROM jitsudo.audit_tree WHERE place = 1`
          )
        ))[0]?.hash
        yield* asOwner(tamper([`DELETE FROM jitsudo.audit_tree WHERE place = 1`]))
        expect(yield* Effect.flip((yield* signing(signer)).tick)).toMatchObject({ _tag: "TreeIncomplete", level: 1 })
        yield* asOwner(tamper([`INSERT INTO jitsudo.audit_tree VALUES (1, 1, decode('${restore}', 'hex'))`]))
        expect((yield* (yield* signing(signer)).tick).kind).toBe("current")
        yield* grow(260)
        yield* asOwner(tamper([`INSERT INTO jitsudo.audit_tree VALUES (1, 2, sha256('x'))`]))
        expect(yield* Effect.flip((yield* signing(signer)).tick)).toMatchObject({ _tag: "TreeContradicted", place: 2 })
        yield* asOwner(tamper([`DELETE FROM jitsudo.audit_tree WHERE place = 2`]))
        expect((yield* (yield* signing(signer)).tick).kind).toBe("signed")
        yield* asOwner(tamper([`UPDATE jitsudo.audit_checkpoints SET root = sha256('x')`]))
        rmSync(file())
        expect(yield* Effect.flip((yield* signing(signer)).tick)).toMatchObject({ reason: "rewritten" })
      }).pipe(Effect.runPromise),
    patience
  )

  it(
    "a restored backup is accepted under a new name, with an entry that says what was signed before",
    () =>
      Effect.gen(function* () {
        const signer = yield* newKey()
        yield* grow(500)
        const old = yield* signing(signer, 300)
        yield* old.tick
        yield* old.tick
        const lost = yield* asOwner(rootOf(500))
        yield* asOwner(
          tamper([
            `DELETE FROM jitsudo.audit WHERE seq > 400`,
            `DELETE FROM jitsudo.audit_checkpoints WHERE size > 300`,
            `UPDATE jitsudo.audit_head SET seq = 400, hash = (SELECT hash FROM jitsudo.audit WHERE seq = 400)`
          ])
        )
        expect(yield* Effect.flip((yield* signing(signer)).tick)).toMatchObject({ reason: "smaller" })
        const accept = (name: string, stateFile: string) =>
          Effect.provideContext(Effect.provide(AcceptRestore.accept(name, stateFile), SqlAuditChain.layer), shared.app)
        expect(yield* Effect.flip(accept(origin, file()))).toMatchObject({ _tag: "NotAccepted" })
        const renewed = yield* newKey("log.example.com/jitsudo-2")
        const other = join(directory, "other.json")
        yield* SignerState.write(other, { origin, ...lost })
        for (const one of [file(), other]) {
          expect(yield* Effect.flip((yield* signing(renewed, undefined, one)).tick)).toMatchObject({ reason: "origin" })
          expect(yield* accept(renewed.key.name, one)).toMatchObject({
            old: { origin, ...lost },
            kept: { origin: renewed.key.name, ...(yield* asOwner(rootOf(one === other ? 401 : 300))) },
            alreadyRecorded: one === other
          })
          expect((yield* (yield* signing(renewed, undefined, one)).tick).kind).toBe(
            one === other ? "current" : "signed"
          )
        }
        const [entry] = yield* asOwner(
          SqlClient.SqlClient.use(
            (sql) => sql<{ payload: string }>`SELECT payload FROM jitsudo.audit WHERE action = 'audit.restore_accepted'`
          )
        )
        expect(JSON.parse(entry?.payload ?? "{}").details).toMatchObject({
          oldOrigin: origin,
          oldSize: 500,
          oldRoot: lost.root,
          newOrigin: renewed.key.name,
          foundSize: 400
        })
        const stored = yield* asOwner(rows)
        expect(stored.map(({ note, size }) => [size, note.split("\n", 1)[0]])).toEqual([
          [300, origin],
          [401, renewed.key.name]
        ])
        expect(yield* Effect.flip((yield* signing(signer)).tick)).toMatchObject({ reason: "origin" })
      }).pipe(Effect.runPromise),
    patience
  )

  it(
    "a file that holds something else is neither believed nor overwritten",
    () =>
      Effect.gen(function* () {
        const signer = yield* newKey()
        yield* grow(3)
        for (const text of ["", "{}", `{"v":1,"origin":"${origin}","size":-1,"root":"${"0".repeat(64)}"}`, `{"v":2}`]) {
          writeFileSync(file(), text)
          expect(yield* Effect.flip((yield* signing(signer)).tick)).toMatchObject({ _tag: "StateFailed" })
          expect(readFileSync(file(), "utf8")).toBe(text)
        }
        const { tick } = yield* signing(signer, undefined, join(directory, "signed.json", "below"))
        expect(yield* Effect.flip(tick)).toMatchObject({ _tag: "StateFailed" })
        expect(yield* asOwner(rows)).toEqual([])
      }).pipe(Effect.runPromise),
    patience
  )

  return { shared: () => shared, directory: () => directory, grow, asOwner }
}

onPostgres("signing", () => {
  const { asOwner, directory, grow, shared } = suite(
    Effect.gen(function* () {
      const { adminUrl, appUrl } = yield* TestDatabase.make(postgresUrl)
      const owner = yield* Layer.build(PgClient.layer({ url: Redacted.make(adminUrl), maxConnections: 1 }))
      return { app: yield* appOf(appUrl), owner, appUrl }
    })
  )

  it(
    "three instances, one of them cut off again and again, never sign two checkpoints of one size",
    () =>
      Effect.gen(function* () {
        const url = new URL(shared().appUrl)
        const proxy = yield* Effect.acquireRelease(
          Effect.promise(() => CuttingProxy.start(Number(url.port), origin)),
          (started) => Effect.promise(started.stop)
        )
        url.port = String(proxy.port)
        // Two keys, as when one is exchanged while instances with the other still run.
        const keys = [yield* newKey(), yield* newKey(), yield* newKey()]
        const published = new Map<number, Set<string>>()
        const counts = [0, 0, 0]
        let over = false
        const instance = (nth: number, at: string) =>
          Effect.gen(function* () {
            const database = yield* Layer.build(Postgres.layer({ url: Redacted.make(at), connectTimeoutMillis: 1_000 }))
            const signer = keys[nth] ?? (yield* newKey())
            const { tick } = yield* Effect.provideContext(
              Signing.make({ signer, stateFile: join(directory(), `signed-${nth}.json`), batch: 64 }),
              database
            )
            while (!over) {
              const done = yield* Effect.exit(tick)
              if (Exit.isSuccess(done) && done.value.kind === "signed") {
                const { note, size } = done.value.checkpoint
                published.set(size, (published.get(size) ?? new Set()).add(note))
                counts[nth] = (counts[nth] ?? 0) + 1
              } else if (Exit.isFailure(done)) {
                // Only the one behind the proxy may ever fail, and only for want of a connection.
                expect([nth, JSON.stringify(done.cause).includes("HistoryRefused")]).toEqual([2, false])
              }
              yield* Effect.sleep("1 millis")
            }
          }).pipe(Effect.scoped)
        const running = yield* Effect.all(
          [shared().appUrl, shared().appUrl, url.toString()].map((at, nth) => instance(nth, at)),
          { concurrency: "unbounded" }
        ).pipe(Effect.forkChild({ startImmediately: true }))
        for (const fault of ["reply", "statement", "all", "reply", "statement", "all"] as const) {
          const before = proxy.struck()
          proxy.arm(fault)
          // Until it struck what the instance behind the proxy signs; one that is cut off signs nothing to strike.
          for (
            let n = 0;
            (fault === "all" ? n < 3 : proxy.struck() === before) && running.pollUnsafe() === undefined;
            n++
          ) {
            yield* grow(30, 10)
          }
          proxy.arm(undefined)
          yield* grow(100, 10)
        }
        const head = SqlClient.SqlClient.use(
          (sql) => sql<{ seq: number }>`SELECT seq::int4 AS seq FROM jitsudo.audit_head`
        )
        const size = (yield* asOwner(head))[0]?.seq ?? 0
        while (running.pollUnsafe() === undefined && (yield* asOwner(rows)).at(-1)?.size !== size) {
          yield* Effect.sleep("20 millis")
        }
        over = true
        yield* Fiber.join(running)
        const stored = yield* asOwner(rows)
        for (const [size, notes] of published) {
          expect([size, [...notes]]).toEqual([size, stored.filter((row) => row.size === size).map(({ note }) => note)])
        }
        expect(stored.at(-1)?.size).toBe(size)
        expect(counts.filter((count) => count > 0).length).toBeGreaterThan(1)
        for (const { note, root, size } of stored) {
          expect({ size, root }).toEqual(yield* asOwner(rootOf(size)))
          yield* Checkpoint.verify(note, { keys: keys.map(({ key }) => ({ key, from: 0 })) })
        }
      }).pipe(Effect.scoped, Effect.runPromise),
    patience
  )

  it(
    "a tree of three levels is the pure library's as well",
    () =>
      Effect.gen(function* () {
        const signer = yield* newKey()
        yield* asOwner(
          tamper([
            `INSERT INTO jitsudo.audit (seq, id, step_id, payload, leaf, prev_hash, hash, time, action, outcome)
           SELECT n, 'ent_' || n, 's', '', sha256(n::text::bytea), sha256(''), sha256(''), '', '', ''
           FROM generate_series(1, 66000) n`,
            `UPDATE jitsudo.audit_head SET seq = 66000`
          ])
        )
        const { tick } = yield* Effect.provideContext(
          Signing.make({ signer, stateFile: join(directory(), "signed.json") }),
          shared().app
        )
        while ((yield* tick).kind === "signed") continue
        const leaves = yield* asOwner(
          SqlClient.SqlClient.use(
            (sql) => sql<{ leaf: string }>`SELECT encode(leaf, 'hex') AS leaf FROM jitsudo.audit ORDER BY seq`
          )
        )
        const tree = Frontier.make()
        const roots = new Map<number, string>()
        for (const { leaf } of leaves) {
          tree.append(leaf)
          roots.set(tree.size(), tree.head().root)
        }
        const stored = yield* asOwner(rows)
        expect(stored.map(({ size }) => size)).toEqual([8192, 16384, 24576, 32768, 40960, 49152, 57344, 65536, 66000])
        for (const { root, size } of stored) expect([size, root]).toEqual([size, roots.get(size)])
      }).pipe(Effect.runPromise),
    patience
  )
})

describe("signing (PGlite)", () => {
  suite(
    Effect.gen(function* () {
      const context = yield* Layer.build(Pglite.layer({ directory: join(inject("scratch"), "pglite-signing") }))
      yield* migrate.pipe(Effect.provideContext(context))
      const store = yield* Layer.build(Layer.provide(SqlStore.layer(), Layer.succeedContext(context)))
      return { app: Context.merge(context, store), owner: context, appUrl: "" }
    })
  )
})
