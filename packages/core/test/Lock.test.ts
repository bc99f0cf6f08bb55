/** What a lock hits, and what it leaves alone. */
import { describe, expect, it } from "vitest"
import { globMatches, type Lockable, lockApplies, lockOn, type LockTarget } from "../src/Lock.ts"
import { partyOf } from "../src/Principal.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"

const { ana, ben, scout } = Fixtures

const target = (more: Partial<Lockable> = {}): Lockable => ({
  party: partyOf(ana, []),
  provider: "aws",
  role: "arn:aws:iam::123456789012:role/reader",
  resourceScope: "123456789012/eu-west-1",
  ...more
})

const applies = (one: LockTarget, to: Lockable) => lockApplies(Fixtures.lock(one), to)

const role = (pattern: string, scope = "*", provider = "aws"): LockTarget => ({
  kind: "role",
  provider,
  role: pattern,
  resourceScope: scope
})

describe("a lock", () => {
  it("on everything hits everything", () => {
    expect(applies({ kind: "everything" }, target())).toBe(true)
  })

  it("on a provider hits that provider only", () => {
    expect(applies({ kind: "provider", provider: "aws" }, target())).toBe(true)
    expect(applies({ kind: "provider", provider: "aws" }, target({ provider: "aws2" }))).toBe(false)
    expect(applies({ kind: "provider", provider: "aws*" }, target())).toBe(false)
  })

  it("on a person hits them and their agents, and nobody of the same name elsewhere", () => {
    const person: LockTarget = { kind: "principal", principal: Fixtures.keyFor(ana) }
    expect(applies(person, target())).toBe(true)
    expect(applies(person, target({ party: partyOf(scout, [ana]) }))).toBe(true)
    expect(applies(person, target({ party: partyOf(scout, []) }))).toBe(true)
    expect(applies(person, target({ party: partyOf(ben, []) }))).toBe(false)
    expect(applies(person, target({ party: partyOf({ ...ana, issuer: "https://other.example" }, []) }))).toBe(false)
  })

  it("on an agent leaves its owner alone", () => {
    const agent: LockTarget = { kind: "principal", principal: Fixtures.keyFor(scout) }
    expect(applies(agent, target({ party: partyOf(scout, [ana]) }))).toBe(true)
    expect(applies(agent, target())).toBe(false)
  })

  it("on a role hits what both patterns match, at its provider", () => {
    expect(applies(role("*:role/reader"), target())).toBe(true)
    expect(applies(role("*:role/reader", "123456789012/*"), target())).toBe(true)
    expect(applies(role("*:role/reader", "999999999999/*"), target())).toBe(false)
    expect(applies(role("*:role/admin"), target())).toBe(false)
    expect(applies(role("*", "*", "gcp"), target())).toBe(false)
  })

  it("is found among others, the first that stands in the way", () => {
    const { ana: person, mock, readers } = Fixtures.locks
    const here = target({ provider: "mock", role: "reader", resourceScope: "project/checkout" })
    expect(lockOn({ revision: 3, active: [mock, readers, person] }, here)).toBe(mock)
    expect(lockOn({ revision: 3, active: [readers, person] }, { ...here, role: "owner" })).toBe(person)
    expect(lockOn({ revision: 3, active: [mock, readers] }, { ...here, provider: "aws" })).toBeUndefined()
    expect(lockOn({ revision: 0, active: [] }, here)).toBeUndefined()
  })
})

describe("a pattern", () => {
  it.each([
    ["", "", true],
    ["", "a", false],
    ["*", "", true],
    ["*", "anything\nat all", true],
    ["***", "x", true],
    ["a*", "a", true],
    ["*a", "ba", true],
    ["*a", "ab", false],
    ["a*c", "abc", true],
    ["a*c", "ac", true],
    ["a*c", "abd", false],
    ["a*b*c", "aXbYbZc", true],
    ["a*b*c", "acb", false],
    ["*ab", "aab", true],
    ["*aab*", "aaaab", true],
    ["a.c", "abc", false],
    ["a?c", "abc", false],
    ["[a-z]", "b", false],
    ["(a|b)", "a", false],
    ["A", "a", false],
    ["prod/*", "prod", false],
    ["prod/*", "prod/", true],
    ["a*", "*", false],
    ["\\*", "*", false],
    ["😀*", "😀x", true]
  ])("%j on %j: %s", (pattern, text, expected) => {
    expect(globMatches(pattern, text)).toBe(expected)
  })

  it("agrees with a slow matcher that is easily seen to be right, on every short pattern and text", () => {
    const slow = (pattern: string, text: string): boolean =>
      pattern === ""
        ? text === ""
        : pattern.startsWith("*")
          ? slow(pattern.slice(1), text) || (text !== "" && slow(pattern, text.slice(1)))
          : text !== "" && pattern[0] === text[0] && slow(pattern.slice(1), text.slice(1))
    const words = (letters: string, upTo: number): ReadonlyArray<string> => {
      let all = [""]
      let last = [""]
      for (let n = 0; n < upTo; n++) {
        last = last.flatMap((word) => Array.from(letters, (letter) => word + letter))
        all = [...all, ...last]
      }
      return all
    }
    let compared = 0
    for (const pattern of words("ab*", 5)) {
      for (const text of words("ab", 6)) {
        compared += 1
        if (globMatches(pattern, text) !== slow(pattern, text)) expect.fail(`${pattern} on ${text}`)
      }
    }
    expect(compared).toBe(364 * 127)
  })

  it("takes no more steps than pattern times text, whoever wrote it", () => {
    let reads = 0
    const counting = (text: string) =>
      new Proxy(Object(text), {
        get: (whole, name) => {
          if (typeof name === "string" && /^\d+$/u.test(name)) reads += 1
          return Reflect.get(whole, name, whole)
        }
      })
    const [pattern, text] = [`${"a*".repeat(20)}b`, "a".repeat(200)]
    expect(globMatches(counting(pattern), counting(text))).toBe(false)
    expect(reads).toBeGreaterThan(text.length)
    expect(reads).toBeLessThan(8 * pattern.length * text.length)
  })
})
