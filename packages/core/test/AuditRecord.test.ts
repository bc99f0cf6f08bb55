import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { auditActions, draft } from "../src/AuditRecord.ts"
import type { AuditRecord } from "../src/AuditRecord.ts"
import * as Ids from "../src/Ids.ts"
import * as Time from "../src/Time.ts"

const now = Time.make(Date.UTC(2026, 10, 23, 9, 30, 0, 125))

const record: AuditRecord = {
  actor: { issuer: "https://id.example", subject: "alice", email: "alice@example.com", kind: "human" },
  action: "request.created",
  outcome: "success",
  requestId: "req_01J8KZ4F2EMNQZ3V7XKQYBD4WR",
  provider: "aws",
  role: "ReadOnly",
  resourceScope: "123456789012",
  details: { durationSeconds: 900, breakGlass: false },
  texts: { reason: "INC-7: the caf\u00e9 is down" }
}

/** Random bytes 00 01 02 ...; each call goes on where the last one ended. */
const counting = () => {
  let next = 0
  return (size: number) => Uint8Array.from({ length: size }, () => next++ & 255)
}

const drafted = (one: AuditRecord) => draft(one, now).pipe(Effect.provideService(Ids.RandomBytes, counting()))

describe("a drafted entry", () => {
  it.effect("is the canonical text of exactly ten fields", () =>
    Effect.gen(function* () {
      const entry = yield* drafted(record)
      // SHA-256 of 000102..0f and the text, by openssl.
      const textHash = "4160f52d356a606fb33feff16f17524ae387b0f0d821b70a2ef827e5953199f3"
      assert.strictEqual(
        entry.payload,
        '{"action":"request.created","actor":{"email":"alice@example.com","issuer":"https://id.example",' +
          '"kind":"human","subject":"alice"},"details":{"breakGlass":false,"durationSeconds":900,' +
          `"reason":{"textHash":"${textHash}"}},"outcome":"success","provider":"aws",` +
          '"requestId":"req_01J8KZ4F2EMNQZ3V7XKQYBD4WR","resourceScope":"123456789012","role":"ReadOnly",' +
          '"time":"2026-11-23T09:30:00.125000Z","v":1}'
      )
      assert.deepStrictEqual(entry.texts, [
        { hash: textHash, salt: "000102030405060708090a0b0c0d0e0f", text: "INC-7: the caf\u00e9 is down" }
      ])
      assert.isTrue(Ids.isId(entry.id, "ent"))
    })
  )

  it.effect("has every field, null where there is none", () =>
    Effect.gen(function* () {
      const entry = yield* drafted({
        actor: { issuer: "jitsudo", subject: "system", email: null, kind: "system" },
        action: "config.loaded",
        outcome: "success",
        requestId: null,
        provider: null,
        role: null,
        resourceScope: null,
        details: {},
        texts: {}
      })
      assert.strictEqual(
        entry.payload,
        '{"action":"config.loaded","actor":{"email":null,"issuer":"jitsudo","kind":"system","subject":"system"},' +
          '"details":{},"outcome":"success","provider":null,"requestId":null,"resourceScope":null,"role":null,' +
          '"time":"2026-11-23T09:30:00.125000Z","v":1}'
      )
    })
  )

  it.effect("salts each text anew: the same text twice has two hashes", () =>
    Effect.gen(function* () {
      const entry = yield* draft({ ...record, texts: { reason: "same", comment: "same" } }, now)
      const [a, b] = entry.texts
      assert.strictEqual(entry.texts.length, 2)
      assert.notStrictEqual(a?.salt, b?.salt)
      assert.notStrictEqual(a?.hash, b?.hash)
      assert.notInclude(entry.payload, "same")
    })
  )
})

describe("what cannot be recorded is a defect", () => {
  const cases: ReadonlyArray<readonly [string, Partial<AuditRecord>, RegExp]> = [
    ["a text and a detail of one name", { details: { reason: 1 } }, /reason stands in details and in texts/],
    ["U+0000 in a text", { texts: { reason: "a\u0000b" } }, /the text reason contains U\+0000/],
    ["a lone surrogate in a text", { texts: { reason: "\udfff" } }, /the text reason contains a lone surrogate/],
    ["U+0000 in a detail", { details: { note: "\\\u0000" } }, /a string contains U\+0000/],
    ["U+0000 in a column", { role: "x\u0000" }, /a string contains U\+0000/],
    ["a lone surrogate in a detail", { details: { list: ["\ud800"] } }, /details\.list\[0\] contains a lone surrogate/],
    ["more than a bundle of entries can hold", { details: { note: "\u20ac".repeat(21_800) } }, /longer than 65535/],
    ["a detail that looks like a text", { details: { x: { textHash: "00" } } }, /details\.x has a member textHash/]
  ]
  for (const [name, change, message] of cases) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const exit = yield* Effect.exit(drafted({ ...record, ...change }))
        if (!Exit.isFailure(exit)) return assert.fail("was drafted")
        assert.isTrue(Exit.hasDies(exit))
        assert.match(String(Cause.squash(exit.cause)), message)
      })
    )
  }

  it.effect("but the six characters \\u0000 are ordinary text", () =>
    Effect.gen(function* () {
      const entry = yield* drafted({ ...record, details: { note: "\\u0000 and \\\\u0000" } })
      assert.include(entry.payload, '"note":"\\\\u0000 and \\\\\\\\u0000"')
    })
  )
})

it("every action is named once, as object.past_tense", () => {
  assert.strictEqual(new Set(auditActions).size, auditActions.length)
  for (const action of auditActions) assert.match(action, /^[a-z]+\.[a-z_]+$/)
})
