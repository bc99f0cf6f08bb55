/** Signed notes, keys and cosignatures: the published example of Go's implementation, and what must be refused. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Cosignature from "../src/Cosignature.ts"
import * as Ed25519 from "../src/Ed25519.ts"
import * as LogKey from "../src/LogKey.ts"
import * as SignedNote from "../src/SignedNote.ts"
import * as Signer from "../src/Signer.ts"
import * as VerifierKey from "../src/VerifierKey.ts"

/** From golang.org/x/mod/sumdb/note: the pair and the note of its tests, which are public. */
const peter = {
  public: "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
  private: "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz",
  text: "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n",
  line: "\u2014 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
}
const enoch = {
  public: "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
  line: "\u2014 EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
}
const published = `${peter.text}\n${peter.line}`

const keyOf = (text: string) => Result.getOrThrow(VerifierKey.parse(text))
const noteOf = (text: string) => Result.getOrThrow(SignedNote.parse(text))
const reasonOf = (text: string, ...keys: ReadonlyArray<VerifierKey.VerifierKey>) =>
  Effect.fromResult(SignedNote.parse(text)).pipe(
    Effect.flatMap((note) => SignedNote.verify(note, keys)),
    Effect.match({ onFailure: ({ reason }) => reason, onSuccess: (by) => by.map(({ name }) => name).join(" ") })
  )

const log = Signer.generate("log.example.com/audit", 1, new Uint8Array(32).fill(1))
const witness = Signer.generate("witness.example.com", 4, new Uint8Array(32).fill(2))
const signerOf = (pair: typeof log) => Effect.flatMap(pair, ({ privateKey }) => Signer.parse(privateKey))

describe("the published note", () => {
  it.effect("is made by its private key, byte for byte", () =>
    Effect.gen(function* () {
      const signer = yield* Signer.parse(Redacted.make(peter.private))
      assert.strictEqual(VerifierKey.format(signer.key), peter.public)
      const signature = yield* Signer.signNote(peter.text, signer)
      assert.strictEqual(SignedNote.format({ text: peter.text, signatures: [signature] }), published)
    })
  )

  it.effect("verifies under each and both of its keys, and passes over strangers", () =>
    Effect.gen(function* () {
      const both = published + enoch.line
      assert.strictEqual(yield* reasonOf(published, keyOf(peter.public)), "PeterNeumann")
      assert.strictEqual(yield* reasonOf(both, keyOf(enoch.public)), "EnochRoot")
      assert.strictEqual(yield* reasonOf(both, keyOf(enoch.public), keyOf(peter.public)), "EnochRoot PeterNeumann")
      assert.strictEqual(yield* reasonOf(published, keyOf(enoch.public)), "unsigned")
      assert.strictEqual(yield* reasonOf(published), "unsigned")
      // Of an unknown type, of an unknown key: nothing that has to be understood.
      assert.strictEqual(yield* reasonOf(`${published}\u2014 other AAAAAAA=\n`, keyOf(peter.public)), "PeterNeumann")
    })
  )

  it.effect("is worth nothing when text or a known signature was changed", () =>
    Effect.gen(function* () {
      const peters = keyOf(peter.public)
      assert.strictEqual(yield* reasonOf(published.replace("answer", "Answer"), peters), "signature")
      assert.strictEqual(yield* reasonOf(published.replace("/ZJku", "/ZJkv"), peters), "signature")
      // A good one beside a bad one of the same key, and a bad one of another known key.
      const doubled = published + peter.line.replace("/ZJku", "/ZJkv")
      assert.strictEqual(yield* reasonOf(doubled, peters), "signature")
      const other = published + enoch.line.replace("eBzmZ", "eBzmY")
      assert.strictEqual(yield* reasonOf(other, peters, keyOf(enoch.public)), "signature")
      assert.strictEqual(yield* reasonOf(other, peters), "PeterNeumann")
      // Repeated, it counts once.
      assert.strictEqual(yield* reasonOf(published + peter.line, peters), "PeterNeumann")
    })
  )

  it("comes back as it was, text with empty lines too", () => {
    assert.strictEqual(SignedNote.format(noteOf(published)), published)
    const note = noteOf(`a\n\nb\n\n${peter.line}`)
    assert.strictEqual(note.text, "a\n\nb\n")
  })
})

