/** Keys and parties: who is on one side, and how many sides there are. */
import { describe, expect, it } from "vitest"
import { countParties, isUnownedAgent, keyOf, operator, type Party, partyOf, sameParty } from "../src/Principal.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"

const { ana, ben, cleo, scout, stray } = Fixtures

const elsewhere = { ...ana, issuer: "https://other.example", subject: "4711" }

describe("a key", () => {
  it("is issuer and subject, never the e-mail address", () => {
    expect(keyOf(ana)).toBe("https://login.example#ana")
    const renamed = { ...ana, email: "other@example.com" }
    expect(keyOf(renamed)).toBe(keyOf(ana))
    expect(keyOf(elsewhere)).not.toBe(keyOf(ana))
  })
})

describe("a party", () => {
  it("holds the own key and address, those of the owners, and the nearest owner's key even when nobody has seen them", () => {
    expect(partyOf(ana, [])).toEqual(["email:ana@example.com", "key:https://login.example#ana"])
    expect(partyOf(scout, [ana])).toEqual([
      "email:ana@example.com",
      "key:https://login.example#ana",
      "key:https://login.example#scout"
    ])
    expect(partyOf(scout, [])).toEqual(["key:https://login.example#ana", "key:https://login.example#scout"])
    expect(partyOf(stray, [])).toEqual(["key:https://login.example#stray"])
  })

  it("is sorted and without doubles, in whatever order owners come", () => {
    const child = { ...stray, subject: "child", owner: Fixtures.keyFor(scout) }
    const party = partyOf(child, [scout, ana])
    expect(party).toEqual([...new Set(party)].sort())
    expect(partyOf(child, [ana, scout])).toEqual(party)
  })

  it("is one for a person, their agents, and themselves at another issuer", () => {
    expect(sameParty(partyOf(ana, []), partyOf(scout, [ana]))).toBe(true)
    expect(sameParty(partyOf(ana, []), partyOf(elsewhere, []))).toBe(true)
    expect(sameParty(partyOf(elsewhere, []), partyOf(scout, [ana]))).toBe(true)
    const sibling = { ...scout, subject: "sibling" }
    expect(sameParty(partyOf(sibling, [ana]), partyOf(scout, [ana]))).toBe(true)
  })

  it("is another for another person, and for one without an address beside another without", () => {
    expect(sameParty(partyOf(ana, []), partyOf(ben, []))).toBe(false)
    expect(sameParty(partyOf(stray, []), partyOf({ ...stray, subject: "other" }, []))).toBe(false)
    const reviewer = { ...stray, subject: "reviewer", owner: operator }
    expect(sameParty(partyOf(reviewer, []), partyOf(ana, []))).toBe(false)
  })

  it("is not made one by a subject that looks like an address or a key", () => {
    const posing = { ...stray, issuer: "email:ana@example.com", subject: "" }
    expect(sameParty(partyOf(posing, []), partyOf(ana, []))).toBe(false)
  })
})

describe("counting parties", () => {
  const count = (...parties: ReadonlyArray<Party>) => countParties(parties)

  it("counts each side once", () => {
    expect(count()).toBe(0)
    expect(count(partyOf(ana, []))).toBe(1)
    expect(count(partyOf(ana, []), partyOf(ana, []))).toBe(1)
    expect(count(partyOf(ana, []), partyOf(scout, [ana]), partyOf(elsewhere, []))).toBe(1)
    expect(count(partyOf(ana, []), partyOf(ben, []), partyOf(cleo, []))).toBe(3)
  })

  it("joins sides that a later one connects, in whatever order they come", () => {
    const chain: ReadonlyArray<Party> = [["a", "b"], ["c", "d"], ["e", "f"], ["b", "c"], ["d", "e"], ["x"]]
    const orders = (all: ReadonlyArray<Party>): ReadonlyArray<ReadonlyArray<Party>> =>
      all.length < 2
        ? [all]
        : all.flatMap((one, at) => orders(all.filter((_, other) => other !== at)).map((rest) => [one, ...rest]))
    for (const order of orders(chain)) expect(countParties(order)).toBe(2)
  })

  it("changes nothing that it is given", () => {
    const parties = [Object.freeze(["a", "b"]), Object.freeze(["b", "c"])]
    expect(countParties(Object.freeze(parties))).toBe(1)
    expect(parties).toEqual([
      ["a", "b"],
      ["b", "c"]
    ])
  })
})

describe("an agent without an owner", () => {
  it("is known as such; people and owned agents are not", () => {
    expect([stray, scout, ana].map(isUnownedAgent)).toEqual([true, false, false])
  })
})
