/**
 * The contract of `AuditChain` as cases: sentences that run. Entries come into being through the same store's `commit`.
 *
 * Every sentence of `AuditChain.ts` has a case here. What an edited log looks like to a verifier is `@jitsudo/audit`'s.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { type Entry, type EntryFilter, InvalidCursor, type Order } from "../AuditChain.ts"
import type { AuditRecord, EntryDraft } from "../AuditRecord.ts"
import * as ChainHasher from "../ChainHasher.ts"
import { keyOf } from "../Principal.ts"
import * as Times from "../Time.ts"
import { ana, ben, id, scout } from "./Fixtures.ts"
import { type Options, type Sentence, sentence, type StoreDesk, type Suite, suiteOf } from "./StoreDesk.ts"

const upTo = (n: number): ReadonlyArray<number> => Array.from({ length: n }, (_, index) => index + 1)

const seqs = (entries: ReadonlyArray<Entry>): ReadonlyArray<number> => entries.map((entry) => entry.seq)

/** Appends that many entries, one step each. */
const append = (desk: StoreDesk, count: number, more: (n: number) => Partial<AuditRecord> = () => ({})) =>
  Effect.forEach(upTo(count), (n) =>
    Effect.gen(function* () {
      const entry = yield* desk.entry(more(n))
      yield* desk.commit({ entries: [entry] })
      return entry
    })
  )

const everything = (desk: StoreDesk) => desk.chain.read({ limit: 1000, order: "oldest" })

/** Each entry has its number and is bound to the one before, as the format says. */
const linked = (desk: StoreDesk, entries: ReadonlyArray<Entry>) =>
  Effect.gen(function* () {
    const hasher = yield* ChainHasher.ChainHasher
    let prevHash = ChainHasher.genesis
    for (const [index, entry] of entries.entries()) {
      yield* desk.equal("the sequence number", entry.seq, index + 1)
      yield* desk.equal(`the predecessor of entry ${entry.seq}`, entry.prevHash, prevHash)
      const { hash } = yield* hasher.link(prevHash, entry.seq, entry.payload)
      yield* desk.equal(`the hash of entry ${entry.seq}`, entry.hash, hash)
      prevHash = entry.hash
    }
  }).pipe(Effect.provide(ChainHasher.layer))

const asDrafted = ({ id, payload, texts }: EntryDraft | Entry) => ({
  id,
  payload,
  texts: [...texts].sort((a, b) => (a.hash < b.hash ? -1 : 1))
})

