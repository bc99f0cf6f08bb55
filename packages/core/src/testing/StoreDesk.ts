/**
 * The engine's part for the cases of the Store, Jobs and AuditChain contracts: it makes steps, commits them, and says
 * what it expected.
 *
 * A case is given an empty store of its own. What it did not expect (an error, a defect) is a violation of that case.
 */
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { AuditChain, type AuditChainError, type InvalidCursor } from "../AuditChain.ts"
import { type AuditRecord, draft, type EntryDraft } from "../AuditRecord.ts"
import * as Ids from "../Ids.ts"
import { type Job, Jobs, type NewJob } from "../Job.ts"
import type { Principal } from "../Principal.ts"
import type { Request } from "../Request.ts"
import type { Conflict, Receipt, Step, Write } from "../Step.ts"
import { StepConflict, Store, StoreError } from "../Store.ts"
import type * as Times from "../Time.ts"
import type { Case, DeclaredGap } from "./Case.ts"
import { ContractViolation } from "./ContractViolation.ts"
import * as Fixtures from "./Fixtures.ts"
import { PassingTime } from "./PassingTime.ts"
import { verdict } from "./Verdict.ts"

/** What the three contracts need: one store behind three ports, and its clock. */
export type StoreWorld = Store | Jobs | AuditChain | PassingTime

export interface Options {
  /**
   * Each build must be an empty store: no request, no principal, no lock, revision 0, no job, no entry. A layer over a
   * database empties it, or makes another one.
   */
  readonly layer: Layer.Layer<StoreWorld, unknown>
}

type Expected<A> = Effect.Effect<A, ContractViolation>
type Trouble = ContractViolation | StoreError | StepConflict | AuditChainError | InvalidCursor

export interface StoreDesk {
  readonly store: Store["Service"]
  readonly jobs: Jobs["Service"]
  readonly chain: AuditChain["Service"]
  readonly pass: (seconds: number) => Effect.Effect<void>
  readonly now: Effect.Effect<Times.Time, StoreError>
  readonly expect: (holds: boolean, expected: string, found: unknown) => Expected<void>
  /** Compares as data: the order of an object's members does not count. */
  readonly equal: (what: string, found: unknown, expected: unknown) => Expected<void>
  /** A step with an id of its own, decided now. */
  readonly step: (parts: Partial<Step>) => Effect.Effect<Step, StoreError>
  readonly commit: (parts: Partial<Step>) => Effect.Effect<Receipt, StoreError | StepConflict>
  /** Commits, and expects that the step loses by exactly this guard. */
  readonly loses: (parts: Partial<Step>, conflict: Conflict, when: string) => Effect.Effect<void, Trouble>
  /** Expects `StoreError` with reason `invalid` and nothing written. */
  readonly invalid: (what: string, effect: Effect.Effect<unknown, Trouble>) => Expected<void>
  readonly entry: (more?: Partial<AuditRecord>) => Effect.Effect<EntryDraft, StoreError>
  /** Inserts a request as it stands, as version 1. */
  readonly put: (
    ...requests: ReadonlyArray<Request>
  ) => Effect.Effect<ReadonlyArray<Request>, StoreError | StepConflict>
  readonly see: (...principals: ReadonlyArray<Principal>) => Effect.Effect<void, StoreError | StepConflict>
  readonly queue: (...jobs: ReadonlyArray<NewJob>) => Effect.Effect<void, StoreError | StepConflict>
  /** Claims one job by id. */
  readonly take: (id: string, leaseSeconds?: number) => Effect.Effect<Job, StoreError | ContractViolation>
  readonly request: (id: string) => Effect.Effect<Request | undefined, StoreError>
}

export interface Sentence {
  readonly name: string
  readonly run: (desk: StoreDesk) => Effect.Effect<void, Trouble>
}

export const sentence = (name: string, run: (desk: StoreDesk) => Effect.Effect<void, Trouble>): Sentence => ({
  name,
  run
})

/** Data with members in one order: for comparison and for showing. Maps are shown as their entries. */
const ordered = (value: unknown): unknown => {
  if (value instanceof Map) return { entries: [...value].map(ordered) }
  if (Array.isArray(value)) return value.map(ordered)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, ordered(member)])
  )
}

const show = (value: unknown): string =>
  typeof value === "string"
    ? value
    : value instanceof Error
      ? `${value.name}: ${value.message}`
      : (JSON.stringify(ordered(value)) ?? String(value))

/** The first place where two values differ, so that a violation is readable. */
const difference = (found: unknown, expected: unknown, path: string): readonly [string, string, string] | null => {
  const [a, b] = [ordered(found), ordered(expected)]
  if (show(a) === show(b)) return null
  if (typeof a === "object" && a !== null && typeof b === "object" && b !== null) {
    const members = new Map(Object.entries(b))
    for (const [name, member] of Object.entries(a)) {
      const inner = difference(member, members.get(name), `${path}.${name}`)
      if (inner !== null) return inner
      members.delete(name)
    }
    for (const [name, member] of members) return [`${path}.${name}`, show(undefined), show(member)]
  }
  return [path, show(a), show(b)]
}

