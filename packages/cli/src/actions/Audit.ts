/** `audit`: look into the log, take it along, and prove that nobody changed it. */
import * as verify from "@jitsudo/audit/verify"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { createReadStream } from "node:fs"
import { open, rename, rm } from "node:fs/promises"
import { randomBytes } from "node:crypto"
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Daemon from "../Daemon.ts"
import { Ended, Failure, failed, misused, reasonOf } from "../Failure.ts"
import * as HeadsSeen from "../HeadsSeen.ts"
import * as Instant from "../Instant.ts"
import { Io } from "../Io.ts"
import * as LiveLine from "../LiveLine.ts"
import { answer, answerList, say, warn } from "../Output.ts"
import { places } from "../Places.ts"
import { safe } from "../Terminal.ts"
import * as EntryView from "../views/EntryView.ts"

export interface QueryInput {
  readonly user: Option.Option<string>
  readonly action: Option.Option<string>
  readonly request: Option.Option<string>
  readonly provider: Option.Option<string>
  readonly outcome: Option.Option<"success" | "failure" | "refused">
  readonly since: Option.Option<string>
  readonly until: Option.Option<string>
  readonly limit: number
  readonly all: boolean
  readonly oldest: boolean
}

const instant = Effect.fn("audit.instant")(function* (flag: string, text: Option.Option<string>) {
  if (Option.isNone(text)) return undefined
  const parsed = Instant.parse(text.value, yield* Clock.currentTimeMillis)
  if (Result.isFailure(parsed)) return yield* misused(`--${flag} must be ${parsed.failure}`)
  return parsed.success
})

