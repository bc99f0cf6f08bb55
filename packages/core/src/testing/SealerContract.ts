/**
 * The contract of `Sealer` as cases: sentences that run.
 *
 * What is sealed comes back only in its own place: for the same request, requester and `notAfter`, unchanged, and with
 * its key there. A refusal says no more than that.
 */
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Exit from "effect/Exit"
import type * as Layer from "effect/Layer"
import * as Result from "effect/Result"
import { type SealedCredentials, Sealer, type SealingContext, UnsealError } from "../Sealer.ts"
import * as Times from "../Time.ts"
import type { Case, DeclaredGap } from "./Case.ts"
import { ContractViolation } from "./ContractViolation.ts"
import { ana, ben, id, keyFor, monday } from "./Fixtures.ts"
import { verdict } from "./Verdict.ts"

export interface Options {
  readonly layer: Layer.Layer<Sealer, unknown>
}

export interface Suite {
  readonly cases: ReadonlyArray<Case>
  readonly gaps: ReadonlyArray<DeclaredGap>
}

const context: SealingContext = {
  requestId: id("req", 1),
  requester: keyFor(ana),
  notAfter: Times.plusSeconds(monday, 3600)
}

const credentials = { AWS_ACCESS_KEY_ID: "ASIA0001", AWS_SECRET_ACCESS_KEY: "wJalr/XUtnFEMI+K7MDENG", NOTE: "ä€😀\n" }

const bytesOf = (base64: string): Uint8Array => Result.getOrElse(Base64.decode(base64), () => new Uint8Array())

/** The same bytes with one bit turned. */
const turned = (base64: string, at: number): string => {
  const bytes = Uint8Array.from(bytesOf(base64))
  bytes[at] = (bytes[at] ?? 0) ^ 1
  return Base64.encode(bytes)
}

const sentence = (
  name: string,
  run: (
    sealer: Sealer["Service"],
    expect: (holds: boolean, expected: string, found: string) => Effect.Effect<void, ContractViolation>
  ) => Effect.Effect<void, ContractViolation | UnsealError>
) => ({ name, run })

/** Expects a refusal that gives nothing away. */
const refused = (
  sealer: Sealer["Service"],
  expect: (holds: boolean, expected: string, found: string) => Effect.Effect<void, ContractViolation>,
  what: string,
  sealed: SealedCredentials,
  where: SealingContext,
  why: UnsealError["why"] = "refused"
) =>
  Effect.flatMap(Effect.exit(sealer.open(sealed, where)), (exit) => {
    if (Exit.isSuccess(exit)) return expect(false, `${what} to be refused`, "opened")
    const error = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error
    const said = error instanceof UnsealError ? JSON.stringify({ ...error, message: error.message }) : String(error)
    return Effect.andThen(
      expect(
        error instanceof UnsealError && error.why === why && error.requestId === where.requestId,
        `${what} to be refused as ${why}`,
        said
      ),
      expect(
        Object.values(credentials).every((secret) => !said.includes(secret)),
        "a refusal without a secret in it",
        "one with a secret"
      )
    )
  })

const sentences = [
  sentence("what was sealed is opened in its own place, unchanged", (sealer, expect) =>
    Effect.gen(function* () {
      const hostile = JSON.parse('{"__proto__":"x","constructor":"y","":"","a=b":"\\u0000"}')
      for (const one of [credentials, {}, hostile]) {
        const opened = yield* sealer.open(yield* sealer.seal(one, context), { ...context })
        const sorted = (record: object) => JSON.stringify(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)))
        yield* expect(
          sorted(opened) === sorted(one),
          "the same names and values",
          `${Object.keys(opened).length} names`
        )
      }
    })
  ),

  sentence("sealing twice gives two ciphertexts under two nonces, of which neither shows a value", (sealer, expect) =>
    Effect.gen(function* () {
      const all = yield* Effect.forEach(Array.from({ length: 50 }), () => sealer.seal(credentials, context))
      yield* expect(new Set(all.map((one) => one.nonce)).size === 50, "50 nonces", "fewer")
      yield* expect(new Set(all.map((one) => one.ciphertext)).size === 50, "50 ciphertexts", "fewer")
      for (const one of all) {
        const shown = new TextDecoder().decode(bytesOf(one.ciphertext)) + JSON.stringify(one)
        const leaks = [...Object.keys(credentials), ...Object.values(credentials)].some((part) => shown.includes(part))
        yield* expect(!leaks, "nothing readable", "a name or a value")
      }
    })
  ),

  sentence("it is opened for no other request, requester or end", (sealer, expect) =>
    Effect.gen(function* () {
      const sealed = yield* sealer.seal(credentials, context)
      yield* refused(sealer, expect, "another request", sealed, { ...context, requestId: id("req", 2) })
      yield* refused(sealer, expect, "another requester", sealed, { ...context, requester: keyFor(ben) })
      const issuer = { ...context.requester, issuer: "https://other.example" }
      yield* refused(sealer, expect, "another issuer", sealed, { ...context, requester: issuer })
      yield* refused(sealer, expect, "another end", sealed, {
        ...context,
        notAfter: Times.plusMillis(context.notAfter, 1)
      })
    })
  ),

  sentence("whatever was changed, cut, lengthened or swapped is refused", (sealer, expect) =>
    Effect.gen(function* () {
      const sealed = yield* sealer.seal(credentials, context)
      const other = yield* sealer.seal(credentials, context)
      const bytes = bytesOf(sealed.ciphertext)
      for (let at = 0; at < bytes.length; at++) {
        const changed = { ...sealed, ciphertext: turned(sealed.ciphertext, at) }
        yield* refused(sealer, expect, `a bit turned in byte ${at}`, changed, context)
      }
      const changes: ReadonlyArray<readonly [string, Partial<SealedCredentials>]> = [
        ["a bit turned in the nonce", { nonce: turned(sealed.nonce, 0) }],
        ["the nonce of another", { nonce: other.nonce }],
        ["the ciphertext of another", { ciphertext: other.ciphertext }],
        ["a short nonce", { nonce: Base64.encode(bytesOf(sealed.nonce).slice(1)) }],
        ["no nonce", { nonce: "" }],
        ["a cut ciphertext", { ciphertext: Base64.encode(bytes.slice(0, -1)) }],
        ["a lengthened ciphertext", { ciphertext: Base64.encode(new Uint8Array([...bytes, 0])) }],
        ["no ciphertext", { ciphertext: "" }],
        ["a nonce that is no base 64", { nonce: "****" }],
        ["a ciphertext that is no base 64", { ciphertext: "****" }]
      ]
      for (const [what, change] of changes) {
        yield* refused(sealer, expect, what, { ...sealed, ...change }, context)
      }
    })
  ),

  sentence("without its key it is not opened, and says which trouble it is", (sealer, expect) =>
    Effect.gen(function* () {
      const sealed = yield* sealer.seal(credentials, context)
      yield* refused(sealer, expect, "an unknown key", { ...sealed, keyId: "nobody's" }, context, "key_unknown")
    })
  )
]

/** The contract for the sealer behind a layer. */
export const suite = (options: Options): Suite => ({
  gaps: [],
  cases: sentences.map(({ name, run }) => ({
    name,
    run: verdict(
      name,
      Effect.gen(function* () {
        const sealer = yield* Sealer
        yield* run(sealer, (holds, expected, found) =>
          holds ? Effect.void : Effect.fail(new ContractViolation({ contract: name, expected, found }))
        )
      }).pipe(Effect.provide(options.layer, { local: true }))
    )
  }))
})
