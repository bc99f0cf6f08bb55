import { assert, describe, it } from "@effect/vitest"
import type { AuditChain } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { genesis } from "../src/Chain.ts"
import { encode } from "../src/Export.ts"
import type { Evidence, Options, Verdict, Why } from "../src/verify.ts"
import { describe as inWords, exitCodeOf, exitCodes, verifyEntries, verifyExport } from "../src/verify.ts"
import { honestLog, linked } from "./vectors/Log.ts"

const headOf = ({ seq, hash }: Evidence): AuditChain.Head => ({ seq, hash })

const at = (log: ReadonlyArray<Evidence>, seq: number): Evidence =>
  log[seq - 1] ?? assert.fail(`the log has no entry ${seq}`)

const online = (entries: ReadonlyArray<Evidence>, options: Options & { head?: AuditChain.Head } = {}) =>
  verifyEntries(Stream.fromArray(entries).pipe(Stream.rechunk(2)), options)

const offline = (start: AuditChain.Head, entries: ReadonlyArray<Evidence>, options: Options = {}) =>
  verifyExport(encode(start, Stream.fromArray(entries)).pipe(Stream.map((text) => Buffer.from(text))), options)

const empty = { seq: 0, hash: genesis }

const assertBroken = (verdict: Verdict, seq: number, why: Why) => {
  if (verdict._tag === "Intact") return assert.fail(inWords(verdict))
  assert.deepStrictEqual({ seq: verdict.seq, why: verdict.why }, { seq, why })
}

describe("entries from a daemon", () => {
  it.effect("verify up to the head that was read before them", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const head = headOf(at(log, 10))
      assert.deepStrictEqual(yield* online(log, { head }), {
        _tag: "Intact",
        from: 1,
        to: 10,
        head,
        entries: 10,
        texts: 3,
        redacted: 0,
        heads: 0
      })
      assertBroken(yield* online(log.slice(0, 9), { head }), 10, "truncated")
      assertBroken(yield* online([], { head }), 1, "truncated")
    })
  )

  it.effect("that cannot be read give no verdict", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const error = yield* Effect.flip(verifyEntries(Stream.concat(Stream.fromArray(log), Stream.fail("gone"))))
      assert.strictEqual(error, "gone")
    })
  )

  it.effect("are not read beyond the first that is wrong", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const removed = Stream.fromArray([at(log, 1), { ...at(log, 2), prevHash: genesis }])
      assertBroken(yield* verifyEntries(Stream.concat(removed, Stream.die("read on"))), 2, "prev-mismatch")
    })
  )

  it.effect("with a position that is none are malformed", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      for (const seq of [0, -1, 1.5, Number.NaN, 2 ** 53]) {
        assertBroken(yield* online([at(log, 1), { ...at(log, 2), seq }]), 2, "malformed")
      }
    })
  )

  it.effect("that lack one tell it from one displaced, within a thousand entries", () =>
    Effect.gen(function* () {
      const [one] = yield* honestLog
      if (one === undefined) return assert.fail("no log")
      const long = linked(Array.from({ length: 2_500 }, () => one))
      const without = long.toSpliced(9, 1)
      assertBroken(yield* online(without), 10, "missing")
      assertBroken(yield* online(without.toSpliced(900, 0, at(long, 10))), 10, "reordered")
      assertBroken(yield* online(without.toSpliced(2_400, 0, at(long, 10))), 10, "missing")
    })
  )
})

describe("columns", () => {
  const columns: Required<AuditChain.EntryColumns> = {
    time: "2026-11-23T09:30:06.500000Z",
    actorIssuer: "https://id.example.com",
    actorSubject: "00u1alice",
    actorEmail: "alice@example.com",
    actorKind: "human",
    action: "request.created",
    outcome: "success",
    requestId: "req_01J8KZ4F2EMNQZ3V7XKQYBD4WR",
    provider: "aws",
    role: "ProductionAdmin",
    resourceScope: "123456789012"
  }

  it.effect("that say what the payload says are right, all or some", () =>
    Effect.gen(function* () {
      const log: ReadonlyArray<Evidence> = (yield* honestLog).slice(0, 2)
      for (const some of [columns, { action: columns.action }, {}]) {
        const verdict = yield* online(log.with(1, { ...at(log, 2), columns: some }))
        assert.strictEqual(verdict._tag, "Intact")
      }
    })
  )

  for (const name of Object.keys(columns)) {
    it.effect(`${name} is compared`, () =>
      Effect.gen(function* () {
        const log: ReadonlyArray<Evidence> = (yield* honestLog).slice(0, 2)
        for (const value of ["other", null]) {
          const verdict = yield* online(log.with(1, { ...at(log, 2), columns: { ...columns, [name]: value } }))
          assertBroken(verdict, 2, "columns-disagree")
          assert.include(inWords(verdict), name)
        }
      })
    )
  }

  it.effect("that this verifier does not know are not passed over", () =>
    Effect.gen(function* () {
      const log: ReadonlyArray<Evidence> = (yield* honestLog).slice(0, 2)
      const more = { ...columns, severity: "high" }
      assertBroken(yield* online(log.with(1, { ...at(log, 2), columns: more })), 2, "columns-disagree")
    })
  )
})

