/**
 * One process at a time.
 *
 * The lock is the operating system's, held through SQLite's exclusive transaction (the one way to such a lock that Node
 * ships): it ends with the process, however that ends, so there is no stale lock to judge.
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type { DatabaseSync } from "node:sqlite"
import { closeSync, openSync } from "node:fs"
import type { Failure } from "./Failure.ts"
import { failed, reasonOf } from "./Failure.ts"

const sqliteBusy = 5
/** Longer than an issuer may take to answer. */
const patience = "30 seconds"

const isBusy = (error: unknown): boolean => error instanceof Error && "errcode" in error && error.errcode === sqliteBusy

const take = (file: string): Effect.Effect<DatabaseSync, "busy" | Failure> =>
  Effect.tryPromise({
    try: async () => {
      const { DatabaseSync } = await import("node:sqlite")
      // Made here first, because SQLite would make it readable for others.
      closeSync(openSync(file, "a", 0o600))
      const database = new DatabaseSync(file)
      try {
        database.exec("BEGIN EXCLUSIVE")
        return database
      } catch (error) {
        database.close()
        throw error
      }
    },
    catch: (error) => (isBusy(error) ? "busy" : failed(`cannot lock ${file}: ${reasonOf(error)}`))
  })

/** Runs `work` while no other process holds `file`, whose directory must exist. Waits for its turn. */
export const exclusively = <A, E, R>(file: string, work: Effect.Effect<A, E, R>): Effect.Effect<A, E | Failure, R> =>
  Effect.acquireUseRelease(
    take(file).pipe(
      Effect.retry({
        while: (error) => error === "busy",
        schedule: Schedule.spaced("25 millis").pipe(Schedule.jittered, Schedule.upTo({ duration: patience }))
      }),
      Effect.mapError((error) =>
        error === "busy"
          ? failed(`another jitsudo has held ${file} for half a minute`, "see what it waits for, or end it")
          : error
      )
    ),
    () => work,
    (database) => Effect.sync(() => database.close())
  )
