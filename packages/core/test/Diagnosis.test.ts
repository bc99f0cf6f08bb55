import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import * as Diagnosis from "../src/Diagnosis.ts"
import { type Provider, ProviderError } from "../src/Provider.ts"
import * as Time from "../src/Time.ts"

const refused = (reason: ProviderError["reason"]) =>
  new ProviderError({
    provider: "probe",
    reason,
    retryable: false,
    effect: "none",
    message: "no",
    hint: "Give iam:GetRole to the daemon."
  })

const writes: Array<string> = []

const sound: Provider = {
  name: "probe",
  capabilities: {
    nativeExpiry: true,
    earlyRevocation: { supported: true, withinSeconds: 0, note: "at once" },
    listing: true,
    inspection: true,
    minDurationSeconds: 1,
    maxDurationSeconds: 3600
  },
  parse: ({ role, resourceScope, durationSeconds }) =>
    role === "no" ? Result.fail(refused("InvalidRole")) : Result.succeed({ role, resourceScope, durationSeconds }),
  check: () => Effect.succeed({ maxDurationSeconds: 3600, facts: { id: "role-1" } }),
  grant: () => Effect.sync(() => writes.push("grant")).pipe(Effect.andThen(Effect.fail(refused("ProviderDenied")))),
  end: () => Effect.sync(() => writes.push("end")).pipe(Effect.as({ note: null })),
  resourceKey: ({ role }) => role,
  inspect: (request) => Effect.succeed(request.checked["id"] === "role-1" ? "ended" : "active"),
  list: () => Effect.succeed([])
}

const ask = { role: "reader", resourceScope: "prod", durationSeconds: 600 }
const grantee = { issuer: "https://id.example", subject: "ana", email: null }

const diagnose = (changes: Partial<Provider>, question: Partial<Diagnosis.Question> = {}) =>
  Effect.runPromise(
    Diagnosis.run({ ...sound, ...changes }, { ask, grantee: null, now: Time.make(1_000_000), ...question })
  )

describe("a diagnosis", () => {
  it("looks at everything in the order of a request, and writes nothing", async () => {
    const findings = await diagnose({
      diagnose: (probe) =>
        Effect.succeed([{ what: `credentials for ${probe.canonical?.role}`, ok: true, missing: null, hint: "" }])
    })
    expect(findings.map(({ what, ok }) => [what, ok])).toEqual([
      ["parse", true],
      ["credentials for reader", true],
      ["check of reader on prod", true],
      ["list of what carries jitsudo's mark", true],
      ["inspect of a grant that never was", true]
    ])
    expect(Diagnosis.isGood(findings)).toBe(true)
    expect(writes).toEqual([])
  })

  it("asks about the connection alone when no right is named", async () => {
    const findings = await diagnose(
      { diagnose: (probe) => Effect.succeed([{ what: "x", ok: probe.canonical === null, missing: null, hint: "" }]) },
      { ask: null }
    )
    expect(findings.map(({ what, ok }) => [what, ok])).toEqual([
      ["x", true],
      ["list of what carries jitsudo's mark", true]
    ])
  })

  it("goes on after trouble, and every trouble is a finding with what to do", async () => {
    const findings = await diagnose({
      diagnose: () => Effect.fail(refused("ProviderDenied")),
      check: () => Effect.fail(refused("ProviderDenied")),
      list: () => {
        throw new Error("a bug")
      }
    })
    expect(findings.map(({ what, ok }) => [what, ok])).toEqual([
      ["parse", true],
      ["diagnose", false],
      ["check of reader on prod", false],
      ["list", false]
    ])
    expect(findings[2]?.hint).toBe("ProviderDenied: no. Give iam:GetRole to the daemon.")
    expect(findings[3]?.hint).toMatch(/bug of the provider/u)
    expect(Diagnosis.isGood(findings)).toBe(false)
  })

  it("says that a right cannot be asked for, and looks at no more of it", async () => {
    const findings = await diagnose({}, { ask: { ...ask, role: "no" } })
    expect(findings.map(({ what, ok }) => [what, ok])).toEqual([
      ["parse", false],
      ["list of what carries jitsudo's mark", true]
    ])
  })

  it("finds a right that the platform grants for less, and an `inspect` that sees what is not there", async () => {
    const shorter = await diagnose({ check: () => Effect.succeed({ maxDurationSeconds: 60, facts: {} }) })
    expect(shorter.find(({ what }) => what.startsWith("check"))).toMatchObject({ ok: false, hint: /60 s/u })
    const lying = await diagnose({ inspect: () => Effect.succeed("active") })
    expect(lying.find(({ what }) => what.startsWith("inspect"))?.ok).toBe(false)
  })

  it("does not call an unnamed requester a fault, but a named one", async () => {
    const check: Provider["check"] = () => Effect.fail(refused("PrincipalNotFound"))
    const of = async (who: typeof grantee | null) =>
      (await diagnose({ check }, { grantee: who })).find(({ what }) => what.startsWith("check"))?.ok
    expect(await of(null)).toBeNull()
    expect(await of(grantee)).toBe(false)
  })

  it("waits for no call for ever", async () => {
    const findings = await diagnose({ list: () => Effect.never }, { ask: null, timeoutSeconds: 0 })
    expect(findings).toEqual([{ what: "list", ok: false, missing: null, hint: "There was no answer within 0 s." }])
  })
})
