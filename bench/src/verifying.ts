/**
 * Verifies a log in a process of its own, so that the peak of its memory is that of verifying: `verifying.ts postgres
 * URL` or `verifying.ts export FILE`. Prints one line of JSON.
 */
import { AuditChain } from "@jitsudo/core"
import * as verify from "@jitsudo/audit/verify"
import { Postgres, SqlAuditChain } from "@jitsudo/server"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { createReadStream } from "node:fs"
import { median } from "./Load.ts"

export interface Verified {
  readonly entries: number
  readonly perSecond: number
  readonly peakBytes: number
  /** Before anything was read: what the program itself takes. */
  readonly idleBytes: number
}

class UnreadableFile extends Data.TaggedError("UnreadableFile")<{ readonly file: string; readonly cause: unknown }> {}

const turns = 3

/** Looked at after every part that was read: what the system counts as the peak includes the parent's at the fork. */
let peakBytes = 0
const onProgress = () =>
  Effect.sync(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
  })

const timed = Effect.fnUntraced(function* <E, R>(verification: Effect.Effect<verify.Verdict, E, R>) {
  // The machine code is made for the first entries, which a long log does not notice.
  yield* verification
  const rates: Array<number> = []
  let entries = 0
  for (let turn = 0; turn < turns; turn++) {
    const start = performance.now()
    const verdict = yield* verification
    if (verdict._tag === "Broken") throw new Error(verify.describe(verdict))
    entries = verdict.entries
    rates.push(entries / ((performance.now() - start) / 1_000))
  }
  return { entries, perSecond: median(rates) }
})

const fromPostgres = (url: string) =>
  Effect.gen(function* () {
    const chain = yield* AuditChain.AuditChain
    const head = yield* chain.head
    return yield* timed(verify.verifyEntries(chain.stream(), { head, onProgress }))
  }).pipe(Effect.provide(SqlAuditChain.layer.pipe(Layer.provide(Postgres.layer({ url: Redacted.make(url) })))))

const fromExport = (file: string) =>
  timed(
    Effect.suspend(() =>
      verify.verifyExport(
        Stream.fromAsyncIterable<Uint8Array, UnreadableFile>(
          createReadStream(file, { highWaterMark: 256 * 1024 }),
          (cause) => new UnreadableFile({ file, cause })
        ),
        { onProgress }
      )
    )
  )

const [kind, where = ""] = process.argv.slice(2)
const idleBytes = process.memoryUsage.rss()
const result =
  kind === "postgres" ? await Effect.runPromise(fromPostgres(where)) : await Effect.runPromise(fromExport(where))
const verified: Verified = { ...result, idleBytes, peakBytes }
console.log(JSON.stringify(verified))
