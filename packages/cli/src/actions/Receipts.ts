/**
 * `audit receipt`, `audit checkpoint`, `audit keys`: evidence to take along and to check without the daemon.
 *
 * A file may hold several receipts, one behind the other; each is checked for itself. What the daemon hands out is held
 * against its own keys before it is kept, so that nobody takes home what proves nothing.
 */
import { LogKey, Receipt, type Checkpoint } from "@jitsudo/audit/verify"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import { readFile, rename, rm, writeFile } from "node:fs/promises"
import { randomBytes } from "node:crypto"
import * as Daemon from "../Daemon.ts"
import { Ended, Failure, failed, misused, reasonOf } from "../Failure.ts"
import { Io } from "../Io.ts"
import { answer, answerList, say } from "../Output.ts"
import { safe } from "../Terminal.ts"

/** As for `audit verify`: 0 proved, 1 it proves nothing, 2 it could not be checked. */
const exits = { refused: 1, notChecked: 2 } as const

export interface ReceiptInput {
  readonly id: string
  readonly seq: Option.Option<number>
  readonly file: Option.Option<string>
}

const keysOf = (text: string): Effect.Effect<ReadonlyArray<LogKey.LogKey>, Failure> =>
  Result.match(LogKey.parse(text), {
    onFailure: ({ message }) => Effect.fail(failed(`the daemon's keys cannot be read: ${message}`)),
    onSuccess: (keys) => Effect.succeed(keys)
  })

const seqsOf = Effect.fn("receipts.seqsOf")(function* (daemon: Daemon.Daemon, requestId: string) {
  const seqs: Array<number> = []
  let cursor: string | undefined
  do {
    const page = yield* daemon.call((client) =>
      client.audit.query({
        query: { requestId, order: "oldest", limit: 500, ...(cursor === undefined ? {} : { cursor }) }
      })
    )
    seqs.push(...page.items.map(({ seq }) => seq))
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined)
  return seqs
})

/** Puts the file in place when it is whole. */
const keep = (file: string, text: string) =>
  Effect.tryPromise({
    try: async () => {
      const draft = `${file}.${randomBytes(4).toString("hex")}.part`
      try {
        await writeFile(draft, text, { flag: "wx", mode: 0o600 })
        await rename(draft, file)
      } catch (error) {
        await rm(draft, { force: true })
        throw error
      }
    },
    catch: (error) => failed(`cannot write ${file}: ${reasonOf(error)}`)
  })

export const receipt = Effect.fn("audit.receipt")(function* ({ file, id, seq }: ReceiptInput) {
  const daemon = yield* Daemon.connect()
  const keys = yield* keysOf(yield* daemon.call((client) => client.audit.keys({})))
  const all = yield* seqsOf(daemon, id)
  const seqs = Option.match(seq, { onNone: () => all, onSome: (one) => all.filter((entry) => entry === one) })
  if (seqs.length === 0) {
    return yield* Option.match(seq, {
      onNone: () => failed(`no entry of ${id} that you may see`),
      onSome: (one) => failed(`entry ${one} is not about ${id}`, `its entries: jitsudo audit --request ${id}`)
    })
  }
  const texts = yield* Effect.forEach(seqs, (one) =>
    Effect.gen(function* () {
      const text = yield* daemon.call((client) => client.audit.receipt({ params: { seq: one } }))
      const proved = yield* Effect.mapError(Receipt.verify(text, { keys }), ({ message }) =>
        failed(`the daemon gave a receipt of entry ${one} that proves nothing: ${message}`, "tell an auditor")
      )
      return proved.seq === one
        ? text
        : yield* failed(`the daemon gave a receipt of entry ${proved.seq} for entry ${one}`, "tell an auditor")
    })
  )
  const whole = texts.join("")
  if (Option.isNone(file)) return yield* (yield* Io).out(whole)
  yield* keep(file.value, whole)
  const count = `${texts.length} receipt${texts.length === 1 ? "" : "s"}`
  yield* say(`wrote ${count} to ${file.value}; check anywhere: jitsudo audit receipt verify ${file.value} --key KEY`)
})