export const query = Effect.fn("audit.query")(function* (input: QueryInput) {
  const since = yield* instant("since", input.since)
  const until = yield* instant("until", input.until)
  const daemon = yield* Daemon.connect()
  const actor = Option.getOrUndefined(input.user)
  const action = Option.getOrUndefined(input.action)
  const requestId = Option.getOrUndefined(input.request)
  const provider = Option.getOrUndefined(input.provider)
  const outcome = Option.getOrUndefined(input.outcome)
  const filter = {
    ...(actor === undefined ? {} : { actor }),
    ...(action === undefined ? {} : { action }),
    ...(requestId === undefined ? {} : { requestId }),
    ...(provider === undefined ? {} : { provider }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(input.oldest ? { order: "oldest" as const } : {})
  }
  const found: Array<EntryView.EntryRead> = []
  let cursor: string | undefined
  do {
    const limit = input.all ? 500 : Math.min(500, input.limit - found.length)
    const page = yield* daemon.call((client) =>
      client.audit.query({ query: { ...filter, limit, ...(cursor === undefined ? {} : { cursor }) } })
    )
    found.push(...page.items.map(EntryView.read))
    cursor = page.nextCursor ?? undefined
  } while (cursor !== undefined && (input.all || found.length < input.limit))
  yield* answerEntries(found)
  if (cursor !== undefined) yield* say(`there are more: --limit ${input.limit * 2}, or --all`)
})

const answerEntries = (found: ReadonlyArray<EntryView.EntryRead>) =>
  answerList(found, {
    id: ({ seq }) => String(seq),
    columns: EntryView.columns,
    none: "no entries",
    forPrograms: EntryView.forPrograms
  })

export interface VerifyInput {
  readonly file: Option.Option<string>
  readonly heads: ReadonlyArray<string>
}

const progressOn = (line: LiveLine.LiveLine, total: number | undefined) => {
  let last = 0
  return ({ head }: verify.Progress) =>
    Effect.suspend(() => {
      // One line in a thousand entries: the terminal is slower than the verification.
      if (head.seq < last + 1000) return Effect.void
      last = head.seq
      const of = total === undefined ? "" : ` of ${total}`
      return line.show(() => ["verifying", `${head.seq}${of} entries`])
    })
}

const shown = Effect.fn("audit.shown")(function* (verdict: verify.Verdict) {
  const exit = verify.exitCodeOf(verdict)
  yield* answer(
    { ...verdict, exitCode: exit },
    {
      ids: () => (verdict._tag === "Intact" ? [`${verdict.head.seq}:${verdict.head.hash}`] : [`${verdict.seq}`]),
      text: (_, { paint }) => `${paint(safe(verify.describe(verdict)), verdict._tag === "Intact" ? "green" : "red")}\n`
    }
  )
  if (exit !== verify.exitCodes.intact) return yield* new Ended({ exit })
})

const fileBytes = (file: string): Stream.Stream<Uint8Array, Failure> =>
  NodeStream.fromReadable<Uint8Array, Failure>({
    evaluate: () => createReadStream(file, { highWaterMark: 256 * 1024 }),
    onError: (error) => failed(`cannot read ${file}: ${reasonOf(error)}`)
  })

const verifyFile = Effect.fn("audit.verifyFile")(function* (file: string, heads: ReadonlyArray<HeadsSeen.Head>) {
  const line = yield* LiveLine.make
  return yield* verify.verifyExport(fileBytes(file), { known: heads, onProgress: progressOn(line, undefined) })
}, Effect.scoped)

const verifyServer = Effect.fn("audit.verifyServer")(function* (heads: ReadonlyArray<HeadsSeen.Head>) {
  const daemon = yield* Daemon.connect()
  const seen = yield* HeadsSeen.load(daemon.server)
  const line = yield* LiveLine.make
  // Read first: what the daemon says its end is must then be in what it hands out.
  const claimed = yield* daemon.call((client) => client.audit.head({}))
  const known = [...heads, ...(seen === null ? [] : [seen]), ...(claimed.seq === 0 ? [] : [claimed])]
  const bytes = yield* daemon.call((client) => client.audit.export({ query: {} }))
  const verdict = yield* verify.verifyExport(
    Stream.mapError(bytes, (error) => failed(`the log broke off while it was read: ${reasonOf(error)}`, "try again")),
    { known, onProgress: progressOn(line, claimed.seq) }
  )
  if (verdict._tag === "Intact") yield* HeadsSeen.save(daemon.server, verdict.head)
  else if (seen !== null && (verdict.why === "truncated" || verdict.why === "head-mismatch")) {
    const file = (yield* places).head(daemon.server)
    yield* warn(
      `entry ${seen.seq} was seen here before, as ${file} says; only if this server was set up anew on purpose, remove that file`
    )
  }
  return verdict
}, Effect.scoped)

/** 0 intact, 1 tampered, 2 could not be checked, whatever the reason. */
export const verifyLog = Effect.fn("audit.verify")(function* (input: VerifyInput) {
  const verdict = yield* Effect.gen(function* () {
    const heads = yield* Effect.forEach(input.heads, HeadsSeen.parse)
    return yield* Option.match(input.file, {
      onNone: () => verifyServer(heads),
      onSome: (file) => verifyFile(file, heads)
    })
  }).pipe(
    Effect.catchTag("NotChecked", (error) => Effect.fail(failed(error.message))),
    Effect.catchTag("Failure", ({ details, document, hint, message }) =>
      Effect.fail(
        new Failure({
          exit: verify.exitCodes.notChecked,
          message: `could not be checked: ${message}`,
          ...(details === undefined ? {} : { details }),
          ...(document === undefined ? {} : { document }),
          ...(hint === undefined ? {} : { hint })
        })
      )
    )
  )
  yield* shown(verdict)
})

export interface ExportInput {
  readonly file: Option.Option<string>
  readonly from: Option.Option<number>
  readonly to: Option.Option<number>
}

/** Writes beside the file and puts it in place when it is whole: a cut-off export never looks like one. */
const writeWhole = <E>(file: string, bytes: Stream.Stream<Uint8Array, E>): Effect.Effect<void, E | Failure> => {
  const draft = `${file}.${randomBytes(4).toString("hex")}.part`
  const attempt = <A>(run: () => Promise<A>) =>
    Effect.tryPromise({ try: run, catch: (error) => failed(`cannot write ${file}: ${reasonOf(error)}`) })
  return Effect.acquireUseRelease(
    attempt(() => open(draft, "wx", 0o600)),
    (handle) =>
      Effect.gen(function* () {
        yield* Stream.runForEach(bytes, (part) => attempt(() => handle.writeFile(part)))
        yield* attempt(() => handle.sync())
        yield* attempt(() => rename(draft, file))
      }),
    (handle) =>
      Effect.promise(async () => {
        await handle.close()
        await rm(draft, { force: true })
      })
  )
}

export const exportLog = Effect.fn("audit.export")(function* (input: ExportInput) {
  const daemon = yield* Daemon.connect()
  const from = Option.getOrUndefined(input.from)
  const to = Option.getOrUndefined(input.to)
  const bytes = (yield* daemon.call((client) =>
    client.audit.export({ query: { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) } })
  )).pipe(Stream.mapError((error) => failed(`the log broke off while it was read: ${reasonOf(error)}`, "try again")))
  if (Option.isNone(input.file)) return yield* Stream.runForEach(bytes, (yield* Io).outBytes)
  yield* writeWhole(input.file.value, bytes)
  yield* say(`wrote ${input.file.value}; check it anywhere: jitsudo audit verify --file ${input.file.value}`)
})
