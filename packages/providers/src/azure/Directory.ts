/**
 * Which identity in the tenant a requester's rights go to.
 *
 * 1. `principals` of the configuration come first; then the e-mail address as user principal name or mail address, or
 *    the subject as object id, if it is of an issuer whose subjects are. Exactly one user must have it, and must really have it: what a filter finds is compared.
 * 2. Guests keep their own address as `mail` (their principal name holds `#EXT#`): a tenant with guests looks up by
 *    `mail`.
 * 3. Object ids, not addresses, are what is stored and granted to: an address may be somebody else's tomorrow.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as ArmScope from "./ArmScope.ts"
import type { AzureCalls, PrincipalKind } from "./AzureCalls.ts"
import { type AzureConfig, objectIdIssuersOf } from "./AzureConfig.ts"
import * as AzureError from "./AzureError.ts"
import type { PrincipalType } from "./Right.ts"
import * as TtlCache from "./TtlCache.ts"

export interface Principal {
  readonly principalId: string
  readonly principalType: PrincipalType
}

/** Whom to look for: what the configuration and the grantee say, before anything is read. */
export type Sought =
  | { readonly by: "object_id"; readonly id: string; readonly kinds: ReadonlyArray<PrincipalKind> }
  | { readonly by: "mail" | "userPrincipalName"; readonly value: string }

export interface Directory {
  /** Null: the grantee has nothing to be looked up by. */
  readonly sought: (grantee: Provider.Grantee) => Sought | null
  readonly find: (grantee: Provider.Grantee) => Effect.Effect<Principal, Provider.ProviderError>
}

const types: Readonly<Record<PrincipalKind, PrincipalType>> = {
  user: "User",
  group: "Group",
  service_principal: "ServicePrincipal"
}

/** One spelling for comparing: Entra ID compares addresses without case. */
const folded = (address: string): string => address.toLowerCase()

/** An address that can be asked for: a line of visible text, as long as an address may be (RFC 5321, 4.5.3.1). */
const isAddress = (text: string): boolean =>
  text !== "" && text.length <= 254 && text.isWellFormed() && !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)

const nobody = (hint: string): Provider.ProviderError =>
  AzureError.refuse("PrincipalNotFound", "the directory has no identity for this requester", hint)

/** Words for what identifies whom rights go to; equal for equal ones. */
export const wordsOf = (sought: Sought): string =>
  sought.by === "object_id" ? `object_id:${sought.id}` : `${sought.by}:${sought.value}`

export const make = (calls: AzureCalls, config: AzureConfig): Directory => {
  const cache = TtlCache.make<Principal>({ ttlSeconds: 300, capacity: 1000 })

  const sought = (grantee: Provider.Grantee): Sought | null => {
    const email = grantee.email === null ? null : folded(grantee.email)
    const configured = config.principals.find(({ issuer, requester }) =>
      issuer === undefined
        ? email !== null && folded(requester) === email
        : issuer === grantee.issuer && requester === grantee.subject
    )
    if (configured !== undefined) {
      return { by: "object_id", id: configured.object_id.toLowerCase(), kinds: [configured.type] }
    }
    if (config.lookup === "object_id") {
      return ArmScope.isGuid(grantee.subject) && objectIdIssuersOf(config).includes(grantee.issuer)
        ? { by: "object_id", id: grantee.subject.toLowerCase(), kinds: config.object_types }
        : null
    }
    if (email === null || !isAddress(email)) return null
    return { by: config.lookup === "mail" ? "mail" : "userPrincipalName", value: email }
  }

  const byObjectId = (id: string, kinds: ReadonlyArray<PrincipalKind>) =>
    Effect.gen(function* () {
      for (const kind of kinds) {
        const found = yield* calls.principal(kind, id)
        if (found !== null && folded(found.id) === id) return { principalId: id, principalType: types[kind] }
      }
      return yield* nobody(`Entra ID has no ${kinds.join(" or ")} with the object id ${id}.`)
    })

  const byAddress = (by: "mail" | "userPrincipalName", value: string) =>
    Effect.gen(function* () {
      const all = (yield* calls.usersWith(by, value)).filter((one) => folded(one[by] ?? "") === value)
      const [only, another] = all
      if (only === undefined || !ArmScope.isGuid(only.id)) {
        return yield* nobody(
          `No user's ${by} is the requester's verified address; see \`providers.azure.lookup\` (guests: mail) and \`providers.azure.principals\`.`
        )
      }
      if (another !== undefined) {
        return yield* nobody(
          `More than one user has the requester's address as ${by}; name one in \`providers.azure.principals\`.`
        )
      }
      return { principalId: only.id.toLowerCase(), principalType: types.user }
    })

  return {
    sought,
    find: (grantee) => {
      const whom = sought(grantee)
      if (whom === null) {
        return nobody(
          config.lookup === "object_id"
            ? "The requester's subject is no object id, or not from an issuer whose subjects are (`providers.azure.object_id_issuer`); or name the requester in `providers.azure.principals`."
            : "The requester has no verified e-mail address to be looked up by; name the requester in `providers.azure.principals`."
        )
      }
      return cache.get(
        wordsOf(whom),
        whom.by === "object_id" ? byObjectId(whom.id, whom.kinds) : byAddress(whom.by, whom.value)
      )
    }
  }
}
