/**
 * A strict provider in memory, for the tests of those who use the port.
 *
 * Stricter than any cloud: what a real platform would let pass in silence is a defect here.
 * 1. Its clock is the latest `now` that it was given (or `setNow`); every grant ends by itself at `notAfter`.
 * 2. `grant` takes only the canonical form that `parse` made and the facts that `check` found.
 * 3. A repeat of `grant` gives the same object; after an `end` it lives again until the same `notAfter`, as the late
 *    effect of a lost call would.
 * 4. `end` by request id finds everything of the grant, also what `list` and `inspect` do not see yet.
 * 5. Calls that run side by side on one resource key are recorded in `overlaps`: the engine must never cause one.
 *
 * It does not pretend to be a cloud: no permissions, no quota.
 */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as AskCheck from "../AskCheck.ts"
import {
  type Canonical,
  type Capabilities,
  type EndRequest,
  type Granted,
  type Grantee,
  type GrantRequest,
  type Neighbour,
  type Provider,
  ProviderError
} from "../Provider.ts"
import * as Time from "../Time.ts"
import { type Fault, type Held, make as makeFaults, type Operation } from "./ProviderFaults.ts"

export interface Options {
  /** Default `memory`. */
  readonly name?: string
  /** The roles that exist at the platform; every well-formed one when absent. */
  readonly roles?: ReadonlyArray<string>
  /** Default 1. */
  readonly minDurationSeconds?: number
  /** Default 43,200. */
  readonly maxDurationSeconds?: number
}

/** One grant as the platform holds it. */
export interface HeldGrant {
  readonly requestId: string
  readonly installation: string | null
  readonly resourceKey: string
  readonly canonical: Canonical
  readonly grantee: Grantee
  readonly issuedAt: Time.Time
  readonly notAfter: Time.Time
  /** Null while it was not ended; natural expiry leaves it null. */
  readonly endedAt: Time.Time | null
  /** How many times it was brought to life: 2 or more means that a grant came after an end. */
  readonly lives: number
}

/** One call as the platform saw it. */
export interface Call {
  readonly operation: Operation
  readonly requestId: string | null
  readonly at: Time.Time
}

/** The platform's side: its truth, its clock and its faults. */
export interface Platform {
  readonly now: () => Time.Time
  readonly setNow: (now: Time.Time) => void
  /** Every grant that was ever made. */
  readonly grants: () => ReadonlyArray<HeldGrant>
  /** What is alive at `now` (the platform's own when absent). */
  readonly live: (now?: Time.Time) => ReadonlyArray<HeldGrant>
  /** Calls that reached the platform, in order. */
  readonly journal: () => ReadonlyArray<Call>
  /** Calls that ran side by side on one resource key. */
  readonly overlaps: () => ReadonlyArray<{
    readonly resourceKey: string
    readonly requestIds: readonly [string, string]
  }>
  /** Somebody removes it behind our back. */
  readonly remove: (requestId: string) => void
  /** `list` and `inspect` do not see the grants made from now on until they were asked this many times. */
  readonly delayVisibility: (reads: number) => void
  readonly inject: (operation: Operation, ...faults: ReadonlyArray<Fault>) => void
  readonly hold: (operation: Operation, performs: "atOnce" | "onRelease") => Held
  readonly setLatency: (millis: number) => void
}

export interface MemoryProvider {
  readonly provider: Provider
  readonly platform: Platform
}

interface Row extends Omit<HeldGrant, "endedAt" | "lives"> {
  readonly token: string
  endedAt: Time.Time | null
  lives: number
  unseenReads: number
}

const strict = (holds: boolean, complaint: string): void => {
  if (!holds) throw new Error(`MemoryProvider: ${complaint}`)
}

const sameCanonical = (a: Canonical, b: Canonical): boolean =>
  a.role === b.role && a.resourceScope === b.resourceScope && a.durationSeconds === b.durationSeconds

