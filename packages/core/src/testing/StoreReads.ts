/** What every store keeps when it is read: sentences of the Store contract. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import type { PolicySource } from "../PolicySet.ts"
import { keyOf, type Principal } from "../Principal.ts"
import type { Asked, Request, RequestId } from "../Request.ts"
import { states } from "../Request.ts"
import type { Change, FactsQuery, Page, RequestFilter, StoreError } from "../Store.ts"
import * as Times from "../Time.ts"
import type { ContractViolation } from "./ContractViolation.ts"
import * as Fixtures from "./Fixtures.ts"
import { type Sentence, sentence, type StoreDesk } from "./StoreDesk.ts"

const { ana, ben, cleo, scout, stray, monday, pending } = Fixtures

const later = (seconds: number): Times.Time => Times.plusSeconds(monday, seconds)

const idsOf = (requests: ReadonlyArray<{ readonly id: RequestId }>): ReadonlyArray<RequestId> =>
  requests.map((one) => one.id)

/** A request of somebody with a number, created that many seconds after Monday's start. */
const numbered = (n: number, more: Partial<Request> = {}): Request =>
  pending({ id: Fixtures.id("req", n), createdAt: later(n), updatedAt: later(n), ...more })

const asking = (more: Partial<Asked>): Asked => ({ ...Fixtures.asked, ...more })

/** All pages of a listing, with what happens between them. */
const allPages = <A>(
  desk: StoreDesk,
  read: (cursor: string | undefined) => Effect.Effect<Page<A>, StoreError>,
  between: (page: number) => Effect.Effect<unknown, StoreError | ContractViolation> = () => Effect.void
) =>
  Effect.gen(function* () {
    const pages: Array<ReadonlyArray<A>> = []
    let cursor: string | undefined
    for (;;) {
      const page = yield* read(cursor)
      pages.push(page.items)
      if (page.nextCursor === null) return pages
      yield* desk.expect(pages.length < 50, "the listing to end", `${pages.length} pages`)
      yield* between(pages.length)
      cursor = page.nextCursor
    }
  })

const writeAll = (desk: StoreDesk, principals: ReadonlyArray<Principal>) => desk.see(...principals)

const orDie = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A> => Effect.orDie(effect)

const ended = (n: number, more: Partial<Request>) => numbered(n, { outcome: "over", ...more })