describe("a text is refused as a note", () => {
  const bytes = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
  for (const [why, text] of [
    ["empty", ""],
    ["without signatures", peter.text],
    ["without the empty line", peter.text + peter.line],
    ["without the last line feed", published.slice(0, -1)],
    ["with another dash", published.replace("\u2014", "-")],
    ["with a second space", published.replace("\u2014 ", "\u2014  ")],
    ["with more behind a signature", published.replace(/\n$/u, " more\n")],
    ["with a signature of four bytes", `${peter.text}\n\u2014 PeterNeumann x08gow==\n`],
    ["with base64 without padding", published.replace("AM=\n", "AM\n")],
    ["with base64 of another spelling", published.replace("AM=\n", "AN=\n")],
    ["with a plus in the name", published.replace("PeterNeumann", "Peter+Neumann")],
    ["with a no-break space in the name", published.replace("PeterNeumann", "Peter\u00a0Neumann")],
    ["with a carriage return", published.replace("problem,\n", "problem,\r\n")],
    ["with U+0000", published.replace("problem,", "problem\u0000")],
    ["with a lone surrogate", published.replace("problem,", "problem\ud800")],
    ["with text among the signatures", `${published}text\n`],
    ["with too many signatures", published + `\u2014 x ${bytes}\n`.repeat(100)],
    ["of more than a million characters", `${"a".repeat(1_000_000)}\n${published}`]
  ] as const) {
    it(why, () => {
      const parsed = SignedNote.parse(text)
      if (Result.isSuccess(parsed)) return assert.fail("taken for a note")
      assert.strictEqual(parsed.failure.reason, "malformed")
    })
  }

  it("accepts as many signatures as the specification asks for", () => {
    assert.strictEqual(noteOf(`${peter.text}\n${peter.line.repeat(16)}`).signatures.length, 16)
  })
})

