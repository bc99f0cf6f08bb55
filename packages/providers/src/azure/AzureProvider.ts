/**
 * The provider `azure`: a role of Azure RBAC for an identity of Entra ID at a scope of Azure Resource Manager.
 *
 * 1. What is asked for is a role's exact name or its definition's GUID, at a scope of the allow-list. `check` finds the
 *    role's and the identity's ids; `grant` uses these and looks nothing up again.
 * 2. Azure has one assignment per role, identity and scope, so overlapping grants hold one together and the last ends it
 *    (`Assignments.ts`, with PIM `Schedules.ts`). What somebody has without jitsudo is neither granted nor taken away.
 * 3. With `pim` Azure ends what was granted by itself. Without, the engine ends it, and `list` finds by the marks
 *    whatever was forgotten.
 * 4. A repeated grant answers with the end that the first one wrote.
 * 5. The resource key is scope and identity, without the role: a name and a GUID may be one role.
 *
 * What it cannot do: call back tokens and cached decisions, or confine the right to one process of the requester. The
 * identity is elevated everywhere it is signed in.
 */
import { randomUUID } from "node:crypto"
import { AskCheck, Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as ArmScope from "./ArmScope.ts"
import * as Assignments from "./Assignments.ts"
import * as AzureCalls from "./AzureCalls.ts"
import { AzureConfig, territory, whyNotConfig } from "./AzureConfig.ts"
import * as AzureError from "./AzureError.ts"
import * as AzureRole from "./AzureRole.ts"
import * as AzureSdk from "./AzureSdk.ts"
import * as Diagnosis from "./AzureDiagnosis.ts"
import * as Directory from "./Directory.ts"
import type { Keeper } from "./Keeper.ts"
import * as Mark from "./Mark.ts"
import * as Right from "./Right.ts"
import * as Schedules from "./Schedules.ts"
import * as TtlCache from "./TtlCache.ts"

const name = "azure"

/** Azure documents ten minutes for a change of role assignments (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting). */
const propagationSeconds = 600

export interface Options {
  /** How the SDKs are loaded; the installed packages when absent. */
  readonly load?: AzureSdk.Loaders
}

const capabilitiesOf = (config: AzureConfig): Provider.Capabilities => ({
  nativeExpiry: config.pim,
  earlyRevocation: {
    supported: true,
    withinSeconds: propagationSeconds + (config.pim ? AzureError.shortestPimSeconds : 0),
    note: config.pim
      ? "The role is refused within ten minutes of its removal, which PIM puts off until it was active for five minutes; until then, and in services that cache decisions until their tokens end, what was begun goes on."
      : "The role is refused within ten minutes of its removal; until then, and in services that cache decisions until their tokens end, what was begun goes on."
  },
  listing: true,
  inspection: true,
  minDurationSeconds: config.pim ? AzureError.shortestPimSeconds : 60,
  maxDurationSeconds: config.max_duration_seconds
})

/** The provider over given calls. */
export const fromCalls = (config: AzureConfig, calls: AzureCalls.AzureCalls): Provider.Provider => {
  const capabilities = capabilitiesOf(config)
  const entries = config.scopes.flatMap((written) => ArmScope.entryOf(written) ?? [])
  const directory = Directory.make(calls, config)
  const definitions = TtlCache.make<string>({ ttlSeconds: 300, capacity: 1000 })
  const keeper: Keeper = config.pim
    ? Schedules.make(calls, entries, { settleSeconds: config.settle_seconds, newName: randomUUID })
    : Assignments.make(calls, entries)

  const parse: Provider.Provider["parse"] = (ask) =>
    Result.flatMap(AskCheck.check(name, capabilities, ask), ({ durationSeconds, resourceScope: asked, role }) => {
      const resourceScope = ArmScope.canonical(asked)
      if (resourceScope === null) {
        return Result.fail(
          AzureError.refuse(
            "InvalidScope",
            "the scope must be a subscription's id or a full ARM path",
            "For example /subscriptions/<id>/resourceGroups/<name>."
          )
        )
      }
      if (!entries.some((entry) => ArmScope.allows(entry, resourceScope))) {
        return Result.fail(
          AzureError.refuse(
            "InvalidScope",
            "jitsudo does not reach this scope",
            "Add it to `providers.azure.scopes` if it should."
          )
        )
      }
      const canonical = { role: AzureRole.canonical(role), resourceScope, durationSeconds }
      return config.roles.some((entry) => AzureRole.allows(entry, canonical.role))
        ? Result.succeed(canonical)
        : Result.fail(
            AzureError.refuse(
              "InvalidRole",
              "jitsudo does not grant this role",
              "Add its exact name, or its definition's GUID, to `providers.azure.roles` if it should."
            )
          )
    })

  /** The ARM id of the one definition that is meant. */
  const definitionOf = (scope: string, role: string): Effect.Effect<string, Provider.ProviderError> =>
    Effect.gen(function* () {
      const found = ArmScope.isGuid(role)
        ? yield* Effect.map(calls.definition(scope, role), (one) => (one === null ? [] : [one]))
        : (yield* calls.definitionsNamed(scope, role)).filter(({ roleName }) => roleName === role)
      const ids = [
        ...new Set(found.flatMap(({ id }) => (id !== undefined && AzureRole.guidIn(id) !== null ? [id] : [])))
      ]
      const [only] = ids
      if (only === undefined || ids.length > 1) {
        return yield* AzureError.refuse(
          "RoleNotFound",
          only === undefined ? "this role does not exist there" : "this name stands for more than one role",
          only === undefined
            ? `No role definition at ${scope} has exactly this name; names are compared with case.`
            : `More than one role definition at ${scope} has this name; list and ask for a GUID.`
        )
      }
      return only
    })

  const rightOf = (canonical: Provider.Canonical, grantee: Provider.Grantee) =>
    Effect.gen(function* () {
      const { resourceScope: scope, role } = canonical
      const roleDefinitionId = yield* definitions.get(`${scope} ${role}`, definitionOf(scope, role))
      const principal = yield* directory.find(grantee)
      const right = Right.fromFacts(scope, { roleDefinitionId, ...principal })
      return right ?? (yield* AzureError.refuse("InvalidScope", "this scope cannot be granted", `It was ${scope}.`))
    })

  const check: Provider.Provider["check"] = (canonical, grantee) =>
    Effect.gen(function* () {
      const right = yield* rightOf(canonical, grantee)
      if (yield* keeper.isStanding(right)) return yield* AzureError.haveItAlready(right.scope)
      return { maxDurationSeconds: capabilities.maxDurationSeconds, facts: Right.facts(right) }
    })

  const resourceKey: Provider.Provider["resourceKey"] = ({ resourceScope }, grantee) => {
    const whom = directory.sought(grantee)
    return `${resourceScope} ${Mark.keyOf(whom === null ? `nobody:${grantee.issuer} ${grantee.subject}` : Directory.wordsOf(whom))}`
  }

  const keyIn = (key: string): string => key.slice(key.lastIndexOf(" ") + 1)

  const grant: Provider.Provider["grant"] = (request) =>
    Effect.gen(function* () {
      const { canonical, grantee, requestId } = request
      if (!Mark.isRequestId(requestId)) {
        return yield* AzureError.refuse(
          "InvalidReference",
          "the request's id cannot stand in a mark",
          "Ids are req_ and a ULID."
        )
      }
      const right = Right.fromFacts(canonical.resourceScope, request.checked) ?? (yield* rightOf(canonical, grantee))
      const end = Time.plusSeconds(request.now, canonical.durationSeconds)
      const own: Mark.Holder = {
        requestId,
        installation:
          request.installation !== undefined && Provider.isInstallation(request.installation)
            ? request.installation
            : null,
        until: Time.make(Math.floor(end / 1000) * 1000)
      }
      const { assignment, until } = yield* keeper.grant(request, right, own, keyIn(resourceKey(canonical, grantee)))
      // A repeat answers with what the first one wrote, and never with more than is asked for now.
      const notAfter = Time.min(until, own.until)
      const subscription = ArmScope.subscriptionOf(right.scope)
      return {
        issuedAt: Time.plusSeconds(notAfter, -canonical.durationSeconds),
        notAfter,
        reference: Right.reference({ requestId, right, assignment, until: notAfter }),
        credentials: {
          AZURE_TENANT_ID: config.tenant_id,
          ...(subscription === null ? {} : { AZURE_SUBSCRIPTION_ID: subscription })
        }
      }
    })

  /** The right that a request is about, from what `check` found or what the grant left. */
  const meant = (request: Provider.EndRequest) => {
    const reference = Right.fromReference(request.requestId, request.reference)
    const checked = Right.fromFacts(request.canonical.resourceScope, request.checked)
    const right = checked ?? reference?.right ?? null
    return {
      right,
      reference: reference !== null && right !== null && Right.isSame(reference.right, right) ? reference : null
    }
  }

  const unknowable = (): Provider.ProviderError =>
    AzureError.refuse(
      "InvalidReference",
      "what was granted cannot be told",
      "Neither the stored facts nor the reference name a role, an identity and a scope; look for the request's id in the descriptions of role assignments."
    )

  return {
    name,
    capabilities,
    parse,
    check,
    grant,
    end: (request) => {
      const { reference, right } = meant(request)
      return right === null || !Mark.isRequestId(request.requestId)
        ? Effect.fail(unknowable())
        : keeper.end(request, right, reference)
    },
    resourceKey,
    inspect: (request) => {
      const { reference, right } = meant(request)
      return right === null || !Mark.isRequestId(request.requestId)
        ? Effect.succeed("unknown" as const)
        : keeper.inspect(request, right, reference)
    },
    list: () =>
      Effect.map(keeper.list, (all) =>
        all.map(({ assignment, holder, key, right }) => ({
          requestId: holder.requestId,
          resourceKey: `${right.scope} ${key ?? Mark.keyOf(`object_id:${right.principalId}`)}`,
          reference: Right.reference({ requestId: holder.requestId, right, assignment, until: holder.until }),
          notAfter: holder.until,
          installation: holder.installation,
          canonical: { role: Right.roleOf(right), resourceScope: right.scope, durationSeconds: 0 },
          checked: Right.facts(right)
        }))
      ),
    diagnose: Diagnosis.make(config, calls, { entries, definitionOf, find: directory.find })
  }
}

/** The provider of this configuration; an unusable one is refused with the key at fault. */
export const make = (
  config: AzureConfig,
  options: Options = {}
): Effect.Effect<Provider.Provider, ProviderPlugin.ProviderConfigError> =>
  Effect.gen(function* () {
    const why = whyNotConfig(config)
    if (why !== null) return yield* why
    const sdk = yield* AzureSdk.loadSdk(options.load ?? AzureSdk.installed)
    return fromCalls(config, AzureCalls.make(sdk, config))
  })

/** How the daemon loads it. */
export const plugin: ProviderPlugin.ProviderPlugin<AzureConfig> = {
  name,
  config: AzureConfig,
  make: (config) => make(config),
  territory
}