export const reads: ReadonlyArray<Sentence> = [
  sentence("a request is read as it was written, in every state", (desk) =>
    Effect.gen(function* () {
      yield* desk.equal("an unknown request", yield* desk.store.request(Fixtures.id("req", 99)), Option.none())
      yield* desk.equal("the unknown in facts", (yield* desk.store.facts({ requestId: "req_x" })).request ?? null, null)
      const strange = numbered(50, {
        asked: asking({ reason: "ä € 😀 \"'\\ -- ; $1 \n\t", metadata: { "": "", "a b": "{}", __proto: "[]" } }),
        labels: { n: 1.5, list: [null, { deep: [[]] }], big: 2 ** 53 - 1, small: -0.25 }
      })
      for (const request of [...states.map((state) => Fixtures.inState[state]), strange]) {
        const [written] = yield* desk.put(request)
        yield* desk.equal(request.state, yield* desk.request(request.id), written)
        yield* desk.equal(
          `${request.state} in facts`,
          (yield* desk.store.facts({ requestId: request.id })).request,
          written
        )
      }
    })
  ),

  sentence("now is the store's clock and goes on", (desk) =>
    Effect.gen(function* () {
      const before = yield* desk.now
      yield* desk.pass(90)
      const after = yield* desk.now
      yield* desk.expect(after - before >= 90_000, "at least 90 s to have passed", after - before)
      yield* desk.expect(after - before < 150_000, "not much more than 90 s to have passed", after - before)
    })
  ),

  sentence("facts hold principals with their owners and the owners of these, and nobody unknown", (desk) =>
    Effect.gen(function* () {
      const grandchild: Principal = { ...stray, subject: "grandchild", owner: Fixtures.keyFor(scout) }
      const [one, two] = [
        { ...stray, subject: "circle-1", owner: { issuer: stray.issuer, subject: "circle-2" } },
        { ...stray, subject: "circle-2", owner: { issuer: stray.issuer, subject: "circle-1" } }
      ]
      const orphan: Principal = { ...stray, subject: "orphan", owner: { issuer: "x", subject: "nobody" } }
      yield* writeAll(desk, [ana, ben, scout, grandchild, one, two, orphan])
      const seen = (query: FactsQuery) =>
        Effect.map(desk.store.facts(query), (facts) => [...facts.principals].sort(([a], [b]) => (a < b ? -1 : 1)))
      const expected = (...principals: ReadonlyArray<Principal>) =>
        principals
          .map((one) => [keyOf(one), { ...one, version: 1 }])
          .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
      yield* desk.equal("nobody asked for", yield* seen({}), [])
      yield* desk.equal("somebody unknown", yield* seen({ principals: [cleo] }), [])
      yield* desk.equal("a person", yield* seen({ principals: [ben] }), expected(ben))
      yield* desk.equal("owners", yield* seen({ principals: [grandchild, ben] }), expected(grandchild, scout, ana, ben))
      yield* desk.equal("owners in a circle", yield* seen({ principals: [one] }), expected(one, two))
      yield* desk.equal("an unknown owner", yield* seen({ principals: [orphan] }), expected(orphan))
    })
  ),

  sentence("facts hold the deciders of a request where asked for", (desk) =>
    Effect.gen(function* () {
      yield* writeAll(desk, [ana, ben, scout, cleo])
      const decided = numbered(1, {
        decisions: [
          Fixtures.decision("approve"),
          Fixtures.decision("approve", { by: Fixtures.requester(scout) }),
          Fixtures.decision("approve", { by: { policy: "auto" } })
        ]
      })
      yield* desk.put(decided)
      const seen = (query: FactsQuery) =>
        Effect.map(desk.store.facts(query), (facts) => [...facts.principals.keys()].sort())
      yield* desk.equal("without", yield* seen({ requestId: decided.id }), [])
      yield* desk.equal(
        "with",
        yield* seen({ requestId: decided.id, withDeciders: true, principals: [cleo] }),
        [ana, ben, cleo, scout].map(keyOf).sort()
      )
    })
  ),

  sentence("facts hold the requester's active grants, whatever the role, and nobody else's", (desk) =>
    Effect.gen(function* () {
      const active = (n: number, more: Partial<Request> = {}) =>
        numbered(n, { state: "ACTIVE", grant: Fixtures.grant(monday), ...more })
      const [mine, other, foreign] = [
        active(1),
        active(2, { asked: asking({ role: "owner", provider: "aws" }) }),
        active(3, { requester: Fixtures.requester(ben) })
      ]
      const [written, second] = yield* desk.put(
        mine,
        other,
        foreign,
        ...states
          .filter((state) => state !== "ACTIVE")
          .map((state) => Fixtures.inState[state])
          .map((request, n) => ({ ...request, id: Fixtures.id("req", 20 + n) }))
      )
      const history = {
        principal: Fixtures.keyFor(ana),
        provider: "mock",
        role: "reader",
        resourceScope: "project/checkout"
      }
      yield* desk.equal("active grants", (yield* desk.store.facts({ history })).activeGrants, [written, second])
      yield* desk.equal("without history", (yield* desk.store.facts({})).activeGrants, [])
    })
  ),

  sentence("facts hold what the requester held of this role and scope, from grant to end", (desk) =>
    Effect.gen(function* () {
      const history = {
        principal: Fixtures.keyFor(ana),
        provider: "mock",
        role: "reader",
        resourceScope: "project/checkout"
      }
      const ending = (since: number, why: "expired" | "revoked" = "revoked") =>
        Fixtures.ending(Fixtures.active(), why, { since: later(since) }).ending
      const hour = (from: number) => Fixtures.grant(later(from))
      const all: ReadonlyArray<Request> = [
        numbered(1, { state: "ACTIVE", grant: hour(50_000) }),
        ended(2, { state: "EXPIRED", grant: hour(10_000), ending: ending(13_605, "expired") }),
        ended(3, { state: "REVOKED", grant: hour(20_000), ending: ending(20_600) }),
        numbered(4, { state: "ENDING", grant: hour(30_000), ending: ending(30_600) }),
        ended(5, {
          state: "FAILED",
          grant: Fixtures.grant(later(40_000), { issuedAt: null, notAfter: null }),
          ending: ending(40_100)
        }),
        numbered(6),
        numbered(7, { state: "ACTIVE", grant: hour(0), asked: asking({ role: "owner" }) }),
        numbered(8, { state: "ACTIVE", grant: hour(0), asked: asking({ provider: "aws" }) }),
        numbered(9, { state: "ACTIVE", grant: hour(0), asked: asking({ resourceScope: "project/other" }) }),
        numbered(10, { state: "ACTIVE", grant: hour(0), requester: Fixtures.requester(ben) })
      ]
      yield* desk.put(...all)
      yield* desk.equal("held", (yield* desk.store.facts({ history })).held, [
        { from: later(10_000), to: later(13_600) },
        { from: later(20_000), to: later(20_600) },
        { from: later(30_000), to: later(33_600) },
        { from: later(50_000), to: later(53_600) }
      ])
      yield* desk.equal("without history", (yield* desk.store.facts({})).held, [])
    })
  ),

  sentence("locks are what was set and not lifted, each change under a new revision", (desk) =>
    Effect.gen(function* () {
      const found = Effect.map(desk.store.locks, ({ revision, active }) => ({
        revision,
        active: [...active].sort((a, b) => (a.id < b.id ? -1 : 1))
      }))
      const { ana: person, mock, readers, everything } = Fixtures.locks
      yield* desk.equal("at first", yield* found, { revision: 0, active: [] })
      for (const lock of [person, mock, readers, everything]) yield* desk.commit({ writes: [{ kind: "lock", lock }] })
      yield* desk.equal("set", yield* found, { revision: 4, active: [person, mock, readers, everything] })
      yield* desk.commit({ writes: [{ kind: "unlock", id: mock.id }] })
      yield* desk.equal("lifted", yield* found, { revision: 5, active: [person, readers, everything] })
      yield* desk.equal("in facts", (yield* desk.store.facts({})).locks, yield* desk.store.locks)
      yield* desk.put(pending())
      yield* desk.equal("after another step", (yield* desk.store.locks).revision, 5)
    })
  ),

  sentence("each revision of the policies stays readable as it was", (desk) =>
    Effect.gen(function* () {
      const [one, two] = [Fixtures.policy("one"), Fixtures.policy("two", { id: Fixtures.id("pol", 2), enabled: false })]
      const sets: ReadonlyArray<readonly [string, ReadonlyArray<PolicySource>]> = [
        ["a".repeat(64), [one]],
        ["b".repeat(64), [one, two]],
        ["c".repeat(64), [{ ...one, description: "changed" }]],
        ["d".repeat(64), []]
      ]
      const sorted = (revision?: number) =>
        Effect.map(desk.store.policies(revision), (set) => ({
          ...set,
          policies: [...set.policies].sort((a, b) => (a.id < b.id ? -1 : 1))
        }))
      const nothing = { revision: { number: 0, hash: "0".repeat(64) }, policies: [] }
      yield* desk.equal("at first", yield* sorted(), nothing)
      for (const [expect, [hash, policies]] of sets.entries()) {
        yield* desk.commit({ writes: [{ kind: "policies", expect, hash, policies }] })
        const current = { revision: { number: expect + 1, hash }, policies }
        yield* desk.equal("the current set", yield* sorted(), current)
        yield* desk.equal("in facts", (yield* desk.store.facts({})).policy, current.revision)
      }
      yield* desk.equal("revision 0", yield* sorted(0), nothing)
      for (const [expect, [hash, policies]] of sets.entries()) {
        yield* desk.equal("an old set", yield* sorted(expect + 1), { revision: { number: expect + 1, hash }, policies })
      }
      yield* desk.invalid("an unknown revision", desk.store.policies(5))
    })
  ),

  sentence("credentials are what was sealed last, and gone when they were wiped", (desk) =>
    Effect.gen(function* () {
      const [one, two] = [Fixtures.inState.ACTIVE, { ...Fixtures.inState.ACTIVE, id: Fixtures.id("req", 30) }]
      yield* desk.put(one, two)
      const store = (requestId: RequestId, sealed: typeof Fixtures.sealed | null) =>
        desk.commit({ writes: [{ kind: "credentials", requestId, sealed }] })
      yield* desk.equal("at first", yield* desk.store.credentials(one.id), Option.none())
      yield* store(one.id, Fixtures.sealed)
      yield* store(two.id, Fixtures.sealed)
      yield* desk.equal("stored", yield* desk.store.credentials(one.id), Option.some(Fixtures.sealed))
      const again = { ...Fixtures.sealed, nonce: "b3RoZXI=" }
      yield* store(one.id, again)
      yield* desk.equal("stored again", yield* desk.store.credentials(one.id), Option.some(again))
      yield* store(one.id, null)
      yield* store(one.id, null)
      yield* desk.equal("wiped", yield* desk.store.credentials(one.id), Option.none())
      yield* desk.equal("of another request", yield* desk.store.credentials(two.id), Option.some(Fixtures.sealed))
    })
  ),

  sentence(
    "a principal is read as written; a sign-in raises no version, turns no clock back and makes nobody",
    (desk) =>
      Effect.gen(function* () {
        const seen = { groupsReadAt: later(600), authTime: later(500), amr: ["webauthn"] }
        const key = Fixtures.keyFor(ana)
        yield* desk.equal("somebody unknown", yield* desk.store.principal(key), Option.none())
        yield* writeAll(desk, [ana, scout])
        yield* desk.equal("a person", yield* desk.store.principal(key), Option.some(ana))
        yield* desk.equal("an agent", yield* desk.store.principal(Fixtures.keyFor(scout)), Option.some(scout))
        yield* desk.store.touchPrincipal(key, seen)
        yield* desk.equal("after a sign-in", yield* desk.store.principal(key), Option.some({ ...ana, ...seen }))
        yield* desk.equal("in facts", (yield* desk.store.facts({ principals: [key] })).principals.get(keyOf(key)), {
          ...ana,
          ...seen
        })
        const earlier = { groupsReadAt: later(300), authTime: null, amr: [] }
        yield* desk.store.touchPrincipal(key, earlier)
        const expected = Option.some({ ...ana, ...earlier, groupsReadAt: later(600) })
        yield* desk.equal("after one that was read before", yield* desk.store.principal(key), expected)
        yield* desk.equal("of somebody else", yield* desk.store.principal(Fixtures.keyFor(scout)), Option.some(scout))
        yield* desk.store.touchPrincipal(Fixtures.keyFor(ben), seen)
        yield* desk.equal("signed in, never known", yield* desk.store.principal(Fixtures.keyFor(ben)), Option.none())
        const next = { ...ana, version: 2 }
        yield* desk.commit({ writes: [{ kind: "principal", expect: 1, next }] })
        yield* desk.equal("replaced", yield* desk.store.principal(key), Option.some(next))
      })
  ),

  sentence("principals are listed by issuer and subject, page by page, or by e-mail", (desk) =>
    Effect.gen(function* () {
      const people = Array.from({ length: 11 }, (_, n): Principal => ({
        ...ana,
        issuer: n % 2 === 0 ? "https://b.example" : "https://a.example",
        subject: `p${String(n).padStart(2, "0")}`,
        email: n < 2 ? "twice@example.com" : n === 2 ? null : `p${n}@example.com`
      }))
      yield* writeAll(desk, people)
      const sorted = people.map(keyOf).sort()
      const pages = yield* allPages(desk, (cursor) =>
        desk.store.principals({ limit: 4, ...(cursor === undefined ? {} : { cursor }) })
      )
      yield* desk.equal(
        "pages",
        pages.map((page) => page.length),
        [4, 4, 3]
      )
      yield* desk.equal("listed", pages.flat().map(keyOf), sorted)
      const found = (email: string) =>
        Effect.map(desk.store.principals({ email, limit: 9 }), (page) => page.items.map((one) => one.subject))
      yield* desk.equal("by e-mail", yield* found("twice@example.com"), ["p01", "p00"])
      yield* desk.equal("by another spelling", yield* found("TWICE@example.com"), [])
      yield* desk.invalid("a foreign cursor", desk.store.principals({ limit: 4, cursor: "elsewhere" }))
      yield* desk.invalid("an empty page", desk.store.principals({ limit: 0 }))
    })
  ),

  sentence("requests are found by every filter, and by all that are given at once", (desk) =>
    Effect.gen(function* () {
      const review = { openedAt: monday, dueAt: later(99), remindedAt: null, closed: null }
      const closed = { by: Fixtures.requester(cleo), at: monday, comment: "fine" }
      const all = [
        numbered(1),
        numbered(2, { state: "ACTIVE", grant: Fixtures.grant(monday) }),
        numbered(3, { state: "REJECTED", outcome: "no" }),
        numbered(4, { requester: Fixtures.requester(ben) }),
        numbered(5, { asked: asking({ provider: "aws" }) }),
        numbered(6, { asked: asking({ role: "owner" }), roleAsked: "reader" }),
        numbered(7, { asked: asking({ resourceScope: "project/other" }) }),
        numbered(8, { asked: asking({ breakGlass: true }), review }),
        numbered(9, { asked: asking({ breakGlass: true }), review: { ...review, closed } }),
        numbered(10, { waitingFor: "Ben must sign in again" })
      ]
      yield* desk.put(...all)
      const found = (filter: RequestFilter) =>
        Effect.map(desk.store.requests({ filter, limit: 50 }), (page) =>
          page.items.map((one) => all.findIndex(({ id }) => id === one.id) + 1).sort((a, b) => a - b)
        )
      const cases: ReadonlyArray<readonly [RequestFilter, ReadonlyArray<number>]> = [
        [{}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
        [{ states: ["ACTIVE", "REJECTED"] }, [2, 3]],
        [{ states: [] }, []],
        [{ requester: Fixtures.keyFor(ben) }, [4]],
        [{ requester: { issuer: "https://other.example", subject: "ben" } }, []],
        [{ requesterEmail: "ben@example.com" }, [4]],
        [{ requesterEmail: "Ben@example.com" }, []],
        [{ provider: "aws" }, [5]],
        [{ role: "owner" }, [6]],
        [{ role: "own" }, []],
        [{ resourceScope: "project/other" }, [7]],
        [{ since: later(7) }, [7, 8, 9, 10]],
        [{ until: later(3) }, [1, 2]],
        [{ since: later(3), until: later(5) }, [3, 4]],
        [{ breakGlass: true }, [8, 9]],
        [{ breakGlass: false, since: later(6) }, [6, 7, 10]],
        [{ openReview: true }, [8]],
        [{ openReview: false, breakGlass: true }, [9]],
        [{ waiting: true }, [10]],
        [{ waiting: false, since: later(8) }, [8, 9]],
        [{ states: ["PENDING"], provider: "mock", role: "reader", requester: Fixtures.keyFor(ana) }, [1, 7, 8, 9, 10]]
      ]
      for (const [filter, expected] of cases) yield* desk.equal(JSON.stringify(filter), yield* found(filter), expected)
    })
  ),

  sentence("requests come newest first, and pages neither repeat nor skip while others are made", (desk) =>
    Effect.gen(function* () {
      // Four at each instant, inserted in no order, with ids that do not follow time.
      const all = Array.from({ length: 24 }, (_, n) => {
        const at = later(Math.floor(n / 4))
        return pending({ id: Fixtures.id("req", (n * 7) % 24), createdAt: at, updatedAt: at })
      })
      yield* desk.put(...[...all].sort((a, b) => (a.id.slice(-1) < b.id.slice(-1) ? -1 : 1)))
      const expected = idsOf([...all].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1)))
      const pages = yield* allPages(
        desk,
        (cursor) => desk.store.requests({ filter: {}, limit: 5, ...(cursor === undefined ? {} : { cursor }) }),
        (page) =>
          orDie(
            desk.put(pending({ id: Fixtures.id("req", 100 + page), createdAt: later(1000), updatedAt: later(1000) }))
          )
      )
      yield* desk.equal(
        "pages",
        pages.map((page) => page.length),
        [5, 5, 5, 5, 4]
      )
      yield* desk.equal("listed", idsOf(pages.flat()), expected)
      const exact = yield* desk.store.requests({ filter: { until: later(1) }, limit: 4 })
      yield* desk.equal("a last page that is full", [exact.items.length, exact.nextCursor], [4, null])
      yield* desk.invalid("a foreign cursor", desk.store.requests({ filter: {}, limit: 5, cursor: "elsewhere" }))
      yield* desk.invalid("an empty page", desk.store.requests({ filter: {}, limit: 0 }))
    })
  ),

  sentence("a person sees their own requests and what names them as approver, page by page", (desk) =>
    Effect.gen(function* () {
      const routed = (
        n: number,
        tier: "human" | "auto" | "ai_review",
        stages: ReadonlyArray<Partial<Request["routing"]["stages"][number]>>
      ) =>
        numbered(n, {
          requester: Fixtures.requester(cleo),
          party: [`key:${keyOf(cleo)}`],
          routing: {
            ...pending().routing,
            tier,
            stages: stages.map((stage) => ({
              policy: "p",
              groups: [],
              users: [],
              quorum: 1,
              unmeetable: false,
              ...stage
            }))
          }
        })
      const all = [
        numbered(1, { routing: { ...pending().routing, tier: "auto", stages: [] } }),
        routed(2, "human", [{ groups: ["x"] }, { groups: ["y", "sre-leads"] }]),
        routed(3, "human", [{ users: ["ben@example.com"] }]),
        routed(4, "human", []),
        routed(5, "auto", []),
        routed(6, "ai_review", []),
        routed(7, "ai_review", [{ groups: ["sre-leads"] }]),
        routed(8, "human", [{ groups: ["ben@example.com"], users: ["sre-leads"] }]),
        routed(9, "human", [{ users: [keyOf(ben)] }]),
        {
          ...routed(10, "human", [{ groups: ["x"] }]),
          requester: Fixtures.requester(scout),
          party: [`key:${keyOf(scout)}`, `key:${keyOf(ana)}`]
        }
      ]
      yield* desk.put(...all)
      const sees = (who: Principal, limit: number) =>
        Effect.map(
          allPages(desk, (cursor) =>
            desk.store.requests({
              filter: {},
              limit,
              visibleTo: { principal: Fixtures.keyFor(who), email: who.email, groups: who.groups },
              ...(cursor === undefined ? {} : { cursor })
            })
          ),
          (pages) => pages.flat().map((one) => all.findIndex(({ id }) => id === one.id) + 1)
        )
      yield* desk.equal("Ana, whose agent asked for the last", yield* sees(ana, 50), [10, 4, 1])
      yield* desk.equal("Ben", yield* sees(ben, 50), [9, 7, 4, 3, 2])
      yield* desk.equal("Ben, page by page", yield* sees(ben, 1), [9, 7, 4, 3, 2])
      yield* desk.equal("an agent without e-mail and groups", yield* sees(scout, 50), [10, 4])
      yield* desk.equal("Cleo", yield* sees(cleo, 50), [9, 8, 7, 6, 5, 4, 3, 2])
    })
  ),

  sentence("neighbours are the other grants on a resource that may still live there", (desk) =>
    Effect.gen(function* () {
      const now = yield* desk.now
      const at = (seconds: number) => Times.plusSeconds(now, seconds)
      const grant = (latestEnd: number, more: Parameters<typeof Fixtures.grant>[1] = {}) =>
        Fixtures.grant(at(-7200), { notAfter: at(latestEnd - 5), latestEnd: at(latestEnd), ...more })
      const { ending } = Fixtures.inState.ENDING
      const all = [
        numbered(1, { state: "ACTIVE", grant: grant(600, { reference: { n: 1 } }) }),
        numbered(2, { state: "ENDING", grant: grant(-600, { reference: null }), ending }),
        ended(3, { state: "REVOKED", grant: grant(600, { reference: { n: 3 } }), ending }),
        ended(4, { state: "EXPIRED", grant: grant(-600), ending }),
        ended(5, { state: "FAILED", grant: grant(600, { notAfter: null, issuedAt: null, reference: null }), ending }),
        ended(6, { state: "FAILED", grant: grant(600), ending: null }),
        numbered(7, { state: "APPROVED", grant: grant(600) }),
        numbered(8, { state: "ACTIVE", grant: grant(600, { resourceKey: "elsewhere" }) }),
        numbered(9, { state: "ACTIVE", grant: grant(600) }),
        numbered(10)
      ]
      yield* desk.put(...all)
      const found = yield* desk.store.neighbours("mock:project/checkout", Fixtures.id("req", 9))
      yield* desk.equal("neighbours", found, [
        { requestId: Fixtures.id("req", 1), state: "active", notAfter: at(600), reference: { n: 1 } },
        { requestId: Fixtures.id("req", 2), state: "ending", notAfter: at(-600), reference: null },
        { requestId: Fixtures.id("req", 3), state: "ended", notAfter: at(600), reference: { n: 3 } },
        { requestId: Fixtures.id("req", 5), state: "ended", notAfter: at(600), reference: null }
      ])
      yield* desk.pass(601)
      const left = yield* desk.store.neighbours("mock:project/checkout", Fixtures.id("req", 9))
      yield* desk.equal(
        "ten minutes later",
        left.map((one) => one.state),
        ["active", "ending"]
      )
      yield* desk.equal("on nothing", yield* desk.store.neighbours("nowhere", Fixtures.id("req", 9)), [])
    })
  ),

  sentence("what may live at a provider is listed in id order, page by page", (desk) =>
    Effect.gen(function* () {
      const all = Array.from({ length: 3 }, (_, round) =>
        states.map((state, n) => ({
          ...Fixtures.inState[state],
          id: Fixtures.id("req", 100 - (round * states.length + n)),
          asked: asking({ provider: round === 0 ? "aws" : "mock" })
        }))
      ).flat()
      yield* desk.put(...all)
      const living = all
        .filter((one) => ["APPROVED", "ACTIVE", "ENDING"].includes(one.state))
        .sort((a, b) => (a.id < b.id ? -1 : 1))
      const pages = yield* allPages(desk, (cursor) =>
        desk.store.live({ limit: 4, ...(cursor === undefined ? {} : { cursor }) })
      )
      yield* desk.equal(
        "pages",
        pages.map((page) => page.length),
        [4, 4, 1]
      )
      yield* desk.equal("listed", idsOf(pages.flat()), idsOf(living))
      yield* desk.equal(
        "of one provider",
        idsOf((yield* desk.store.live({ provider: "aws", limit: 50 })).items),
        idsOf(living.filter((one) => one.asked.provider === "aws"))
      )
      yield* desk.invalid("a foreign cursor", desk.store.live({ limit: 4, cursor: "elsewhere" }))
      yield* desk.invalid("an empty page", desk.store.live({ limit: 0 }))
    })
  ),

  sentence("changes announce what was committed, once it can be read", (desk) =>
    Effect.scoped(
      Effect.gen(function* () {
        const heard = yield* Queue.unbounded<Change>()
        let unreadable = 0
        const hear = (change: Change) =>
          Effect.gen(function* () {
            for (const id of change.requestIds) if ((yield* desk.request(id)) === undefined) unreadable += 1
            yield* Queue.offer(heard, change)
          })
        yield* Effect.forkScoped(Stream.runForEach(desk.store.changes, hear), { startImmediately: true })
        let noises = 0
        /** Listens until enough was announced, while other requests keep the announcements coming. */
        const listen = (enough: (changes: ReadonlyArray<Change>) => boolean, what: string) => {
          const changes: Array<Change> = []
          const until = Effect.gen(function* () {
            while (!enough(changes)) changes.push(yield* Queue.take(heard))
            return changes
          })
          const noise = Effect.gen(function* () {
            for (let n = 0; n < 300; n++) {
              yield* desk.put(numbered(1000 + noises++))
              yield* Effect.yieldNow
            }
            return yield* desk.expect(false, `${what} to be announced`, changes)
          })
          return Effect.raceFirst(until, Effect.andThen(noise, Effect.succeed(changes)))
        }
        yield* listen((changes) => changes.length > 0, "anything")
        const has = (id: RequestId) => (changes: ReadonlyArray<Change>) =>
          changes.some((change) => change.requestIds.includes(id))

        yield* desk.put(numbered(1))
        const first = yield* listen(has(numbered(1).id), "a new request")
        yield* desk.equal(
          "a policy",
          first.some((change) => change.policy),
          false
        )

        yield* Effect.ignore(desk.commit({ writes: [{ kind: "request", expect: 0, next: numbered(1) }] }))
        yield* desk.put(numbered(2), numbered(3))
        const second = yield* listen((changes) => has(numbered(2).id)(changes) && has(numbered(3).id)(changes), "two")
        yield* desk.equal("what lost was announced", has(numbered(1).id)(second), false)

        yield* desk.commit({ writes: [{ kind: "policies", expect: 0, hash: "a".repeat(64), policies: [] }] })
        yield* listen((changes) => changes.some((change) => change.policy), "a change of policy")
        const later = Times.plusSeconds(yield* desk.now, 600)
        yield* desk.queue(Fixtures.job("j", later))
        yield* listen((changes) => changes.some((change) => change.jobs), "a new job")
        yield* desk.commit({ writes: [{ kind: "reschedule", jobId: "j", runAt: Times.plusSeconds(later, -60) }] })
        yield* listen((changes) => changes.some((change) => change.jobs), "a moved job")
        yield* desk.equal("announced before they could be read", unreadable, 0)
      })
    )
  )
]
