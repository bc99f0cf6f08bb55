import { describe, expect, it } from "vitest"
import { isTooDeep, mostLevels, repeatedNames } from "../../src/http/JsonText.ts"

describe("depth", () => {
  const nested = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`

  it("is counted in brackets of both kinds, not in texts", () => {
    expect(isTooDeep(nested(mostLevels))).toBe(false)
    expect(isTooDeep(nested(mostLevels + 1))).toBe(true)
    expect(isTooDeep('{"a":'.repeat(mostLevels + 1))).toBe(true)
    expect(isTooDeep(JSON.stringify("[{".repeat(1000)))).toBe(false)
    expect(isTooDeep(JSON.stringify(`\\"${"[".repeat(1000)}`))).toBe(false)
    expect(isTooDeep(`[${"[],".repeat(10_000)}[]]`)).toBe(false)
  })

  it("is counted in any text, well-formed or not", () => {
    expect(isTooDeep("]".repeat(1000) + "[".repeat(10))).toBe(false)
    expect(isTooDeep('"'.repeat(999))).toBe(false)
    expect(isTooDeep("[".repeat(5_000_000))).toBe(true)
  })
})

describe("names that stand twice", () => {
  it.each([
    ['{"a":1,"b":2}', []],
    ['{"a":1,"a":2}', ["a"]],
    ['{"a":1,"a":1,"a":1}', ["a", "a"]],
    ['{"a":1,"\\u0061":2}', ["a"]],
    ['{"a":{"a":1},"b":{"a":1}}', []],
    ['{"a":{"b":1,"b":2}}', ["a.b"]],
    ['[{"a":1},{"a":1,"b":0,"a":2}]', ["1.a"]],
    ['{"a":[{"b":1},[2,{"c":1,"c":2}]]}', ["a.1.1.c"]],
    ['{"a":"a","b":"a"}', []],
    ['{"a":["a","a"]}', []],
    ['{"__proto__":1,"__proto__":2}', ["__proto__"]],
    ['{"":1,"":2}', [""]],
    ['{ "a" : "x\\"}," , "b" : [ ] , "a" : { } }', ["a"]],
    ['"a"', []],
    ["5", []]
  ] as const)("in %s are %j", (text, names) => {
    expect(repeatedNames(text)).toEqual(names)
  })

  it("are given up to a bound, and cut", () => {
    const text = `{${Array.from({ length: 500 }, () => '"x":1').join(",")}}`
    expect(repeatedNames(text)).toHaveLength(50)
    const long = "n".repeat(1000)
    expect(repeatedNames(`{"${long}":1,"${long}":2}`)[0]).toHaveLength(64)
  })
})
