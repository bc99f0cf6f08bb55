/**
 * What tests of the provider `azure` share: the engine's part towards it, and looks at what became of Azure.
 */
import { assert } from "@effect/vitest"
import { type Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import type { AzureWire } from "@jitsudo/providers/testing"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import {
  alice,
  group,
  leastPrivilege,
  leastPrivilegeWithPim,
  liveRights,
  providerOf,
  started,
  wireOptions
} from "./AzureFixture.ts"

export const rbac = "Microsoft.Authorization"
export const idOf = (number: number): string => `req_${String(number).padStart(26, "0")}`
export const nowOf = (wire: AzureWire.AzureWire): Time.Time => Time.make(wire.now())
export const canonical = { role: "Reader", resourceScope: group, durationSeconds: 1800 }

/** The engine's part: it checks, grants and ends, and names the neighbours. */
export const deskOf = (wire: AzureWire.AzureWire, provider: Provider.Provider) => {
  const entries = new Map<number, Provider.Neighbour & { readonly checked: Provider.GrantRequest["checked"] }>()
  const neighbours = (number: number): ReadonlyArray<Provider.Neighbour> =>
    [...entries]
      .filter(([id, { notAfter }]) => id !== number && nowOf(wire) < notAfter)
      .map(([, { notAfter, reference, requestId, state }]) => ({ requestId, state, notAfter, reference }))
  const grant = (number: number, part: Partial<Provider.GrantRequest> = {}) =>
    Effect.gen(function* () {
      const asked = part.canonical ?? canonical
      const who = part.grantee ?? alice
      const { facts } = yield* provider.check(asked, who)
      const notAfter = Time.plusSeconds(nowOf(wire), asked.durationSeconds + 5)
      const entry = { requestId: idOf(number), state: "active" as const, notAfter, reference: null, checked: facts }
      entries.set(number, entry)
      const granted = yield* provider.grant({
        requestId: idOf(number),
        grantee: who,
        canonical: asked,
        checked: facts,
        reason: "INC-1: look at the queue",
        metadata: {},
        now: nowOf(wire),
        neighbours: neighbours(number),
        ...part
      })
      entries.set(number, { ...entry, reference: granted.reference })
      return granted
    })
  const endRequest = (number: number, part: Partial<Provider.EndRequest> = {}): Provider.EndRequest => {
    const entry = entries.get(number)
    return {
      requestId: idOf(number),
      grantee: alice,
      canonical,
      checked: entry?.checked ?? {},
      reference: entry?.reference ?? null,
      notAfter: entry?.notAfter ?? nowOf(wire),
      why: "early",
      now: nowOf(wire),
      neighbours: neighbours(number),
      ...part
    }
  }
  const end = (number: number, part: Partial<Provider.EndRequest> = {}) =>
    Effect.suspend(() => {
      const request = endRequest(number, part)
      const entry = entries.get(number)
      if (entry !== undefined) entries.set(number, { ...entry, state: "ended" })
      return provider.end(request)
    })
  return {
    grant,
    end,
    endRequest,
    inspect: (number: number) => Effect.suspend(() => provider.inspect(endRequest(number)))
  }
}

export interface World {
  readonly wire: AzureWire.AzureWire
  readonly provider: Provider.Provider
  readonly desk: ReturnType<typeof deskOf>
}

type Making = Effect.Effect<World, ProviderPlugin.ProviderConfigError, Scope.Scope>

/** A tenant, the provider that speaks to it, and a desk; with these keys, these rights of the daemon, this tenant. */
export const world = (
  fields: object = {},
  actions: ReadonlyArray<string> = leastPrivilege,
  client: Partial<AzureWire.WireClient> = {},
  more: Partial<AzureWire.WireOptions> = {}
): Making =>
  Effect.gen(function* () {
    const wire = yield* started(wireOptions(actions, client, more))
    const provider = yield* providerOf(wire, fields)
    return { wire, provider, desk: deskOf(wire, provider) }
  })

export const withPim = (pim: Partial<AzureWire.Pim> = {}, fields: object = {}): Making =>
  world({ pim: true, ...fields }, leastPrivilegeWithPim, {}, { pim: { keepsFiveMinutes: false, ...pim } })

/** The requests that Azure lets through now. */
export const living = (wire: AzureWire.AzureWire): ReadonlyArray<string> =>
  liveRights(wire)
    .map(({ requestId }) => requestId)
    .toSorted()

/** The one assignment that there is. */
export const only = (wire: AzureWire.AzureWire): AzureWire.Assigned => {
  const [one, another] = wire.assignments()
  assert.isDefined(one)
  assert.isUndefined(another)
  return one
}

/** What was asked of ARM's authorization API, in order. */
export const operations = (wire: AzureWire.AzureWire): ReadonlyArray<string> =>
  wire
    .calls()
    .map(({ operation }) => operation)
    .filter((operation) => operation.startsWith(rbac))
    .map((operation) => operation.slice(rbac.length + 1))