const sentences: ReadonlyArray<Sentence> = [
  sentence("the head of an empty log is 0 and 64 zeros, and there is nothing to read", (desk) =>
    Effect.gen(function* () {
      yield* desk.equal("the head", yield* desk.chain.head, { seq: 0, hash: "0".repeat(64) })
      yield* desk.equal("entries", yield* everything(desk), [])
      const page = yield* desk.chain.query({ filter: {}, limit: 10, order: "newest" })
      yield* desk.equal("a page", page, { items: [], nextCursor: null })
      yield* desk.equal("the stream", yield* Stream.runCollect(desk.chain.stream()), [])
    })
  ),

  sentence("entries are numbered from 1 without gaps, each bound to the one before, as the receipts say", (desk) =>
    Effect.gen(function* () {
      const receipts = yield* Effect.forEach([1, 3, 0, 2], (count) =>
        Effect.gen(function* () {
          const entries = yield* Effect.forEach(upTo(count), () => desk.entry())
          return (yield* desk.commit({ entries })).entries
        })
      )
      const entries = yield* everything(desk)
      yield* linked(desk, entries)
      yield* desk.equal(
        "receipts",
        receipts.flat(),
        entries.map(({ seq, hash }) => ({ seq, hash }))
      )
      yield* desk.equal("the head", yield* desk.chain.head, receipts.flat().at(-1))
      yield* desk.equal("the number of entries", entries.length, 6)
    })
  ),

  sentence("fifty steps at the same time take the numbers without a gap, each step's entries side by side", (desk) =>
    Effect.gen(function* () {
      const steps = yield* Effect.forEach(upTo(50), (n) =>
        Effect.flatMap(
          Effect.forEach(upTo((n % 3) + 1), () => desk.entry()),
          (entries) => desk.step({ entries })
        )
      )
      const receipts = yield* Effect.forEach(steps, desk.store.commit, { concurrency: "unbounded" })
      const entries = yield* everything(desk)
      yield* linked(desk, entries)
      const total = steps.reduce((sum, step) => sum + step.entries.length, 0)
      yield* desk.equal("the number of entries", entries.length, total)
      for (const [index, { entries: given }] of receipts.entries()) {
        const from = given[0]?.seq ?? 0
        yield* desk.equal(
          "a step's numbers",
          given.map((one) => one.seq),
          given.map((_, n) => from + n)
        )
        const stored = entries.slice(from - 1, from - 1 + given.length)
        yield* desk.equal(
          "a step's entries",
          stored.map((one) => one.id),
          steps[index]?.entries.map((one) => one.id)
        )
      }
    })
  ),

  sentence("a step that loses its race takes no number", (desk) =>
    Effect.gen(function* () {
      yield* append(desk, 1)
      const entries = [yield* desk.entry(), yield* desk.entry()]
      yield* desk.loses(
        { entries, guards: [{ kind: "policy", revision: 9 }] },
        { kind: "policy", id: "policy" },
        "first"
      )
      yield* append(desk, 1)
      const read = yield* everything(desk)
      yield* linked(desk, read)
      yield* desk.equal("the number of entries", read.length, 2)
    })
  ),

  sentence("an entry is read as it was drafted, byte for byte, with its texts", (desk) =>
    Effect.gen(function* () {
      const strange = 'ä € 😀 \u2028 " \\ / \u007f \t\n'
      const drafts = [
        yield* desk.entry(),
        yield* desk.entry({ details: { text: strange, big: 1e21, small: 5e-324, list: [[], {}, null, -0.5] } }),
        yield* desk.entry({ texts: { reason: strange, comment: "short", empty: "" } })
      ]
      yield* desk.commit({ entries: drafts })
      const read = yield* everything(desk)
      yield* desk.equal("entries", read.map(asDrafted), drafts.map(asDrafted))
      for (const [index, draft] of drafts.entries()) {
        yield* desk.expect(read[index]?.payload === draft.payload, draft.payload, read[index]?.payload)
      }
    })
  ),

  sentence("a text is found by its hash, and by nothing else", (desk) =>
    Effect.gen(function* () {
      const entry = yield* desk.entry({ texts: { reason: "same words", comment: "same words" } })
      yield* desk.commit({ entries: [entry, yield* desk.entry()] })
      for (const text of entry.texts) {
        yield* desk.equal("the text", yield* desk.chain.text(text.hash), Option.some(text))
      }
      yield* desk.equal("an unknown text", yield* desk.chain.text("f".repeat(64)), Option.none())
      yield* desk.equal("something that is no hash", yield* desk.chain.text("'; --"), Option.none())
    })
  ),

  sentence("a range is read in both orders, clipped to the log and to the limit", (desk) =>
    Effect.gen(function* () {
      yield* append(desk, 7)
      const ranges: ReadonlyArray<readonly [Parameters<StoreDesk["chain"]["read"]>[0], ReadonlyArray<number>]> = [
        [{ limit: 100, order: "oldest" }, [1, 2, 3, 4, 5, 6, 7]],
        [{ limit: 100, order: "newest" }, [7, 6, 5, 4, 3, 2, 1]],
        [{ from: 3, to: 5, limit: 100, order: "oldest" }, [3, 4, 5]],
        [{ from: 3, to: 5, limit: 100, order: "newest" }, [5, 4, 3]],
        [{ from: 3, limit: 2, order: "oldest" }, [3, 4]],
        [{ to: 5, limit: 2, order: "newest" }, [5, 4]],
        [{ from: -3, to: 2, limit: 100, order: "oldest" }, [1, 2]],
        [{ from: 6, to: 99, limit: 100, order: "newest" }, [7, 6]],
        [{ from: 8, limit: 100, order: "oldest" }, []],
        [{ from: 5, to: 4, limit: 100, order: "oldest" }, []]
      ]
      for (const [range, expected] of ranges) {
        yield* desk.equal(JSON.stringify(range), seqs(yield* desk.chain.read(range)), expected)
      }
    })
  ),

  sentence("a stream gives every entry of a range once, oldest first, and ends at the head it began with", (desk) =>
    Effect.gen(function* () {
      yield* append(desk, 12)
      const collect = (range?: { readonly from?: number; readonly to?: number }) =>
        Effect.map(Stream.runCollect(desk.chain.stream(range)), seqs)
      yield* desk.equal("the whole", yield* collect(), upTo(12))
      yield* desk.equal("a range", yield* collect({ from: 4, to: 6 }), [4, 5, 6])
      yield* desk.equal("from an entry on", yield* collect({ from: 11 }), [11, 12])
      yield* desk.equal("beyond the head", yield* collect({ from: 13 }), [])
      const appending = Stream.mapEffect(desk.chain.stream(), (entry) => Effect.as(append(desk, 1), entry.seq))
      yield* desk.equal("while others append", yield* Stream.runCollect(Stream.take(appending, 40)), upTo(12))
      yield* desk.equal("the head", (yield* desk.chain.head).seq, 24)
    })
  ),

  sentence("entries are found by every filter, and by all that are given at once", (desk) =>
    Effect.gen(function* () {
      const actor = { issuer: ben.issuer, subject: "ben", email: ben.email, kind: "human" } as const
      const agent = { issuer: scout.issuer, subject: "scout", email: null, kind: "agent" } as const
      const request = id("req", 7)
      const changes: ReadonlyArray<Partial<AuditRecord>> = [
        {},
        { actor },
        { actor: agent },
        { action: "request.created", outcome: "success" },
        { action: "grant.issued", outcome: "success", requestId: request, provider: "mock" },
        { action: "grant.failed", outcome: "failure", requestId: request, provider: "aws" }
      ]
      const started = yield* desk.now
      for (const more of changes.slice(0, 3)) yield* append(desk, 1, () => more)
      yield* desk.pass(100)
      const middle = yield* desk.now
      for (const more of changes.slice(3)) yield* append(desk, 1, () => more)
      const end = Times.plusSeconds(yield* desk.now, 100)
      const cases: ReadonlyArray<readonly [EntryFilter, ReadonlyArray<number>]> = [
        [{}, [1, 2, 3, 4, 5, 6]],
        [{ actor: "ben@example.com" }, [2]],
        [{ actor: keyOf(ben) }, [2]],
        [{ actor: keyOf(scout) }, [3]],
        [{ actor: ana.email ?? "" }, [1, 4, 5, 6]],
        [{ actor: "nobody@example.com" }, []],
        [{ action: "request.created" }, [4]],
        [{ requestId: request }, [5, 6]],
        [{ provider: "aws" }, [6]],
        [{ outcome: "refused" }, [1, 2, 3]],
        [{ since: middle }, [4, 5, 6]],
        [{ until: middle }, [1, 2, 3]],
        [{ since: started, until: end }, [1, 2, 3, 4, 5, 6]],
        [{ since: end }, []],
        [{ requestId: request, outcome: "failure", actor: keyOf(ana) }, [6]]
      ]
      for (const [filter, expected] of cases) {
        const oldest = yield* desk.chain.query({ filter, limit: 50, order: "oldest" })
        yield* desk.equal(JSON.stringify(filter), seqs(oldest.items), expected)
        const newest = yield* desk.chain.query({ filter, limit: 50, order: "newest" })
        yield* desk.equal(`${JSON.stringify(filter)}, newest first`, seqs(newest.items), [...expected].reverse())
      }
    })
  ),

  sentence("pages of a listing neither repeat nor drop an entry while others are appended", (desk) =>
    Effect.gen(function* () {
      const odd = (n: number): Partial<AuditRecord> => ({ provider: n % 2 === 1 ? "mock" : "aws" })
      yield* append(desk, 14, odd)
      const expected = { newest: [13, 11, 9, 7, 5, 3, 1], oldest: [1, 3, 5, 7, 9, 11, 13] }
      for (const order of ["newest", "oldest"] as const satisfies ReadonlyArray<Order>) {
        const found: Array<number> = []
        let cursor: string | undefined
        for (let pages = 1; ; pages++) {
          const page = yield* desk.chain.query({
            filter: { provider: "mock" },
            limit: 3,
            order,
            ...(cursor === undefined ? {} : { cursor })
          })
          found.push(...seqs(page.items))
          yield* append(desk, 1, () => ({ provider: order === "newest" ? "mock" : "aws" }))
          if (page.nextCursor === null) break
          yield* desk.expect(page.items.length === 3 && pages < 20, "full pages, and an end", page)
          cursor = page.nextCursor
        }
        const before = found.filter((seq) => seq <= 14)
        yield* desk.equal(`${order} first`, before, expected[order])
        if (order === "newest") yield* desk.equal("only what was there", found.length, before.length)
        yield* desk.equal("every entry once", new Set(found).size, found.length)
      }
    })
  ),

  sentence("a cursor that was not given for this order is refused", (desk) =>
    Effect.gen(function* () {
      yield* append(desk, 4)
      const page = yield* desk.chain.query({ filter: {}, limit: 2, order: "newest" })
      const foreign: ReadonlyArray<readonly [string, Order]> = [
        ["elsewhere", "newest"],
        ["", "oldest"],
        ["2", "newest"],
        ["-1", "oldest"],
        [page.nextCursor ?? "", "oldest"]
      ]
      for (const [cursor, order] of foreign) {
        const refused = yield* Effect.match(desk.chain.query({ filter: {}, limit: 2, order, cursor }), {
          onSuccess: () => false,
          onFailure: (error) => error instanceof InvalidCursor && error.cursor === cursor
        })
        yield* desk.expect(refused, `the cursor "${cursor}" to be refused for the ${order} first`, "an answer")
      }
    })
  ),

  sentence("where columns are given they agree with the payload", (desk) =>
    Effect.gen(function* () {
      yield* append(desk, 1, () => ({
        actor: { issuer: "i", subject: "s", email: null, kind: "agent" },
        action: "grant.issued",
        outcome: "success",
        requestId: id("req", 1),
        provider: "mock",
        role: "reader",
        resourceScope: "project/checkout"
      }))
      yield* append(desk, 1)
      for (const entry of yield* everything(desk)) {
        const said = JSON.parse(entry.payload)
        const { issuer, subject, email, kind } = said.actor
        const expected = { ...said, actorIssuer: issuer, actorSubject: subject, actorEmail: email, actorKind: kind }
        for (const [name, value] of Object.entries(entry.columns ?? {})) {
          yield* desk.equal(`the column ${name} of entry ${entry.seq}`, value, expected[name])
        }
      }
    })
  )
]

/** The contract for the implementation behind a layer. */
export const suite = (options: Options): Suite => suiteOf(sentences, options)
