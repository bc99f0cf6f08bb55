import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { describe, expect, it } from "vitest"
import { defineProvider, refusal } from "../src/defineProvider.ts"
import * as ProviderPlugin from "../src/ProviderPlugin.ts"
import * as Providers from "../src/Providers.ts"
import * as Time from "../src/Time.ts"

const door = defineProvider({
  name: "door",
  capabilities: {
    nativeExpiry: false,
    earlyRevocation: { supported: true, withinSeconds: 0, note: "The door locks at once." },
    listing: false,
    inspection: false,
    minDurationSeconds: 1,
    maxDurationSeconds: 60
  },
  check: async () => {
    throw refusal({
      reason: "ProviderThrottled",
      message: "busy",
      hint: "Raise `providers.door.limit`; see `providers.doors.x`.",
      retryAfterSeconds: 3
    })
  },
  grant: async () => {
    throw refusal({ reason: "ProviderDenied", message: "no", hint: "Ask `providers.door.owner`." })
  },
  end: async () => {},
  diagnose: async () => [{ what: "hinge", ok: true, missing: null, hint: "" }]
})

const grantee = { issuer: "https://id.example", subject: "ana", email: null }
const canonical = { role: "open", resourceScope: "cellar", durationSeconds: 10 }

describe("a provider under another name", () => {
  const cellar = Providers.named(door, "cellar", "providers.cellar.config")

  it("has that name in itself and in every error, and hints name the operator's section", async () => {
    expect(cellar.name).toBe("cellar")
    const failure = await Effect.runPromise(Effect.flip(cellar.check(canonical, grantee)))
    expect(failure).toMatchObject({
      provider: "cellar",
      reason: "ProviderThrottled",
      effect: "unknown",
      retryAfterSeconds: 3,
      hint: "Raise `providers.cellar.config.limit`; see `providers.doors.x`."
    })
    const refused = cellar.parse({ ...canonical, durationSeconds: 61 })
    expect(Result.isFailure(refused) && refused.failure.provider).toBe("cellar")
    const request = {
      requestId: "req_1",
      grantee,
      canonical,
      checked: {},
      reason: "",
      metadata: {},
      now: Time.make(0),
      neighbours: []
    }
    expect((await Effect.runPromise(Effect.flip(cellar.grant(request)))).hint).toBe(
      "Ask `providers.cellar.config.owner`."
    )
  })

  it("does what the other does", async () => {
    expect(cellar.resourceKey(canonical, grantee)).toBe(door.resourceKey(canonical, grantee))
    expect(
      await Effect.runPromise(cellar.diagnose?.({ canonical: null, grantee: null }) ?? Effect.succeed([]))
    ).toEqual([{ what: "hinge", ok: true, missing: null, hint: "" }])
    expect(Providers.make([door, cellar]).names).toEqual(["cellar", "door"])
  })
})

describe("a plug-in as promises", () => {
  const plugin = (make: () => ReturnType<typeof defineProvider>) =>
    ProviderPlugin.definePlugin({ name: "door", config: Schema.Struct({}), make: async () => make() })

  it("gives its provider", async () => {
    expect((await Effect.runPromise(Effect.scoped(plugin(() => door).make({})))).name).toBe("door")
  })

  it("fails with what it says of its configuration, and dies of anything else", async () => {
    const wrong = new ProviderPlugin.ProviderConfigError({ provider: "door", key: "limit", message: "is too low" })
    const failing = plugin(() => {
      throw wrong
    })
    expect(await Effect.runPromise(Effect.scoped(Effect.flip(failing.make({}))))).toBe(wrong)
    const broken = plugin(() => {
      throw new TypeError("a bug")
    })
    await expect(Effect.runPromise(Effect.scoped(broken.make({})))).rejects.toThrow("a bug")
  })
})
