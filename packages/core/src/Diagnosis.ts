/**
 * What an operator can learn of a provider without changing anything: the safe part of the contract, against a real
 * account.
 *
 * 1. It calls `parse`, `check`, `list`, `inspect` and `diagnose`, and nothing that writes.
 * 2. It looks at everything and never fails: trouble is a finding, and a defect of the provider is one too.
 * 3. What is not ok names what is missing and what to do; `ok: null` is what only a grant would show.
 *
 * It does not say whether a request would be approved (policy does), and a good diagnosis is no promise of a grant.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import type { JsonObject } from "./Json.ts"
import type { Ask, Canonical, Finding, Grantee, Provider, ProviderError } from "./Provider.ts"
import * as Time from "./Time.ts"

export interface Question {
  /** The right in question, in the operator's words; null: what needs none. */
  readonly ask: Ask | null
  /** Who would get it; null: `check` is given somebody whom no directory knows. */
  readonly grantee: Grantee | null
  /** Now, by this process's clock: nothing is decided by it. */
  readonly now: Time.Time
  /** Longest time for each call. Default 60. */
  readonly timeoutSeconds?: number
}

/** Somebody whom no directory knows. */
const nobody: Grantee = { issuer: "https://jitsudo.invalid", subject: "nobody", email: null }

/** An id that no request has: its instant is the first one there is. */
const neverIssued = "req_00000000000000000000000000"

const good = (what: string, hint = ""): Finding => ({ what, ok: true, missing: null, hint })
const open = (what: string, hint: string): Finding => ({ what, ok: null, missing: null, hint })
const bad = (what: string, hint: string): Finding => ({ what, ok: false, missing: null, hint })

const told = (error: ProviderError): string => `${error.reason}: ${error.message}. ${error.hint}`.trim()

/** Nothing was found that must be put right. */
export const isGood = (findings: ReadonlyArray<Finding>): boolean => findings.every(({ ok }) => ok !== false)

interface Looked<A> {
  readonly findings: ReadonlyArray<Finding>
  /** What later looks need; undefined after trouble. */
  readonly found?: A
}

const parsed = (provider: Provider, ask: Ask): Effect.Effect<Looked<Canonical>> =>
  Effect.sync(() => {
    const answer = provider.parse(ask)
    return Result.isFailure(answer)
      ? { findings: [bad("parse", told(answer.failure))] }
      : {
          findings: [good("parse", `${answer.success.role} on ${answer.success.resourceScope}`)],
          found: answer.success
        }
  })

const checked = (
  provider: Provider,
  canonical: Canonical,
  grantee: Grantee | null
): Effect.Effect<Looked<JsonObject>> =>
  Effect.map(Effect.result(provider.check(canonical, grantee ?? nobody)), (answer) => {
    const what = `check of ${canonical.role} on ${canonical.resourceScope}`
    if (Result.isSuccess(answer)) {
      const { facts, maxDurationSeconds: longest } = answer.success
      return canonical.durationSeconds > longest
        ? {
            findings: [
              bad(what, `It is granted for at most ${longest} s: ask for less, or raise the platform's limit.`)
            ]
          }
        : { findings: [good(what, `grantable for up to ${longest} s`)], found: facts }
    }
    // The operator named no one, so that nobody is found is no fault.
    return answer.failure.reason === "PrincipalNotFound" && grantee === null
      ? { findings: [open(what, "Whether the platform knows a requester was not asked: name one.")] }
      : { findings: [bad(what, told(answer.failure))] }
  })

const listed = (provider: Provider): Effect.Effect<Looked<never>> =>
  Effect.map(Effect.result(provider.list()), (answer) => {
    const what = "list of what carries jitsudo's mark"
    return {
      findings: [
        Result.isSuccess(answer) ? good(what, `${answer.success.length} found`) : bad(what, told(answer.failure))
      ]
    }
  })

const inspected = (
  provider: Provider,
  canonical: Canonical,
  facts: JsonObject,
  { grantee, now }: Question
): Effect.Effect<Looked<never>> =>
  Effect.map(
    Effect.result(
      provider.inspect({
        requestId: neverIssued,
        grantee: grantee ?? nobody,
        canonical,
        checked: facts,
        reference: null,
        notAfter: Time.plusSeconds(now, canonical.durationSeconds),
        why: "early",
        now,
        neighbours: []
      })
    ),
    (answer) => {
      const what = "inspect of a grant that never was"
      if (Result.isFailure(answer)) return { findings: [bad(what, told(answer.failure))] }
      return {
        findings: [
          answer.success === "active"
            ? bad(what, "The provider calls it active: its `inspect` cannot be trusted.")
            : good(what, `answered ${answer.success}`)
        ]
      }
    }
  )

/** Everything that can be found out without writing, in the order of a request. */
export const run = (provider: Provider, question: Question): Effect.Effect<ReadonlyArray<Finding>> =>
  Effect.gen(function* () {
    const { ask, grantee } = question
    const seconds = question.timeoutSeconds ?? 60
    const findings: Array<Finding> = []

    const look = <A>(what: string, ask: () => Effect.Effect<Looked<A>, ProviderError>): Effect.Effect<A | undefined> =>
      Effect.map(
        Effect.exit(
          Effect.timeoutOrElse(Effect.suspend(ask), {
            duration: `${seconds} seconds`,
            orElse: () =>
              Effect.succeed<Looked<A>>({ findings: [bad(what, `There was no answer within ${seconds} s.`)] })
          })
        ),
        (exit) => {
          if (Exit.isSuccess(exit)) {
            findings.push(...exit.value.findings)
            return exit.value.found
          }
          const error = Cause.findErrorOption(exit.cause)
          findings.push(
            bad(what, Option.isSome(error) ? told(error.value) : "The provider threw: that is a bug of the provider.")
          )
          return undefined
        }
      )

    const canonical = ask === null ? undefined : yield* look("parse", () => parsed(provider, ask))
    const diagnose = provider.diagnose
    if (diagnose !== undefined) {
      yield* look("diagnose", () =>
        Effect.map(diagnose({ canonical: canonical ?? null, grantee }), (all) => ({ findings: all }))
      )
    }
    const facts =
      canonical === undefined ? undefined : yield* look("check", () => checked(provider, canonical, grantee))
    if (provider.capabilities.listing) yield* look("list", () => listed(provider))
    if (canonical !== undefined && facts !== undefined && provider.capabilities.inspection) {
      yield* look("inspect", () => inspected(provider, canonical, facts, question))
    }
    return findings
  })