const deskFor = (
  name: string,
  store: Store["Service"],
  jobs: Jobs["Service"],
  chain: AuditChain["Service"],
  pass: (seconds: number) => Effect.Effect<void>
): StoreDesk => {
  const violation = (expected: string, found: unknown) =>
    new ContractViolation({ contract: name, expected, found: show(found) })
  const expect: StoreDesk["expect"] = (holds, expected, found) =>
    holds ? Effect.void : Effect.fail(violation(expected, found))
  const now = Effect.map(store.facts({}), (facts) => facts.now)
  const stepId = Effect.map(Ids.RandomBytes, (random) => Ids.make("stp", Fixtures.monday, random))
  const step: StoreDesk["step"] = (parts) =>
    Effect.gen(function* () {
      const id = parts.id ?? (yield* stepId)
      return { guards: [], writes: [], entries: [], jobs: [], now: parts.now ?? (yield* now), ...parts, id }
    })
  const commit: StoreDesk["commit"] = (parts) => Effect.flatMap(step(parts), store.commit)
  const writing = (writes: ReadonlyArray<Write>) => Effect.asVoid(commit({ writes }))
  return {
    store,
    jobs,
    chain,
    pass,
    now,
    expect,
    step,
    commit,
    equal: (what, found, expected) => {
      const differs = difference(found, expected, what)
      return differs === null ? Effect.void : Effect.fail(violation(`${differs[0]} = ${differs[2]}`, differs[1]))
    },
    loses: (parts, conflict, when) =>
      Effect.matchEffect(commit(parts), {
        onSuccess: (receipt) => Effect.fail(violation(`the guard ${conflict.kind} to fail ${when}`, receipt)),
        onFailure: (error): Effect.Effect<void, Trouble> =>
          error instanceof StepConflict
            ? expect(
                error.conflict.kind === conflict.kind && error.conflict.id === conflict.id,
                `the conflict ${show(conflict)} ${when}`,
                error.conflict
              )
            : Effect.fail(error)
      }),
    invalid: (what, effect) =>
      Effect.matchEffect(effect, {
        onSuccess: (answer) => Effect.fail(violation(`${what} to be invalid`, answer)),
        onFailure: (error) =>
          expect(
            error instanceof StoreError && error.reason === "invalid" && error.outcome === "none" && !error.retryable,
            `${what} to be invalid, with nothing written and no sense in a retry`,
            error
          )
      }),
    entry: (more = {}) =>
      Effect.flatMap(now, (at) =>
        draft(
          {
            actor: { issuer: Fixtures.ana.issuer, subject: "ana", email: Fixtures.ana.email, kind: "human" },
            action: "access.refused",
            outcome: "refused",
            requestId: null,
            provider: null,
            role: null,
            resourceScope: null,
            details: {},
            texts: {},
            ...more
          },
          at
        )
      ),
    put: (...requests) => {
      const first = requests.map((request) => ({ ...request, version: 1 }))
      return Effect.as(writing(first.map((next) => ({ kind: "request", expect: 0, next }))), first)
    },
    see: (...principals) =>
      writing(principals.map((next) => ({ kind: "principal", expect: 0, next: { ...next, version: 1 } }))),
    queue: (...queued) => Effect.asVoid(commit({ jobs: queued })),
    take: (id, leaseSeconds = 60) =>
      Effect.flatMap(jobs.claim({ holder: "a", limit: 1, leaseSeconds, id }), ([job, ...others]) =>
        job === undefined || job.id !== id || others.length > 0
          ? Effect.fail(violation(`the job ${id} and no other`, [job, ...others]))
          : Effect.succeed(job)
      ),
    request: (id) => Effect.map(store.request(id), Option.getOrUndefined)
  }
}

export interface Suite {
  readonly cases: ReadonlyArray<Case>
  /** None: every store keeps every sentence. */
  readonly gaps: ReadonlyArray<DeclaredGap>
}

/** The sentences as cases over the implementation behind a layer. Each case builds the layer for itself. */
export const suiteOf = (sentences: ReadonlyArray<Sentence>, options: Options): Suite => ({
  gaps: [],
  cases: sentences.map(({ name, run }) => ({
    name,
    run: verdict(
      name,
      Effect.gen(function* () {
        const store = yield* Store
        const { pass } = yield* PassingTime
        yield* run(deskFor(name, store, yield* Jobs, yield* AuditChain, pass))
      }).pipe(Effect.provide(options.layer, { local: true }))
    )
  }))
})
