/** The embedded database: it flushes, or it does not run; one process has it; it cleans up after itself. */
import { NodeFS } from "@electric-sql/pglite/nodefs"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as SqlClient from "effect/sql/SqlClient"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, inject, it } from "vitest"
import { Database } from "../../src/store/Database.ts"
import { latest, migrate, pending } from "../../src/store/Migrations.ts"
import * as Pglite from "../../src/store/Pglite.ts"
import { DurableFiles } from "../../src/store/PgliteFiles.ts"
import { startWorker } from "./Workers.ts"

/** PGlite's files as they come: nothing is ever flushed. */
class FilesThatForget extends DurableFiles {
  override init(...args: Parameters<NodeFS["init"]>): ReturnType<NodeFS["init"]> {
    return NodeFS.prototype.init.apply(this, args)
  }
}

const directory = (name: string) => join(inject("scratch"), name)

describe("PGlite", () => {
  it("flushes at every commit, and what was committed is there after it was closed", async () => {
    const at = directory("pglite-flush")
    const opened: Array<DurableFiles> = []
    const options = {
      directory: at,
      files: (path: string) => {
        const files = new DurableFiles(path)
        opened.push(files)
        return files
      }
    }
    await Effect.gen(function* () {
      expect((yield* pending).map((one) => one.id)).toEqual(Array.from({ length: latest }, (_, index) => index + 1))
      yield* migrate
      expect(yield* pending).toEqual([])
      const sql = yield* SqlClient.SqlClient
      const [files] = opened
      const before = files?.flushed ?? 0
      for (let n = 0; n < 10; n++) yield* sql`INSERT INTO jitsudo.steps VALUES (${`stp_${n}`}, 0)`
      expect((files?.flushed ?? 0) - before).toBeGreaterThanOrEqual(10)
    }).pipe(Effect.provide(Pglite.layer(options)), Effect.runPromise)
    await Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      expect(yield* sql`SELECT count(*)::int4 AS n FROM jitsudo.steps`).toEqual([{ n: 10 }])
    }).pipe(Effect.provide(Pglite.layer({ directory: at })), Effect.runPromise)
  })

  it("refuses to run on files that do not flush", async () => {
    const error = await Effect.void.pipe(
      Effect.provide(
        Pglite.layer({ directory: directory("pglite-forgets"), files: (path) => new FilesThatForget(path) })
      ),
      Effect.flip,
      Effect.runPromise
    )
    expect(error).toMatchObject({ _tag: "PgliteUnusable", reason: "not_durable" })
    expect(error.message).toContain("does not flush its commits to disk")
  })

  it("a second process is refused and told who has it; when the first is killed the directory is free", async () => {
    const at = directory("pglite-lock")
    const worker = startWorker("committing", at, "1")
    await worker.said(2)
    const open = Effect.void.pipe(Effect.provide(Pglite.layer({ directory: at })))
    const error = await Effect.runPromise(Effect.flip(open))
    expect(error).toMatchObject({ _tag: "DirectoryLocked", holder: worker.child.pid })
    expect(error.message).toContain(`in use by process ${worker.child.pid}`)
    expect(readFileSync(join(at, "pid"), "utf8").trim()).toBe(String(worker.child.pid))
    worker.child.kill("SIGKILL")
    await worker.ended
    await Effect.runPromise(open)
  })

  it("the same process cannot open it twice either", async () => {
    const layer = Pglite.layer({ directory: directory("pglite-twice") })
    const error = await Effect.scoped(
      Effect.gen(function* () {
        yield* Database
        return yield* Effect.flip(
          Effect.void.pipe(Effect.provide(Pglite.layer({ directory: directory("pglite-twice") })))
        )
      })
    ).pipe(Effect.provide(layer), Effect.runPromise)
    expect(error).toMatchObject({ _tag: "DirectoryLocked", holder: process.pid })
  })

  it("checkpoints by itself when there is something to write", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const position = Effect.map(
        sql<{ at: string }>`SELECT redo_lsn::text AS at FROM pg_control_checkpoint()`,
        ([row]) => row?.at
      )
      const before = yield* position
      yield* sql`CREATE TABLE grown AS SELECT g, repeat('x', 500) AS x FROM generate_series(1, 2000) g`
      const after = yield* position.pipe(
        Effect.repeat({ until: (at) => at !== before, schedule: Schedule.spaced("50 millis") }),
        Effect.timeout("30 seconds")
      )
      expect(after).not.toBe(before)
    }).pipe(
      Effect.provide(Pglite.layer({ directory: directory("pglite-checkpoint"), checkpointEvery: "200 millis" })),
      Effect.runPromise
    ))
})