describe("a verification that goes on", () => {
  it.effect("checks what is new, and that the old end is still there", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const resume = headOf(at(log, 6))
      const expected = { _tag: "Intact", from: 7, to: 10, entries: 4, head: headOf(at(log, 10)) } as const
      assert.deepInclude(yield* online(log.slice(5), { resume }), expected)
      assert.deepInclude(yield* online(log, { resume }), expected)
      assert.deepInclude(yield* offline(empty, log, { resume }), expected)
      assert.deepInclude(yield* offline(resume, log.slice(6), { resume }), expected)
      assert.deepInclude(yield* online(log.slice(0, 6), { resume }), { _tag: "Intact", from: 7, to: 6, entries: 0 })
      assert.deepInclude(yield* online(log, { resume: empty }), { _tag: "Intact", from: 1, entries: 10 })
    })
  )

  it.effect("notices that the old end is gone or another", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const resume = headOf(at(log, 6))
      const other = { seq: 6, hash: at(log, 5).hash }
      assertBroken(yield* online(log.slice(0, 4), { resume }), 6, "truncated")
      assertBroken(yield* online(log.slice(6), { resume }), 6, "missing")
      assertBroken(yield* online(log, { resume: other }), 6, "head-mismatch")
      assertBroken(yield* offline(resume, log.slice(6), { resume: other }), 6, "head-mismatch")
      assertBroken(yield* offline(empty, log.slice(0, 4), { resume }), 6, "truncated")
    })
  )

  it.effect("cannot begin behind its point", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const error = yield* Effect.flip(offline(headOf(at(log, 6)), log.slice(6), { resume: headOf(at(log, 3)) }))
      assert.strictEqual(error.reason, "unconnected")
      assert.include(error.message, "export from 3 or earlier")
    })
  )
})

describe("a head seen earlier", () => {
  it.effect("must be found, wherever it stands", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      for (const seq of [4, 7, 10]) {
        const known = [headOf(at(log, seq))]
        assert.deepInclude(yield* online(log, { known }), { _tag: "Intact", heads: 1 })
        assertBroken(yield* online(log, { known: [{ seq, hash: at(log, 1).hash }] }), seq, "head-mismatch")
        assertBroken(yield* online(log.slice(0, seq - 1), { known }), seq, "truncated")
      }
      assert.deepInclude(yield* online(log, { known: [empty] }), { _tag: "Intact", heads: 1 })
    })
  )

  it.effect("is held against the point where the evidence begins, too", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const start = headOf(at(log, 4))
      const wrong = { seq: 4, hash: at(log, 5).hash }
      assert.deepInclude(yield* offline(start, log.slice(4), { known: [start] }), { _tag: "Intact", heads: 1 })
      assertBroken(yield* offline(start, log.slice(4), { known: [wrong] }), 4, "head-mismatch")
      assertBroken(yield* offline(start, [], { known: [wrong] }), 4, "head-mismatch")
      assertBroken(yield* online(log, { resume: start, known: [wrong] }), 4, "head-mismatch")
    })
  )

  it.effect("before that point is not claimed to have been found", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const known = [headOf(at(log, 2))]
      const verdict = yield* offline(headOf(at(log, 4)), log.slice(4), { known })
      assert.deepInclude(verdict, { _tag: "Intact", heads: 0 })
    })
  )

  it.effect("that contradicts another breaks any log", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const known = [headOf(at(log, 7)), { seq: 7, hash: at(log, 1).hash }]
      assertBroken(yield* online(log, { known }), 7, "head-mismatch")
      assertBroken(yield* online(log, { known: known.toReversed() }), 7, "head-mismatch")
    })
  )
})

it.effect("progress is told by part, with the bytes read", () =>
  Effect.gen(function* () {
    const log = yield* honestLog
    const told: Array<number> = []
    let bytes = 0
    yield* online(log, { onProgress: ({ head }) => Effect.sync(() => told.push(head.seq)) })
    yield* offline(empty, log, { onProgress: (progress) => Effect.sync(() => (bytes = progress.bytes)) })
    assert.deepStrictEqual(told, [2, 4, 6, 8, 10])
    assert.isAbove(bytes, 5_000)
  })
)

describe("the answer", () => {
  it.effect("is a sentence and an exit code", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const intact = yield* online([...log.slice(0, 1), { ...at(log, 2), texts: [] }])
      const hash = at(log, 2).hash
      assert.strictEqual(inWords(intact), `Chain intact: 2 events verified, 1 text redacted; head 2:${hash}`)
      assert.strictEqual(exitCodeOf(intact), 0)
      const broken = yield* online(log.toSpliced(4, 1))
      assert.strictEqual(inWords(broken), "Chain broken: entry 5 is missing (missing): expected entry 5, found entry 6")
      assert.strictEqual(exitCodeOf(broken), 1)
      assert.strictEqual(exitCodes.notChecked, 2)
    })
  )

  it.effect("shows no more than 200 characters of what it found", () =>
    Effect.gen(function* () {
      const log = yield* honestLog
      const verdict = yield* online([{ ...at(log, 1), prevHash: "x".repeat(10_000) }])
      if (verdict._tag === "Intact") return assert.fail("intact")
      assert.strictEqual(verdict.found.length, 200)
    })
  )
})
