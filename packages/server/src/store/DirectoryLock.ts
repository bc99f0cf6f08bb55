/**
 * One process per data directory.
 *
 * The lock is the operating system's, on a file in the directory, held through SQLite's exclusive transaction (the one
 * way to such a lock that Node ships): it goes away with the process, however that ends, so there is no stale lock to
 * judge and no reused process id to be fooled by. The file beside it names the holder for people; it decides nothing.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

/** The directory cannot be used. `holder` is the process that has it, where that is known. */
export class DirectoryLocked extends Data.TaggedError("DirectoryLocked")<{
  readonly directory: string
  readonly holder: number | undefined
  readonly message: string
}> {}

const sqliteBusy = 5

const holderIn = (file: string): number | undefined => {
  try {
    const pid = Number.parseInt(readFileSync(file, "utf8"), 10)
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

const isBusy = (failure: unknown): boolean =>
  failure instanceof Error && "errcode" in failure && failure.errcode === sqliteBusy

const take = (directory: string): DatabaseSync => {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const lock = new DatabaseSync(join(directory, "lock"))
  try {
    lock.exec("BEGIN EXCLUSIVE")
    writeFileSync(join(directory, "pid"), `${process.pid}\n`, { mode: 0o600 })
    return lock
  } catch (failure) {
    lock.close()
    throw failure
  }
}

/** Holds `directory` (made if it is missing) until the scope closes. */
export const acquire = (directory: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => take(directory),
      catch: (failure) => {
        const holder = holderIn(join(directory, "pid"))
        const who = holder === undefined ? "another process" : `process ${holder}`
        return new DirectoryLocked({
          directory,
          holder: isBusy(failure) ? holder : undefined,
          message: isBusy(failure)
            ? `the data directory ${directory} is in use by ${who}: stop it, or use PostgreSQL for several processes`
            : `the data directory ${directory} cannot be locked: ${failure instanceof Error ? failure.message : String(failure)}`
        })
      }
    }),
    (lock) =>
      Effect.sync(() => {
        rmSync(join(directory, "pid"), { force: true })
        lock.close()
      })
  )
