/** Sealing by AES-GCM: the contract, sealers that are wrong on purpose, and what happens when keys rotate. */
import * as Effect from "effect/Effect"
import * as Base64 from "effect/encoding/Base64"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { describe, expect, it } from "vitest"
import * as Sealers from "../src/Sealer.ts"
import * as SealerContract from "../src/testing/SealerContract.ts"
import * as Fixtures from "../src/testing/Fixtures.ts"
import { sealerSuite } from "../src/testing/vitest.ts"

const { Sealer } = Sealers

const key = (id: string, fill: number, length = 32): Sealers.SealingKey => ({
  id,
  key: Redacted.make(new Uint8Array(length).fill(fill))
})

const context: Sealers.SealingContext = {
  requestId: Fixtures.id("req", 1),
  requester: Fixtures.keyFor(Fixtures.ana),
  notAfter: Fixtures.monday
}

sealerSuite("the sealer in memory", { layer: Sealers.layerMemory })
sealerSuite("the sealer over configured keys", { layer: Sealers.layer([key("old", 1), key("new", 2)], "new") })

type Mutate = (sound: Sealers.Sealer["Service"]) => Partial<Sealers.Sealer["Service"]>

const mutants: ReadonlyArray<readonly [string, Mutate, string]> = [
  [
    "keeps credentials readable",
    () => ({
      seal: (credentials) =>
        Effect.succeed({ keyId: "memory", nonce: "", ciphertext: Base64.encode(JSON.stringify(credentials)) })
    }),
    "sealing twice gives two ciphertexts under two nonces, of which neither shows a value"
  ],
  [
    "gives one ciphertext for one secret",
    (sound) => {
      let first: Sealers.SealedCredentials | undefined
      return {
        seal: (credentials, where) =>
          first === undefined
            ? Effect.tap(sound.seal(credentials, where), (sealed) => Effect.sync(() => (first = sealed)))
            : Effect.succeed(first)
      }
    },
    "sealing twice gives two ciphertexts under two nonces, of which neither shows a value"
  ],
  ...(["requestId", "requester", "notAfter"] as const).map((field): readonly [string, Mutate, string] => [
    `does not bind ${field}`,
    (sound) => ({
      seal: (credentials, where) => sound.seal(credentials, { ...where, [field]: context[field] }),
      open: (sealed, where) => sound.open(sealed, { ...where, [field]: context[field] })
    }),
    "it is opened for no other request, requester or end"
  ]),
  [
    "opens what was cut with nothing in it",
    (sound) => ({ open: (sealed, where) => Effect.catch(sound.open(sealed, where), () => Effect.succeed({})) }),
    "whatever was changed, cut, lengthened or swapped is refused"
  ],
  [
    "takes every key for the active one",
    (sound) => ({ open: (sealed, where) => sound.open({ ...sealed, keyId: "memory" }, where) }),
    "without its key it is not opened, and says which trouble it is"
  ],
  [
    "loses empty values",
    (sound) => ({
      seal: (credentials, where) =>
        sound.seal(Object.fromEntries(Object.entries(credentials).filter(([, value]) => value !== "")), where)
    }),
    "what was sealed is opened in its own place, unchanged"
  ]
]

describe("the Sealer contract objects to a sealer that", () => {
  for (const [wrong, mutate, name] of mutants) {
    it(wrong, async () => {
      const layer = Layer.effect(
        Sealer,
        Effect.gen(function* () {
          const sound = yield* Sealer
          return Sealer.of({ ...sound, ...mutate(sound) })
        })
      ).pipe(Layer.provide(Sealers.layerMemory))
      const one = SealerContract.suite({ layer }).cases.find((candidate) => candidate.name === name)
      if (one === undefined) throw new Error(`no case is called "${name}"`)
      expect(Exit.isFailure(await Effect.runPromiseExit(one.run))).toBe(true)
    })
  }

  it("for each sentence of it", () => {
    const objecting = new Set(mutants.map(([, , name]) => name))
    const names = SealerContract.suite({ layer: Sealers.layerMemory }).cases.map((one) => one.name)
    expect(names.filter((name) => !objecting.has(name))).toEqual([])
  })
})

describe("keys", () => {
  const secret = { TOKEN: "t" }
  const sealed = (keys: ReadonlyArray<Sealers.SealingKey>, active: string) =>
    Effect.flatMap(Sealers.make(keys, active), (sealer) => sealer.seal(secret, context))

  it("rotate: the active one seals, an older one still opens", async () => {
    const old = await Effect.runPromise(sealed([key("old", 1)], "old"))
    const rotated = await Effect.runPromise(Sealers.make([key("old", 1), key("new", 2)], "new"))
    expect(await Effect.runPromise(rotated.open(old, context))).toEqual(secret)
    expect((await Effect.runPromise(rotated.seal(secret, context))).keyId).toBe("new")
  })

  it("that are gone open nothing, and another key under the same id neither", async () => {
    const old = await Effect.runPromise(sealed([key("old", 1)], "old"))
    const without = await Effect.runPromise(Sealers.make([key("new", 2)], "new"))
    expect((await Effect.runPromise(Effect.flip(without.open(old, context)))).why).toBe("key_unknown")
    const replaced = await Effect.runPromise(Sealers.make([key("old", 9)], "old"))
    expect((await Effect.runPromise(Effect.flip(replaced.open(old, context)))).why).toBe("refused")
  })

  it("are bound: a ciphertext under another id's name is refused, though both keys are the same", async () => {
    const both = await Effect.runPromise(Sealers.make([key("a", 1), key("b", 1)], "a"))
    const one = await Effect.runPromise(both.seal(secret, context))
    expect((await Effect.runPromise(Effect.flip(both.open({ ...one, keyId: "b" }, context)))).why).toBe("refused")
  })

  it.each([
    ["none at all", [], "a", "no sealing key with id a"],
    ["an unknown active id", [key("a", 1)], "b", "no sealing key with id b"],
    ["31 bytes", [key("a", 1, 31)], "a", "sealing key a must have 32 bytes"],
    ["16 bytes", [key("b", 1), key("a", 1, 16)], "b", "sealing key a must have 32 bytes"]
  ] as const)("are refused at the start: %s", async (_, keys, active, message) => {
    const exit = await Effect.runPromiseExit(Sealers.make(keys, active))
    expect(Exit.isFailure(exit) && String(exit.cause)).toContain(message)
  })

  it("do not show when they are printed", () => {
    expect(`${JSON.stringify(key("a", 65))} ${String(key("a", 65).key)}`).not.toContain("65")
  })
})
