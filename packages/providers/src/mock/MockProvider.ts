/**
 * The provider `mock`: a platform that opens nothing, for demos, tests and drills.
 *
 * It is there only when it is configured. It keeps the whole contract (idempotent by request id, additive, native
 * expiry, listing, inspection) and fails on demand, from within (`control`) or from another process (`control_file`).
 * Its truth can live in a file, so that it survives the daemon and a crash test can compare the two.
 */
import { randomBytes } from "node:crypto"
import { AskCheck, Provider, type ProviderPlugin, Time } from "@jitsudo/core"
import { ProviderFaults } from "@jitsudo/core/memory"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { MockConfig } from "./MockConfig.ts"
import { type MockFault, readControl } from "./MockControl.ts"
import * as MockJournal from "./MockJournal.ts"
import * as MockState from "./MockState.ts"

export interface Mock {
  readonly provider: Provider.Provider
  /** Faults for the next calls of this process. */
  readonly control: Pick<ProviderFaults.ProviderFaults, "inject" | "hold" | "setLatency">
  /** Everything that was ever granted. */
  readonly truth: () => ReadonlyArray<MockState.MockGrant>
  /** What the platform lets through at `now`. */
  readonly live: (now: Time.Time) => ReadonlyArray<MockState.MockGrant>
  readonly journal: () => ReadonlyArray<MockJournal.MockCall>
  /** Somebody removes it behind our back. */
  readonly remove: (requestId: string, now: Time.Time) => void
}

const name = "mock"

const holdPoll = "20 millis"

