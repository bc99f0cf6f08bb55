/**
 * The embedded default: PostgreSQL inside this process, for one node, trying out and development.
 *
 * As shipped PGlite neither flushes to disk nor locks its directory nor cleans up. It is used only with all of this:
 * 1. one process per directory (`DirectoryLock`);
 * 2. files that flush (`PgliteFiles`), started without `-F`, `wal_sync_method=fsync`; `initdb`'s files flushed once;
 * 3. a commit at every start that must raise the flush count: otherwise it refuses to run;
 * 4. `CHECKPOINT` every 5 minutes or 64 MB of log and at the end, `VACUUM (ANALYZE)` hourly: it has no background
 *    workers;
 * 5. the exact version in `package.json`.
 *
 * Statements run on this thread, one after the other. Several instances need PostgreSQL.
 */
import { PGlite } from "@electric-sql/pglite"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Reactivity from "effect/reactivity/Reactivity"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import { existsSync } from "node:fs"
import { mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { Database } from "./Database.ts"
import * as DirectoryLock from "./DirectoryLock.ts"
import { PgliteBridge } from "./PgliteBridge.ts"
import { DurableFiles, flushOne, flushTree } from "./PgliteFiles.ts"

/** The embedded database cannot be used. `message` says what to do. */
export class PgliteUnusable extends Data.TaggedError("PgliteUnusable")<{
  readonly reason: "not_durable" | "cannot_open"
  readonly message: string
  readonly cause?: unknown
}> {}

export interface PgliteOptions {
  /** Where it lives; made if it is missing. The database is in `database` below it. */
  readonly directory: string
  /** Default 5 minutes. */
  readonly checkpointEvery?: Duration.Input
  /** Bytes of log after which it checkpoints earlier. Default 64 MB. */
  readonly checkpointBytes?: number
  /** Default 1 hour. */
  readonly vacuumEvery?: Duration.Input
  /** The files it opens; tests give some that do not flush. */
  readonly files?: (directory: string) => DurableFiles
}

/** PGlite's own parameters but for the one that turns flushing off. */
const startParameters = [
  ...PGlite.defaultStartParams.filter((parameter) => parameter !== "-F"),
  "-c",
  "wal_sync_method=fsync",
  "-c",
  "synchronous_commit=on",
  "-c",
  "shared_buffers=32MB"
]

/** Marks a directory whose first files are on disk: a database that was cut off while it was made is made again. */
const madeMark = "made"

const openDatabase = (options: PgliteOptions) =>
  Effect.tryPromise({
    try: async () => {
      const directory = join(options.directory, "database")
      const mark = join(options.directory, madeMark)
      const isNew = !existsSync(mark)
      if (isNew) await rm(directory, { recursive: true, force: true })
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const files = options.files?.(directory) ?? new DurableFiles(directory)
      const database = await PGlite.create({ fs: files, startParams: startParameters, relaxedDurability: false })
      if (isNew) {
        await database.exec("CHECKPOINT")
        await flushTree(directory)
        await writeFile(mark, "")
        await flushOne(mark)
        await flushOne(options.directory)
      }
      return { database, files }
    },
    catch: (cause) =>
      new PgliteUnusable({
        reason: "cannot_open",
        message: `the embedded database in ${options.directory} cannot be opened: restore a backup, or start with an empty directory`,
        cause
      })
  })

/** Commits once and looks whether the disk was asked to keep it. */
const provenDurable = (database: PGlite, files: DurableFiles, directory: string) =>
  Effect.gen(function* () {
    const before = files.flushed
    const fsync = yield* Effect.promise(async () => {
      await database.exec("SELECT pg_logical_emit_message(true, 'jitsudo', 'is this on disk?')")
      return database.query<{ fsync: string }>("SHOW fsync")
    })
    if (fsync.rows[0]?.fsync !== "on" || files.flushed === before) {
      return yield* new PgliteUnusable({
        reason: "not_durable",
        message: `the embedded database in ${directory} does not flush its commits to disk, so a power cut would lose decisions: use the pinned version of PGlite, or PostgreSQL`
      })
    }
  })

export const layer = (
  options: PgliteOptions
): Layer.Layer<
  Database | PgClient.PgClient | SqlClient.SqlClient,
  PgliteUnusable | DirectoryLock.DirectoryLocked | SqlError
> =>
  Layer.effectContext(
    Effect.gen(function* () {
      yield* DirectoryLock.acquire(options.directory)
      const { database, files } = yield* Effect.acquireRelease(openDatabase(options), (opened) =>
        Effect.promise(async () => {
          await opened.database.exec("CHECKPOINT")
          await opened.database.close()
        }).pipe(
          Effect.catchDefect((cause) =>
            Effect.logWarning("the embedded database was not closed cleanly; it recovers at the next start", cause)
          )
        )
      )
      yield* provenDurable(database, files, options.directory)
      const version = yield* Effect.promise(() => database.query<{ server_version: string }>("SHOW server_version"))
      const bridge = new PgliteBridge(database, version.rows[0]?.server_version ?? "18")
      const reactivity = yield* Reactivity.make
      const common = {
        stream: bridge.connect,
        username: "postgres",
        database: "postgres",
        prepare: false,
        transformJson: false,
        applicationName: "jitsudod"
      } as const
      const sql = yield* PgClient.make({ ...common, maxConnections: 8 }).pipe(
        Effect.provideService(Reactivity.Reactivity, reactivity)
      )
      const connect = PgClient.makeClient(common).pipe(Effect.provideService(Reactivity.Reactivity, reactivity))
      yield* Effect.forkScoped(checkpoints(yield* connect, options))
      yield* Effect.forkScoped(vacuums(yield* connect, options))
      return Context.make(Database, { kind: "pglite", sql, connect, listens: true }).pipe(
        Context.add(PgClient.PgClient, sql),
        Context.add(SqlClient.SqlClient, sql)
      )
    })
  )

/** How often the log's length is looked at. */
const lookEvery = Duration.seconds(5)

const checkpoints = (sql: PgClient.PgClient, options: PgliteOptions) =>
  Effect.gen(function* () {
    const every = Duration.toMillis(Duration.fromInputUnsafe(options.checkpointEvery ?? "5 minutes"))
    const bytes = options.checkpointBytes ?? 64 * 1024 * 1024
    const position = Effect.map(
      sql<{ at: string }>`SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text AS at`,
      ([row]) => Number(row?.at ?? 0)
    )
    let from = yield* position
    let waited = 0
    const step = Duration.toMillis(Duration.min(lookEvery, Duration.millis(every)))
    return yield* Effect.gen(function* () {
      waited += step
      const at = yield* position
      if (at === from || (waited < every && at - from < bytes)) return
      yield* sql`CHECKPOINT`
      from = yield* position
      waited = 0
    }).pipe(warned("checkpoint"), Effect.delay(step), Effect.forever)
  }).pipe(warned("checkpoint"))

const vacuums = (sql: PgClient.PgClient, options: PgliteOptions) =>
  sql`VACUUM (ANALYZE)`.pipe(warned("vacuum"), Effect.schedule(Schedule.spaced(options.vacuumEvery ?? "1 hour")))

const warned =
  (what: string) =>
  <A, R>(effect: Effect.Effect<A, SqlError, R>): Effect.Effect<A | void, never, R> =>
    Effect.catchTag(effect, "SqlError", (error) =>
      Effect.logWarning(`the embedded database's ${what} failed and will be tried again`).pipe(
        Effect.annotateLogs({ reason: error.reason._tag })
      )
    )
