/** The daemon's log: what never appears in it, whatever is logged, and that it stays one line for one event. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest"
import * as Log from "../src/Log.ts"
import { redact, scrub } from "../src/Redaction.ts"

let written = ""
beforeEach(() => {
  written = ""
  vi.spyOn(process.stderr, "write").mockImplementation((chunk) => {
    written += String(chunk)
    return true
  })
})
afterEach(() => {
  vi.restoreAllMocks()
})

const logged = (format: "json" | "text", effect: Effect.Effect<void>): string => {
  Effect.runSync(effect.pipe(Effect.provide(Log.layer({ level: "debug", format }))))
  return written
}

const jwt = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcCIsInN1YiI6ImFsaWNlIn0.c2lnbmF0dXJlLW9mLWl0"
const pem = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIIGVeryPrivate\n-----END EC PRIVATE KEY-----"

/** Text as it may turn up in a fault, and the part of it that must not stay. */
const leaks: ReadonlyArray<readonly [string, string, string]> = [
  ["a token", `the token ${jwt} was refused`, "c2lnbmF0dXJlLW9mLWl0"],
  ["a token's claims", `the token ${jwt} was refused`, "eyJpc3MiOiJodHRwczovL2lkcCIsInN1YiI6ImFsaWNlIn0"],
  ["a header", "Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"],
  ["a header in lower case", "authorization: bearer abcdefgh12345678", "abcdefgh12345678"],
  ["basic credentials", "Authorization: Basic YWxpY2U6aHVudGVyMg==", "YWxpY2U6aHVudGVyMg"],
  ["a database URL", "cannot connect to postgres://jitsudo:hunter2@db.internal:5432/x", "hunter2"],
  ["a password with @ and :", "postgres://jitsudo:hun@t:er2@db/x", "t:er2"],
  ["a password with /", "postgres://jitsudo:hunt/er2@db/x", "er2"],
  ["a URL with a token for a user", "https://ghtokenvalue123@example.test/x.git", "ghtokenvalue123"],
  ["a variable", "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"],
  ["a session", "AWS_SESSION_TOKEN=IQoJb3JpZ2luX2VjE", "IQoJb3JpZ2luX2VjE"],
  ["a key id", "AKIAIOSFODNN7EXAMPLE did it", "AKIAIOSFODNN7EXAMPLE"],
  ["JSON", '{"accessToken":"s3cr3tvalue","x":1}', "s3cr3tvalue"],
  ["JSON within JSON", '{"body":"{\\"access_token\\":\\"s3cr3tvalue\\"}"}', "s3cr3tvalue"],
  ["a form", "grant_type=refresh_token&refresh_token=s3cr3tvalue&client_id=x", "s3cr3tvalue"],
  ["a client's secret", "client_secret: s3cr3tvalue", "s3cr3tvalue"],
  ["a quoted password of two words", 'password="correct horse battery"', "horse"],
  ["an API key", "x-api-key: s3cr3tvalue", "s3cr3tvalue"],
  ["a cookie", "set-cookie: session=s3cr3tvalue; path=/", "s3cr3tvalue"],
  ["a private key", `the key is ${pem}`, "MHcCAQEEIIGVeryPrivate"],
  ["a forge's token", "ghp_abcdefghijklmnopqrstuvwxyz0123", "abcdefghijklmnop"],
  ["a chat's token", "xoxb-1234567890-abcdefghij", "abcdefghij"]
]