/** A platform of its own with nothing in it, and the provider that speaks to it. */
export const make = (options: Options = {}): MemoryProvider => {
  const name = options.name ?? "memory"
  const capabilities: Capabilities = {
    nativeExpiry: true,
    earlyRevocation: { supported: true, withinSeconds: 0, note: "It stops at once." },
    listing: true,
    inspection: true,
    minDurationSeconds: options.minDurationSeconds ?? 1,
    maxDurationSeconds: options.maxDurationSeconds ?? 43_200
  }
  const rows = new Map<string, Row>()
  const calls: Array<Call> = []
  const overlaps: Array<{ readonly resourceKey: string; readonly requestIds: readonly [string, string] }> = []
  const running = new Map<string, Set<string>>()
  const faults = makeFaults(name)
  let clock = Time.make(0)
  let unseenReads = 0

  const refuse = (reason: ProviderError["reason"], message: string, hint: string): ProviderError =>
    new ProviderError({ provider: name, reason, retryable: false, effect: "none", message, hint })

  const parse: Provider["parse"] = (ask) =>
    Result.map(AskCheck.check(name, capabilities, ask), ({ role, resourceScope, durationSeconds }) => ({
      role,
      resourceScope,
      durationSeconds
    }))

  const resourceKey: Provider["resourceKey"] = (canonical, grantee) =>
    JSON.stringify([name, canonical.resourceScope, canonical.role, grantee.issuer, grantee.subject])

  const isAlive = (row: Row, now: Time.Time): boolean => row.endedAt === null && now < row.notAfter

  const exists = (role: string): boolean => options.roles === undefined || options.roles.includes(role)

  const noRole = (): ProviderError =>
    refuse("RoleNotFound", "this role does not exist", "Add it to the `roles` of the provider in memory.")

  /** What the engine must never do, whatever happens at the platform. */
  const expectSound = (
    call: {
      readonly requestId: string
      readonly canonical: Canonical
      readonly checked: { readonly [key: string]: unknown }
    },
    neighbours: ReadonlyArray<Neighbour>
  ): void => {
    strict(/^[\w-]{1,64}$/u.test(call.requestId), "a call must carry a request id")
    const again = Result.getOrUndefined(parse(call.canonical))
    strict(
      again !== undefined && sameCanonical(again, call.canonical),
      `${call.requestId} does not carry the canonical form`
    )
    strict(call.checked["role"] === call.canonical.role, `${call.requestId} does not carry what \`check\` found`)
    strict(
      neighbours.every((one) => one.requestId !== call.requestId),
      `${call.requestId} is among its own neighbours`
    )
  }

  const see = (operation: Operation, requestId: string | null, now: Time.Time | null): void => {
    if (now !== null) clock = Time.max(clock, now)
    calls.push({ operation, requestId, at: clock })
  }

  const serial = <A>(
    requestId: string,
    key: string,
    call: Effect.Effect<A, ProviderError>
  ): Effect.Effect<A, ProviderError> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        const others = running.get(key) ?? new Set<string>()
        for (const other of others) overlaps.push({ resourceKey: key, requestIds: [other, requestId] })
        others.add(requestId)
        running.set(key, others)
      }),
      () => call,
      () => Effect.sync(() => running.get(key)?.delete(requestId))
    )

  const performGrant = (request: GrantRequest): Granted => {
    see("grant", request.requestId, request.now)
    expectSound(request, request.neighbours)
    const old = rows.get(request.requestId)
    if (old !== undefined) {
      strict(sameCanonical(old.canonical, request.canonical), `${request.requestId} was granted as something else`)
      if (old.endedAt !== null) {
        old.endedAt = null
        old.lives += 1
      }
      return granted(old)
    }
    const issuedAt = clock
    const row: Row = {
      requestId: request.requestId,
      installation: request.installation ?? null,
      resourceKey: resourceKey(request.canonical, request.grantee),
      canonical: request.canonical,
      grantee: request.grantee,
      issuedAt,
      notAfter: Time.plusSeconds(issuedAt, request.canonical.durationSeconds),
      token: globalThis.crypto.randomUUID(),
      endedAt: null,
      lives: 1,
      unseenReads
    }
    rows.set(request.requestId, row)
    return granted(row)
  }

  const granted = (row: Row): Granted => ({
    issuedAt: row.issuedAt,
    notAfter: row.notAfter,
    reference: { grant: row.requestId },
    credentials: { MEMORY_GRANT: row.requestId, MEMORY_TOKEN: row.token }
  })

  const foreign = (request: EndRequest): boolean =>
    request.reference !== null &&
    !(Object.keys(request.reference).length === 1 && request.reference["grant"] === request.requestId)

  const badReference = (): ProviderError =>
    refuse(
      "InvalidReference",
      "the stored reference is not one of this platform's",
      "The reference in the database is damaged; ending without it takes back whatever the request left."
    )

  const visible = (row: Row): boolean => {
    if (row.unseenReads === 0) return true
    row.unseenReads -= 1
    return false
  }

  const provider: Provider = {
    name,
    capabilities,
    parse,
    resourceKey,
    check: (canonical) =>
      faults.around(
        "check",
        Effect.suspend(() => {
          see("check", null, null)
          return exists(canonical.role)
            ? Effect.succeed({
                maxDurationSeconds: capabilities.maxDurationSeconds,
                facts: { role: canonical.role }
              })
            : Effect.fail(noRole())
        })
      ),
    grant: (request) =>
      serial(
        request.requestId,
        resourceKey(request.canonical, request.grantee),
        faults.around(
          "grant",
          Effect.suspend(() =>
            exists(request.canonical.role) ? Effect.sync(() => performGrant(request)) : Effect.fail(noRole())
          )
        )
      ),
    end: (request) =>
      serial(
        request.requestId,
        resourceKey(request.canonical, request.grantee),
        faults.around(
          "end",
          Effect.suspend(() => {
            see("end", request.requestId, request.now)
            expectSound(request, request.neighbours)
            if (foreign(request)) return Effect.fail(badReference())
            const row = rows.get(request.requestId)
            if (row !== undefined && row.endedAt === null) row.endedAt = clock
            return Effect.succeed({ note: null })
          })
        )
      ),
    inspect: (request) =>
      faults.around(
        "inspect",
        Effect.suspend(() => {
          see("inspect", request.requestId, request.now)
          if (foreign(request)) return Effect.fail(badReference())
          const row = rows.get(request.requestId)
          if (row === undefined) return Effect.succeed("ended" as const)
          if (!visible(row)) return Effect.succeed("unknown" as const)
          return Effect.succeed(isAlive(row, clock) ? ("active" as const) : ("ended" as const))
        })
      ),
    list: () =>
      faults.around(
        "list",
        Effect.sync(() => {
          see("list", null, null)
          return [...rows.values()]
            .filter((row) => isAlive(row, clock) && visible(row))
            .map((row) => ({
              requestId: row.requestId,
              resourceKey: row.resourceKey,
              reference: { grant: row.requestId },
              notAfter: row.notAfter,
              installation: row.installation,
              canonical: row.canonical,
              grantee: row.grantee,
              checked: { role: row.canonical.role }
            }))
        })
      )
  }

  const shown = ({ token: _, unseenReads: __, ...row }: Row): HeldGrant => row
  const platform: Platform = {
    now: () => clock,
    setNow: (now) => {
      clock = now
    },
    grants: () => [...rows.values()].map(shown),
    live: (now) => [...rows.values()].filter((row) => isAlive(row, now ?? clock)).map(shown),
    journal: () => [...calls],
    overlaps: () => [...overlaps],
    remove: (requestId) => {
      const row = rows.get(requestId)
      if (row !== undefined) row.endedAt = clock
    },
    delayVisibility: (reads) => {
      unseenReads = reads
    },
    inject: faults.inject,
    hold: faults.hold,
    setLatency: faults.setLatency
  }
  return { provider, platform }
}
