/** The engine in your own program: your policy in code, your people, a provider; state in memory. */
import { Elevations, Engine, Labels, Notification, Principals, Providers, Sealer, Settings, Time } from "@jitsudo/core"
import { MemoryProvider, MemoryStore, StaticPolicy } from "@jitsudo/core/memory"
import { Console, Effect, Layer } from "effect"

/** Engineers may ask, and one of the leads decides. Policy could come from Rego instead (`@jitsudo/rego`). */
const policy: StaticPolicy.Rules = {
  eligibility: ({ requester }) => ({ allowed: requester.groups.includes("engineers") }),
  routing: () => ({ stages: [{ policy: "leads", groups: ["leads"], users: [], quorum: 1 }] })
}

// #region embed
const ports = Layer.mergeAll(
  MemoryStore.layer,
  StaticPolicy.layer(policy),
  Providers.layerOf([MemoryProvider.make().provider]),
  Layer.mergeAll(Labels.layerTable([]), Settings.layer(), Sealer.layerMemory, Notification.layerNone)
)
export const engine = Engine.layer().pipe(Layer.provideMerge(ports))
export const elevate = Effect.fn("elevate")(function* (ada: Principals.SignIn, ben: Principals.SignIn) {
  yield* Effect.forEach([ada, ben], (yield* Principals.Principals).signIn)
  const elevations = yield* Elevations.Elevations
  const asked = yield* elevations.request(ada, ask, { channel: "embedded", sourceIp: "" })
  yield* elevations.approve(ben, asked.id, { comment: "go ahead", digest: asked.digest })
  return yield* elevations.credentials(ada, asked.id)
})
// #endregion embed

/** What Ada asks for. */
const ask: Elevations.AskInput = {
  provider: "memory",
  role: "admin",
  resourceScope: "billing",
  durationSeconds: 900,
  reason: "month end",
  metadata: {},
  breakGlass: false
}

/** What your own sign-in says about somebody. */
export const person = (name: string, groups: ReadonlyArray<string>, now: Time.Time): Principals.SignIn => ({
  issuer: "https://login.example.com",
  subject: name,
  email: `${name}@example.com`,
  groups,
  groupsReadAt: now,
  kind: "human",
  owner: null,
  authTime: now,
  amr: []
})

if (import.meta.main) {
  const now = Time.make(Date.now())
  const { notAfter, values } = await Effect.runPromise(
    Effect.provide(elevate(person("ada", ["engineers"], now), person("ben", ["leads"], now)), engine)
  )
  Effect.runSync(Console.log(`granted until ${Time.toRfc3339(notAfter)}: ${Object.keys(values).join(", ")}`))
}