describe.each(["json", "text"] as const)("a %s line", (format) => {
  it.each(leaks)("holds nothing of %s", (_name, text, secret) => {
    const everywhere = Effect.gen(function* () {
      yield* Effect.logInfo(text)
      yield* Effect.logInfo("a fact").pipe(Effect.annotateLogs({ fact: text, nested: { deep: [text] } }))
      yield* Effect.logError("a fault", Cause.fail(new Error(text)))
      yield* Effect.logError("a fault", Cause.die(new Error("outer", { cause: new Error(text) })))
      yield* Effect.logWarning({ text })
    })
    expect(logged(format, everywhere)).not.toContain(secret)
    expect(written.trim().split("\n").length).toBeGreaterThanOrEqual(5)
  })

  it("holds nothing of what is marked as secret, by type or by name", () => {
    const effect = Effect.logInfo("x").pipe(
      Effect.annotateLogs({
        marked: Redacted.make("hunter2"),
        password: "hunter2",
        clientSecret: "hunter2",
        "x-auth-token": "hunter2",
        headers: { authorization: "hunter2", cookie: "hunter2" }
      })
    )
    expect(logged(format, effect)).not.toContain("hunter2")
  })

  it("keeps what is worth reading", () => {
    const effect = Effect.logInfo("token refused: expired (exp has passed)").pipe(
      Effect.annotateLogs({ requestId: "a-b", status: 401, path: "/api/v1alpha1/requests", kind: "refused_token" })
    )
    const line = logged(format, effect)
    for (const part of ["token refused: expired (exp has passed)", "a-b", "401", "/api/v1alpha1/requests"]) {
      expect(line).toContain(part)
    }
    expect(line).toContain("refused_token")
  })

  it("is one line, whatever text it holds, and moves no cursor", () => {
    const forged = `ok\n2026-01-01T00:00:00Z INFO approved by=alice\r\n\u001b[2J\u009b1m\u2028x\u202e`
    const effect = Effect.logInfo(forged).pipe(Effect.annotateLogs({ said: forged }))
    const lines = logged(format, effect).trimEnd().split("\n")
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toMatch(/[\u0000-\u001f]/u)
    if (format === "text") expect(lines[0]).not.toMatch(/[\u007f-\u009f\u2028\u202e]/u)
  })

  it("is bounded, whatever is logged, and soon written", () => {
    const loop: Record<string, unknown> = { big: 10n ** 30n }
    loop["self"] = loop
    const hostile = ["a".repeat(1_000_000), "//a:".repeat(250_000), "secret".repeat(150_000), "ey".repeat(500_000)]
    const effect = Effect.forEach(hostile, (text) => Effect.logInfo(text)).pipe(
      Effect.andThen(Effect.logInfo("x").pipe(Effect.annotateLogs({ loop })))
    )
    logged(format, effect)
    for (const line of written.split("\n")) expect(line.length).toBeLessThan(200_000)
  })
})

describe("a JSON line", () => {
  it("is JSON, and its own fields are its own", () => {
    const effect = Effect.logInfo('a "quoted" TOKEN=abc"def \\ text').pipe(
      Effect.annotateLogs({ level: "forged", time: "forged", message: "forged", more: "kept" })
    )
    const parsed: Readonly<Record<string, unknown>> = JSON.parse(logged("json", effect))
    expect(parsed).toMatchObject({ level: "INFO", more: "kept" })
    expect(parsed["time"]).toMatch(/^\d{4}-/u)
    expect(parsed["message"]).not.toBe("forged")
  })
})

describe("a text line", () => {
  it("sets the lines of a cause off from events", () => {
    const effect = Effect.logError("it broke", Cause.die(new Error("first\n2026-01-01T00:00:00Z INFO all is well")))
    const lines = logged("text", effect).trimEnd().split("\n")
    expect(lines.length).toBeGreaterThan(1)
    expect(lines.slice(1).every((line) => line.startsWith("    | "))).toBe(true)
  })
})

describe("redaction", () => {
  it.each([
    "GET /api/v1alpha1/requests/req_01ARZ3NDEKTSV4RRFFQ69G5FAV 200",
    "postgres://db.internal:5432/jitsudo does not answer",
    "https://example.test/a@b is fine",
    "more than 30 a minute (refused_token)"
  ])("leaves alone: %s", (text) => {
    expect(redact(text)).toBe(text)
  })

  it("keeps numbers and flags under any name", () => {
    expect(scrub({ tokens: 5, passwordless: true })).toEqual({ tokens: 5, passwordless: true })
  })
})