export interface VerifyInput {
  readonly file: string
  readonly keys: ReadonlyArray<string>
}

const notChecked = (message: string, hint?: string): Failure =>
  new Failure({
    exit: exits.notChecked,
    message: `could not be checked: ${message}`,
    ...(hint === undefined ? {} : { hint })
  })

/** The receipts of a file, each from its first line to the next one's. */
const receiptsIn = (text: string): ReadonlyArray<string> => text.split(/(?<=\n)(?=c2sp\.org\/tlog-proof@v1\n)/u)

interface Found {
  readonly proved: boolean
  readonly seq: number | null
  readonly message: string
  readonly payload: string | null
  readonly checkpoint: { readonly origin: string; readonly size: number } | null
}

const foundOf = (text: string, trust: Checkpoint.Trust): Effect.Effect<Found | "malformed"> =>
  Effect.map(Effect.result(Receipt.verify(text, trust)), (result) => {
    if (Result.isSuccess(result)) {
      const { checkpoint, payload, seq } = result.success
      const { origin, size } = checkpoint
      return { proved: true, seq, message: "is in the log", payload, checkpoint: { origin, size } }
    }
    if (result.failure.reason === "malformed") return "malformed"
    const seq = Result.match(Receipt.parse(text), { onFailure: () => null, onSuccess: (parsed) => parsed.seq })
    return { proved: false, seq, message: result.failure.message, payload: null, checkpoint: null }
  })

const verified = Effect.fn("receipts.verified")(function* ({ file, keys: typed }: VerifyInput) {
  if (typed.length === 0) return yield* misused("--key is missing: whose signature shall count?", "jitsudo audit keys")
  const keys: Array<LogKey.LogKey> = []
  for (const one of typed) {
    const parsed = LogKey.parse(one)
    if (Result.isFailure(parsed)) return yield* notChecked(`--key: ${parsed.failure.message}`)
    keys.push(...parsed.success)
  }
  const text = yield* Effect.tryPromise({
    try: () => readFile(file, "utf8"),
    catch: (error) => notChecked(`cannot read ${file}: ${reasonOf(error)}`)
  })
  return yield* Effect.forEach(receiptsIn(text), (one) =>
    Effect.flatMap(foundOf(one, { keys }), (found) =>
      found === "malformed"
        ? Effect.fail(notChecked(`${file} holds something that is no receipt`, "was it changed on its way?"))
        : Effect.succeed(found)
    )
  )
})

/** Without a daemon and without a network: 0 all are proved, 1 one is not, 2 it could not be checked. */
export const verifyReceipts = Effect.fn("audit.receipt.verify")(function* (input: VerifyInput) {
  const found = yield* verified(input)
  yield* answerList(found, {
    id: ({ seq }) => String(seq),
    none: "no receipt",
    columns: () => [
      { title: "SEQ", cell: ({ seq }) => String(seq ?? "") },
      {
        title: "PROVED",
        cell: ({ proved }) => ({ text: proved ? "yes" : "NO", style: proved ? "green" : "red" })
      },
      {
        title: "",
        cell: ({ checkpoint, message }) =>
          safe(checkpoint === null ? message : `${message} ${checkpoint.origin}, under ${checkpoint.size} entries`),
        flexible: true
      }
    ]
  })
  if (found.some(({ proved }) => !proved)) return yield* new Ended({ exit: exits.refused })
})

export const checkpoint = Effect.fn("audit.checkpoint")(function* () {
  const daemon = yield* Daemon.connect()
  const note = yield* daemon.call((client) => client.audit.checkpoint({}))
  yield* answer({ note }, { ids: (value) => [value.note.split("\n", 3).join(" ")], text: (value) => value.note })
})

export const keys = Effect.fn("audit.keys")(function* () {
  const daemon = yield* Daemon.connect()
  const text = yield* daemon.call((client) => client.audit.keys({}))
  const lines = (yield* keysOf(text)).map(LogKey.format)
  yield* answer(lines, { ids: (value) => value, text: (value) => value.map((line) => `${line}\n`).join("") })
})