/** The mock of this configuration. */
export const make = (config: MockConfig): Mock => {
  const capabilities: Provider.Capabilities = {
    nativeExpiry: config.native_expiry,
    earlyRevocation: { supported: true, withinSeconds: 0, note: "The mock's right stops at once." },
    listing: true,
    inspection: true,
    minDurationSeconds: config.min_duration_seconds,
    maxDurationSeconds: config.max_duration_seconds
  }
  const state = config.state_file === undefined ? MockState.inMemory() : MockState.inFile(config.state_file)
  const journal = MockJournal.make(config.journal_file)
  const faults = ProviderFaults.make(name)
  faults.setLatency(config.latency_millis)

  const error = (
    reason: Provider.ProviderReason,
    effect: "none" | "unknown",
    retryable: boolean,
    message: string,
    hint: string
  ): Provider.ProviderError => new Provider.ProviderError({ provider: name, reason, retryable, effect, message, hint })

  const control = Effect.try({
    try: () =>
      config.control_file === undefined ? { latencyMillis: 0, faults: [] } : readControl(config.control_file),
    catch: () =>
      error(
        "ProviderUnavailable",
        "none",
        true,
        "the mock's control file cannot be read",
        "Write a JSON object with `latencyMillis` and `faults` to the file that `providers.mock.control_file` names."
      )
  })

  const whileNamed = (fault: MockFault): Effect.Effect<void, Provider.ProviderError> =>
    Effect.gen(function* () {
      while ((yield* control).faults.some((one) => one.id === fault.id)) yield* Effect.sleep(holdPoll)
    })

  const signal = (which: "SIGKILL" | "SIGSTOP") => Effect.sync(() => process.kill(process.pid, which))

  /** A call with the fault that the control file has for it. */
  const underControl = <A>(
    operation: ProviderFaults.Operation,
    requestId: string | null,
    perform: Effect.Effect<A, Provider.ProviderError>
  ): Effect.Effect<A, Provider.ProviderError> =>
    Effect.gen(function* () {
      const { latencyMillis, faults: due } = yield* control
      if (latencyMillis > 0) yield* Effect.sleep(latencyMillis)
      const fault = due.find(
        (one) =>
          one.operation === operation &&
          (one.requestId === undefined || one.requestId === requestId) &&
          state.faultUses(one.id) < one.times
      )
      if (fault === undefined) return yield* perform
      state.append({ kind: "fault", id: fault.id })
      switch (fault.kind) {
        case "failBefore":
          return yield* error(
            "ProviderUnavailable",
            "none",
            true,
            "the mock is not available",
            "Asked for by its control file."
          )
        case "throttle":
          return yield* error(
            "ProviderThrottled",
            "none",
            true,
            "the mock asks to slow down",
            "Asked for by its control file."
          )
        case "failAfter":
        case "loseAnswer":
          yield* perform
          return yield* error(
            "ProviderUnavailable",
            "unknown",
            true,
            "the mock did not answer",
            "Asked for by its control file."
          )
        case "hangBefore":
          return yield* Effect.never
        case "hangAfter":
          yield* perform
          return yield* Effect.never
        case "holdBefore":
          yield* whileNamed(fault)
          return yield* perform
        case "holdAfter": {
          const answer = yield* perform
          yield* whileNamed(fault)
          return answer
        }
        case "killBefore":
        case "stopBefore":
          yield* signal(fault.kind === "killBefore" ? "SIGKILL" : "SIGSTOP")
          return yield* perform
        case "killAfter":
        case "stopAfter": {
          const answer = yield* perform
          yield* signal(fault.kind === "killAfter" ? "SIGKILL" : "SIGSTOP")
          return answer
        }
      }
    })

  const call = <A>(
    operation: ProviderFaults.Operation,
    requestId: string | null,
    now: Time.Time | null,
    perform: () => Result.Result<A, Provider.ProviderError>
  ): Effect.Effect<A, Provider.ProviderError> => {
    const at = (phase: MockJournal.MockCall["phase"], reason?: string) =>
      Effect.map(Clock.currentTimeMillis, (wallClock) =>
        journal.write(wallClock, { operation, phase, requestId, now, ...(reason === undefined ? {} : { reason }) })
      )
    const performed = Effect.suspend(() => Effect.fromResult(perform())).pipe(Effect.tap(() => at("performed")))
    return at("received").pipe(
      Effect.andThen(faults.around(operation, underControl(operation, requestId, performed))),
      Effect.tap(() => at("answered")),
      Effect.tapError((failure) => at("failed", failure.reason))
    )
  }

  const roleExists = (role: string): Result.Result<void, Provider.ProviderError> =>
    config.roles === undefined || config.roles.includes(role)
      ? Result.void
      : Result.fail(
          error("RoleNotFound", "none", false, "this role does not exist", "Add it to `providers.mock.roles`.")
        )

  const ours = (request: Provider.EndRequest): Result.Result<void, Provider.ProviderError> =>
    request.reference === null ||
    (Object.keys(request.reference).length === 1 && request.reference["mock"] === request.requestId)
      ? Result.void
      : Result.fail(
          error(
            "InvalidReference",
            "none",
            false,
            "the stored reference is not one of the mock's",
            "The reference in the database is damaged; ending without it takes back whatever the request left."
          )
        )

  const resourceKey: Provider.Provider["resourceKey"] = (canonical, grantee) =>
    JSON.stringify([name, canonical.resourceScope, canonical.role, grantee.issuer, grantee.subject])

  const live = (now: Time.Time): ReadonlyArray<MockState.MockGrant> =>
    [...state.grants().values()].filter((grant) => MockState.isAlive(grant, now, config.native_expiry))

  /** `list` carries no `now`: it goes by the latest that this process was given, or its clock. */
  let latest = Time.make(0)
  const seen = (now: Time.Time): void => {
    latest = Time.max(latest, now)
  }

  const provider: Provider.Provider = {
    name,
    capabilities,
    parse: (ask) =>
      Result.map(AskCheck.check(name, capabilities, ask), ({ role, resourceScope, durationSeconds }) => ({
        role,
        resourceScope,
        durationSeconds
      })),
    resourceKey,
    check: (canonical) =>
      call("check", null, null, () =>
        Result.map(roleExists(canonical.role), () => ({
          maxDurationSeconds: capabilities.maxDurationSeconds,
          facts: {}
        }))
      ),
    grant: (request) =>
      call("grant", request.requestId, request.now, () =>
        Result.map(roleExists(request.canonical.role), () => {
          seen(request.now)
          state.append({
            kind: "granted",
            requestId: request.requestId,
            resourceKey: resourceKey(request.canonical, request.grantee),
            role: request.canonical.role,
            resourceScope: request.canonical.resourceScope,
            subject: request.grantee.subject,
            issuedAt: request.now,
            notAfter: Time.plusSeconds(request.now, request.canonical.durationSeconds),
            token: randomBytes(18).toString("base64url"),
            ...(request.installation === undefined ? {} : { installation: request.installation })
          })
          const grant = state.grants().get(request.requestId)
          if (grant === undefined) throw new Error(`the mock lost ${request.requestId} between writing and reading`)
          return {
            issuedAt: grant.issuedAt,
            notAfter: grant.notAfter,
            reference: { mock: grant.requestId },
            credentials: {
              MOCK_ACCESS_KEY: `mock-access-key-${grant.requestId}`,
              MOCK_SESSION_TOKEN: `mock-session-token-${grant.token}`
            }
          }
        })
      ),
    end: (request) =>
      call("end", request.requestId, request.now, () =>
        Result.map(ours(request), () => {
          seen(request.now)
          state.append({ kind: "ended", requestId: request.requestId, at: request.now })
          return { note: null }
        })
      ),
    inspect: (request) =>
      call("inspect", request.requestId, request.now, () =>
        Result.map(ours(request), (): Provider.Liveness => {
          seen(request.now)
          const grant = state.grants().get(request.requestId)
          return grant !== undefined && MockState.isAlive(grant, request.now, config.native_expiry) ? "active" : "ended"
        })
      ),
    list: () =>
      Effect.flatMap(Clock.currentTimeMillis, (wallClock) =>
        call("list", null, null, () =>
          Result.succeed(
            live(Time.max(latest, Time.make(wallClock))).map((grant) => ({
              requestId: grant.requestId,
              resourceKey: grant.resourceKey,
              reference: { mock: grant.requestId },
              notAfter: grant.notAfter,
              installation: grant.installation ?? null
            }))
          )
        )
      )
  }

  return {
    provider,
    control: { inject: faults.inject, hold: faults.hold, setLatency: faults.setLatency },
    truth: () => [...state.grants().values()],
    live,
    journal: journal.calls,
    remove: (requestId, now) => state.append({ kind: "ended", requestId, at: now })
  }
}

/** How the daemon loads it. */
export const plugin: ProviderPlugin.ProviderPlugin<MockConfig> = {
  name,
  config: MockConfig,
  make: (config) => Effect.sync(() => make(config).provider),
  // Without a file each has a platform of its own.
  territory: ({ state_file: file }) => (file === undefined ? [] : [file])
}