describe("a public key", () => {
  it("is read in one spelling", () => {
    for (const text of [peter.public, enoch.public]) assert.strictEqual(VerifierKey.format(keyOf(text)), text)
    // As Go's tests do it: every part of the text, and every text with one character moved on.
    for (let from = 0; from < peter.public.length; from++) {
      for (let to = from + 1; to <= peter.public.length; to++) {
        if (to - from === peter.public.length) continue
        assert.isTrue(Result.isFailure(VerifierKey.parse(peter.public.slice(from, to))))
      }
      const next = String.fromCharCode(peter.public.charCodeAt(from) + 1)
      assert.isTrue(
        Result.isFailure(VerifierKey.parse(peter.public.slice(0, from) + next + peter.public.slice(from + 1)))
      )
    }
  })

  for (const [why, text] of [
    [
      "of another length, with the id that fits",
      "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="
    ],
    ["of an unknown type, with the id that fits", "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
    ["with capitals in the id", peter.public.replace("c74f", "C74F")],
    ["without a name", peter.public.replace("PeterNeumann", "")]
  ] as const) {
    it(`${why} is refused`, () => assert.isTrue(Result.isFailure(VerifierKey.parse(text))))
  }

  it("that is a private one is refused without being shown", () => {
    const parsed = VerifierKey.parse(peter.private)
    if (Result.isSuccess(parsed)) return assert.fail("taken for a public key")
    assert.notInclude(parsed.failure.message, "AYEK")
    assert.include(parsed.failure.message, "private key")
  })
})

describe("a private key", () => {
  it.effect("that does not fit its name, id or form is refused without being shown", () =>
    Effect.gen(function* () {
      for (const text of [
        peter.private.replace("PeterNeumann", "Mallory"),
        peter.private.replace("c74f20a3", "c74f20a4"),
        peter.private.slice("PRIVATE+KEY+".length),
        peter.private.slice(0, -4),
        peter.public,
        ""
      ]) {
        const error = yield* Effect.flip(Signer.parse(Redacted.make(text)))
        assert.notInclude(error.message, "AYEK")
      }
    })
  )

  it.effect("is made with its public one, and never twice by chance", () =>
    Effect.gen(function* () {
      const pair = yield* log
      assert.deepStrictEqual((yield* signerOf(log)).key, pair.key)
      assert.strictEqual(String(pair.privateKey).includes("PRIVATE"), false)
      const [one, two] = [yield* Signer.generate("a", 1), yield* Signer.generate("a", 1)]
      assert.notStrictEqual(one.key.id, two.key.id)
    })
  )
})

describe("Ed25519", () => {
  it.effect("says no to keys, messages and signatures of another form", () =>
    Effect.gen(function* () {
      const key = keyOf(peter.public).publicKey
      const [signature] = noteOf(published).signatures
      const message = Buffer.from(peter.text)
      if (signature === undefined) return assert.fail("no signature")
      assert.isTrue(yield* Ed25519.verify(key, message, signature.bytes))
      assert.isFalse(yield* Ed25519.verify(key.subarray(1), message, signature.bytes))
      assert.isFalse(yield* Ed25519.verify(key, message, signature.bytes.subarray(1)))
      assert.isFalse(yield* Ed25519.verify(key, message.subarray(1), signature.bytes))
      assert.isFalse(yield* Ed25519.verify(key, message, new Uint8Array(64)))
    })
  )
})

describe("a cosignature", () => {
  const text = "log.example.com/audit\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"

  it.effect("is for its time and its checkpoint", () =>
    Effect.gen(function* () {
      const signer = yield* signerOf(witness)
      const signature = yield* Signer.cosign(text, 1_679_315_147, signer)
      const note = { text, signatures: [signature] }
      const [cosigned] = yield* Cosignature.verify(note, [signer.key])
      assert.deepInclude(cosigned, { time: 1_679_315_147 })
      const read = noteOf(SignedNote.format(note))
      assert.strictEqual((yield* Cosignature.verify(read, [signer.key])).length, 1)
      const spoilt = (change: (bytes: Buffer) => void) => {
        const bytes = Buffer.from(signature.bytes)
        change(bytes)
        return Effect.flip(Cosignature.verify({ text, signatures: [{ ...signature, bytes }] }, [signer.key]))
      }
      assert.deepInclude(yield* spoilt((bytes) => bytes.writeUInt8(1, 7)), { reason: "signature" })
      assert.deepInclude(yield* spoilt((bytes) => bytes.writeUInt8(255, 0)), { reason: "signature" })
      assert.deepInclude(yield* spoilt((bytes) => bytes.writeUInt8((bytes[71] ?? 0) ^ 1, 71)), { reason: "signature" })
      const other = yield* Effect.flip(Cosignature.verify({ ...note, text: text.replace("0\n", "1\n") }, [signer.key]))
      assert.strictEqual(other.reason, "signature")
      // The specification's message, by hand.
      assert.strictEqual(
        Buffer.from(Cosignature.messageOf(text, 1_679_315_147)).toString(),
        `cosignature/v1\ntime 1679315147\n${text}`
      )
    })
  )

  it.effect("is none of a log's key, nor the other way round", () =>
    Effect.gen(function* () {
      const [logs, witnesses] = [yield* signerOf(log), yield* signerOf(witness)]
      const cosigned = { text, signatures: [yield* Signer.cosign(text, 1, witnesses)] }
      assert.strictEqual(yield* reasonOf(SignedNote.format(cosigned), witnesses.key), "unsigned")
      const signed = { text, signatures: [yield* Signer.signNote(text, logs)] }
      assert.deepStrictEqual(yield* Cosignature.verify(signed, [logs.key]), [])
      assert.include(String(yield* Effect.exit(Signer.cosign(text, 1, logs))), "RangeError")
      assert.include(String(yield* Effect.exit(Signer.signNote(text, witnesses))), "RangeError")
    })
  )

  it.effect("counts once for each witness of the policy", () =>
    Effect.gen(function* () {
      const keys = yield* Effect.forEach([3, 4, 5], (seed) =>
        Effect.map(Signer.generate(`w${seed}.example.com`, 4, new Uint8Array(32).fill(seed)), ({ key }) => key)
      )
      const [one, two, three] = keys
      if (one === undefined || two === undefined || three === undefined) return assert.fail("no keys")
      const by = (...of: ReadonlyArray<VerifierKey.VerifierKey>) => of.map((key) => ({ witness: key, time: 1 }))
      const policy = { witnesses: keys, needed: 2 }
      assert.isNull(Cosignature.whyNoPolicy(policy))
      assert.isTrue(Cosignature.isMet(policy, by(one, three)))
      assert.isFalse(Cosignature.isMet(policy, by(one, one)))
      assert.isFalse(Cosignature.isMet({ witnesses: [one, two], needed: 2 }, by(one, three)))
      assert.isTrue(Cosignature.isMet({ witnesses: [], needed: 0 }, []))
      for (const wrong of [
        { witnesses: keys, needed: 4 },
        { witnesses: keys, needed: -1 },
        { witnesses: keys, needed: 1.5 },
        { witnesses: [one, { ...one, name: "other" }], needed: 1 },
        { witnesses: [keyOf(peter.public)], needed: 1 }
      ]) {
        assert.isString(Cosignature.whyNoPolicy(wrong))
      }
    })
  )
})

describe("the keys of a log", () => {
  it("stand one a line, with the sizes that they speak for", () => {
    const text = `# rotated\n${peter.public} -7\n\n  ${enoch.public}   7-\r\n`
    const keys = Result.getOrThrow(LogKey.parse(text))
    assert.deepStrictEqual(
      keys.map(({ from, key, to }) => [key.name, from, to]),
      [
        ["PeterNeumann", 0, 7],
        ["EnochRoot", 7, undefined]
      ]
    )
    assert.deepStrictEqual(keys.map(LogKey.format), [`${peter.public} 0-7`, `${enoch.public} 7-`])
    const [old, now] = keys
    if (old === undefined || now === undefined) return assert.fail("no keys")
    assert.deepStrictEqual(
      [6, 7, 8].map((size) => LogKey.covers(old, size)),
      [true, true, false]
    )
    assert.deepStrictEqual(
      [6, 7, 8].map((size) => LogKey.covers(now, size)),
      [false, true, true]
    )
    const [plain] = Result.getOrThrow(LogKey.parse(peter.public))
    assert.strictEqual(plain === undefined ? "" : LogKey.format(plain), peter.public)
  })

  for (const [why, text] of [
    ["no key", "# none\n"],
    ["no range", `${peter.public} 7`],
    ["a range that is empty", `${peter.public} 7-6`],
    ["something behind it", `${peter.public} 1-2 3`],
    ["a word", "hello"]
  ] as const) {
    it(`with ${why} are refused`, () => assert.isTrue(Result.isFailure(LogKey.parse(text))))
  }

  it.effect("are no witness's", () =>
    Effect.gen(function* () {
      const { key } = yield* witness
      assert.isTrue(Result.isFailure(LogKey.parse(VerifierKey.format(key))))
    })
  )
})
