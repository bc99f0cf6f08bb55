import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { bearerOf, pairsOf } from "../../src/auth/Bearer.ts"

const read = (...raw: ReadonlyArray<string>) => bearerOf(pairsOf(raw))

const tokenOf = (...raw: ReadonlyArray<string>) => {
  const result = read(...raw)
  return Result.isSuccess(result) ? Redacted.value(result.success) : result.failure.reason
}

describe("the bearer token of a request", () => {
  it.each([
    ["Authorization", "Bearer abc.def.ghi"],
    ["authorization", "bearer abc.def.ghi"],
    ["AUTHORIZATION", "BEARER   abc.def.ghi"],
    ["authorization", " Bearer abc.def.ghi "]
  ])("is read from %s: %s", (name, value) => {
    expect(tokenOf("host", "x", name, value, "accept", "y")).toBe("abc.def.ghi")
  })

  it("is missing when there is no authorization at all", () => {
    expect(tokenOf("host", "x")).toBe("missing")
  })

  it.each([
    "",
    "Bearer",
    "Bearer ",
    "Basic YTpi",
    "abc.def.ghi",
    "Bearer a b",
    "Bearer a,b",
    "Bearerabc",
    "Bearer \u00e4",
    'Bearer "abc"',
    "Token abc"
  ])("is refused in the form %j", (value) => {
    expect(tokenOf("authorization", value)).toBe("malformed")
  })

  it.each([
    ["two fields", ["authorization", "Bearer a.b.c", "Authorization", "Bearer d.e.f"]],
    ["the same twice", ["authorization", "Bearer a.b.c", "authorization", "Bearer a.b.c"]],
    ["two schemes", ["authorization", "Basic YTpi", "authorization", "Bearer a.b.c"]],
    ["fields joined on the way", ["authorization", "Bearer a.b.c, Bearer d.e.f"]]
  ])("is refused when there are two credentials: %s", (_, raw) => {
    expect(tokenOf(...raw)).toBe("malformed")
  })

  it("does not show when it is printed", () => {
    const result = read("authorization", "Bearer very.secret.token")
    expect(JSON.stringify(result)).not.toContain("secret")
    expect(String(Result.isSuccess(result) ? result.success : "")).not.toContain("secret")
  })
})
