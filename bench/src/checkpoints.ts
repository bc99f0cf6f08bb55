/**
 * What signing costs: steps with two entries through the committer, with a signer at its daemon's pace beside them, against
 * the same without one, in turns; and how long after its acknowledgement an entry is under a signed checkpoint.
 *
 * What the turns without a signer left is signed before the next turn with one. Afterwards the tree that was signed is
 * compared with that of the pure library over the whole log.
 */
import { Frontier, Chain, Signer, VerifierKey } from "@jitsudo/audit"
import { AuditChain, AuditRecord, Ids, Records, Store, Time } from "@jitsudo/core"
import { Database, Signing } from "@jitsudo/server"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import * as BenchDatabase from "./BenchDatabase.ts"
import { closedLoop, inTurns, percentile, type Summary } from "./Load.ts"
import { atMost, ratioAtLeast, report, row, type Row } from "./Rows.ts"

const millis = process.env["JITSUDO_BENCH_FULL"] === "1" ? 10_000 : 3_000
const turns = 5
const writers = 32
/** As the daemon's. */
const everyMillis = 500

const random = (size: number) => randomBytes(size)
const now = (): Time.Time => Time.make(Date.now())

const measured = Effect.gen(function* () {
  const store = yield* Store.Store
  const chain = yield* AuditChain.AuditChain
  const { sql } = yield* Database.Database
  const directory = yield* BenchDatabase.directory
  const { privateKey } = yield* Signer.generate("bench.example.com/log", VerifierKey.noteType)
  const signer = yield* Signer.parse(privateKey)
  const { tick } = yield* Signing.make({ signer, stateFile: join(directory, "signed.json") })

  /** When each entry that is not signed yet was acknowledged. */
  const waiting = new Map<number, number>()
  const lags: Array<number> = []
  let ticking = 0
  let ticks = 0

  const step = Effect.fnUntraced(function* (note: boolean) {
    const at = now()
    const record = Records.plain(Records.systemActor, "config.loaded", "success", { of: Ids.make("ent", at, random) })
    const { entries } = yield* store.commit({
      id: Ids.make("stp", at, random),
      now: at,
      guards: [
        { kind: "locks", revision: 0 },
        { kind: "policy", revision: 0 }
      ],
      writes: [],
      entries: [yield* AuditRecord.draft(record, at), yield* AuditRecord.draft(record, at)],
      jobs: []
    })
    if (note) for (const { seq } of entries) waiting.set(seq, performance.now())
  })

  const timed = Effect.gen(function* () {
    const start = performance.now()
    const done = yield* tick
    ticking += performance.now() - start
    ticks++
    if (done.kind !== "signed") return false
    const signed = performance.now()
    for (const [seq, acknowledged] of waiting) {
      if (seq > done.checkpoint.size) continue
      lags.push(signed - acknowledged)
      waiting.delete(seq)
    }
    return done.behind > 0
  })
  const pace = Effect.forever(
    Effect.flatMap(timed, (more) => (more ? Effect.yieldNow : Effect.sleep(`${everyMillis} millis`)))
  )
  const caughtUp = Effect.gen(function* () {
    while ((yield* tick).kind === "signed") continue
  })

  const without = closedLoop(writers, millis, () => step(false))
  const signing = Effect.gen(function* () {
    yield* caughtUp
    const loop = yield* Effect.forkChild(pace, { startImmediately: true })
    const load = yield* closedLoop(writers, millis, () => step(true))
    while (waiting.size > 0) yield* Effect.sleep("10 millis")
    yield* Fiber.interrupt(loop)
    return load
  })
  yield* closedLoop(writers, millis / 3, () => step(false))
  const result = yield* inTurns(turns, without, signing)
  yield* caughtUp

  const tree = Frontier.make()
  yield* Stream.runForEach(chain.stream(), ({ payload }) => Effect.sync(() => tree.append(Chain.leafOf(payload))))
  const last = Option.getOrThrow(yield* Signing.latest(sql))
  if (last.size !== tree.size() || last.root !== tree.head().root) {
    throw new Error(`signed was ${last.size} ${last.root}, and the log is ${tree.size()} ${tree.head().root}`)
  }
  return { ...result, lags, tickMillis: ticking / ticks, entries: last.size }
})

interface Measured {
  readonly floor: Summary
  readonly subject: Summary
  readonly lags: ReadonlyArray<number>
  readonly tickMillis: number
  readonly entries: number
}

const rowsOf = (database: string, { floor, lags, subject, tickMillis }: Measured): ReadonlyArray<Row> => [
  row({
    row: 15,
    name: `chained step, ${database}, ${writers} writers, with checkpoints`,
    value: subject.perSecond,
    unit: "/s",
    floor: { name: "/s without", value: floor.perSecond },
    // The plan's row is of PostgreSQL. The embedded database shares its one thread with everything.
    ...(database === "PostgreSQL" ? { target: ratioAtLeast(0.95) } : {})
  }),
  row({
    row: 15,
    name: "  entry to checkpoint, longest",
    value: percentile(lags, 1),
    unit: "ms",
    target: atMost(1_000)
  }),
  row({ row: "-", name: "  one checkpoint", value: tickMillis, unit: "ms" })
]

const rows: Array<Row> = []
const notes: Array<string> = []
const details: Record<string, unknown> = {}
const take = (database: string, result: Measured): void => {
  rows.push(...rowsOf(database, result))
  notes.push(`${database}: ${result.entries} entries, all under a checkpoint whose root is the pure library's`)
  const { lags, ...rest } = result
  details[database] = { ...rest, lag: { p50: percentile(lags, 0.5), p99: percentile(lags, 0.99) } }
}

const postgres = Effect.gen(function* () {
  const server = yield* BenchDatabase.postgresServer
  const database = yield* BenchDatabase.fresh(server)
  return yield* Effect.provide(measured, BenchDatabase.onPostgres(database))
})
const pglite = Effect.gen(function* () {
  const directory = yield* BenchDatabase.directory
  return yield* Effect.provide(measured, BenchDatabase.onPglite(directory))
})

const onServer = await Effect.runPromise(Effect.scoped(postgres)).catch((error: unknown): undefined => {
  if (!(error instanceof BenchDatabase.NoPostgres)) throw error
  notes.push(`not measured on PostgreSQL: ${error.message}`)
})
if (onServer !== undefined) take("PostgreSQL", onServer)
take("PGlite", await Effect.runPromise(Effect.scoped(pglite)))
report("checkpoints", rows, { notes, details })
