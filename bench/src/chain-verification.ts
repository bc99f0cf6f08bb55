/**
 * How fast a log is verified, and in how much memory: from PostgreSQL, page by page, and from an exported file.
 *
 * The log is written through the store: a text beside every fourth entry, as requests and decisions have them. Each
 * verification runs in a process of its own. Floor: one SHA-256 of 500 bytes per entry.
 */
import { Chain, Export } from "@jitsudo/audit"
import { AuditChain, AuditRecord, Ids, Store, Time } from "@jitsudo/core"
import { Fixtures } from "@jitsudo/core/testing"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { execFileSync } from "node:child_process"
import { hash, randomBytes } from "node:crypto"
import { createWriteStream } from "node:fs"
import { join } from "node:path"
import { finished } from "node:stream/promises"
import * as BenchDatabase from "./BenchDatabase.ts"
import { bundle } from "./Bundle.ts"
import { hotLoop } from "./Load.ts"
import { atLeast, atMost, report, row, shown } from "./Rows.ts"
import type { Verified } from "./verifying.ts"

const entries = process.env["JITSUDO_BENCH_FULL"] === "1" ? 1_000_000 : 40_000
const perStep = 50
const megabyte = 1024 * 1024

const random = (size: number) => randomBytes(size)

const one = (index: number, at: Time.Time) =>
  AuditRecord.draft(
    {
      actor: { ...Fixtures.keyFor(Fixtures.ana), email: Fixtures.ana.email, kind: "human" },
      action: index % 4 === 0 ? "request.created" : "request.routed",
      outcome: "success",
      requestId: Fixtures.id("req", index),
      provider: "aws",
      role: "arn:aws:iam::123456789012:role/prod-infra-admin",
      resourceScope: "123456789012",
      details: { digest: Fixtures.digest, policyRevision: 7, policyHash: "1".repeat(64), durationSeconds: 3600 },
      texts: index % 4 === 0 ? { reason: `read the logs of incident ${index}` } : {}
    },
    at
  )

const filled = Effect.gen(function* () {
  const store = yield* Store.Store
  yield* Effect.forEach(
    Array.from({ length: entries / perStep }, (_, step) => step),
    Effect.fnUntraced(function* (step) {
      const now = Time.make(Date.now())
      const drafts = yield* Effect.forEach(
        Array.from({ length: perStep }, (_, index) => step * perStep + index),
        (index) => one(index, now)
      )
      yield* store.commit({ id: Ids.make("stp", now, random), now, guards: [], writes: [], entries: drafts, jobs: [] })
    }),
    { concurrency: 16, discard: true }
  )
})

const exported = Effect.fnUntraced(function* (file: string) {
  const chain = yield* AuditChain.AuditChain
  const out = createWriteStream(file)
  yield* Stream.runForEach(Export.encode({ seq: 0, hash: Chain.genesis }, chain.stream()), (text) =>
    Effect.sync(() => out.write(text))
  )
  out.end()
  yield* Effect.promise(() => finished(out))
})

const program = join(await bundle("verifying", { verifying: "bench/src/verifying.ts" }), "dist/verifying.js")

const verified = (kind: "postgres" | "export", where: string): Verified => {
  const result: Verified = JSON.parse(
    execFileSync(process.execPath, [program, kind, where], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "inherit"]
    })
  )
  if (result.entries !== entries) throw new Error(`${entries} entries were written, ${result.entries} were verified`)
  return result
}

const measured = Effect.gen(function* () {
  const server = yield* BenchDatabase.postgresServer
  const database = yield* BenchDatabase.fresh(server)
  const directory = yield* BenchDatabase.directory
  const file = join(directory, "log.ndjson")
  yield* Effect.andThen(filled, exported(file)).pipe(Effect.provide(BenchDatabase.onPostgres(database)))
  return { fromPostgres: verified("postgres", database.appUrl), fromExport: verified("export", file) }
})

const rowsOf = (what: string, result: Verified, hashes: number, least: number) => [
  row({
    row: 3,
    name: `verification from ${what}, ${shown(entries)} entries`,
    value: result.perSecond,
    unit: "entries/s",
    floor: { name: "SHA-256 of 500 B/s", value: hashes },
    target: atLeast(least)
  }),
  row({
    row: 3,
    name: "  its peak memory",
    value: result.peakBytes / megabyte,
    unit: "MB RSS",
    floor: { name: "MB idle", value: result.idleBytes / megabyte },
    target: atMost(150)
  })
]

try {
  const { fromExport, fromPostgres } = await Effect.runPromise(Effect.scoped(measured))
  const text = "x".repeat(500)
  const hashes = hotLoop(5, 200, () => hash("sha256", text))
  report(
    "chain-verification",
    [...rowsOf("PostgreSQL", fromPostgres, hashes, 300_000), ...rowsOf("NDJSON", fromExport, hashes, 250_000)],
    { notes: [`every run verified all ${entries} entries`], details: { fromPostgres, fromExport } }
  )
} catch (error) {
  if (!(error instanceof BenchDatabase.NoPostgres)) throw error
  report("chain-verification", [], { notes: [`not measured: ${error.message}`] })
}
