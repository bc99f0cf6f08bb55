/**
 * `jitsudod provider check` and `provider list`: what an operator has to put right before rights can be granted.
 *
 * It uses the daemon's configuration and credentials and writes nothing anywhere (`Diagnosis` of core). Scripts go by
 * the exit code: 0 nothing has to be put right, 6 something has, 1 it could not be looked at (a broken configuration,
 * no such provider), 2 usage.
 */
import { Diagnosis, type Provider, Time } from "@jitsudo/core"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Config } from "./Config.ts"
import * as ConfiguredProviders from "./ConfiguredProviders.ts"

/** There is nothing to look at; `message` says why. */
export class NotThere extends Data.TaggedError("NotThere")<{ readonly message: string }> {}

/** What the operator wants to know. */
export interface Question {
  readonly name: string
  /** Null: the connection alone. */
  readonly right: { readonly role: string; readonly scope: string; readonly durationSeconds: number | null } | null
  readonly grantee: Provider.Grantee | null
}

export interface Report {
  readonly provider: string
  /** The built-in or the module. */
  readonly plugin: string
  /** Nothing has to be put right. */
  readonly ok: boolean
  readonly findings: ReadonlyArray<Provider.Finding>
}

/** An hour, as far as the provider grants one. */
const usual = ({ maxDurationSeconds, minDurationSeconds }: Provider.Capabilities): number =>
  Math.max(minDurationSeconds, Math.min(3600, maxDurationSeconds))

/** Looks at one provider of the configuration. */
export const check = (config: Config, question: Question): Effect.Effect<Report, NotThere> =>
  Effect.gen(function* () {
    const { grantee, name, right } = question
    const section = config.providers.find((one) => one.name === name)
    if (section === undefined) {
      const names = config.providers.map((one) => one.name).join(", ")
      return yield* new NotThere({
        message: `no provider ${name} is configured${names === "" ? ": `providers` is empty" : `; there are: ${names}`}`
      })
    }
    const made = yield* Effect.result(ConfiguredProviders.make(section))
    if (Result.isFailure(made)) {
      const finding = { what: "configuration", ok: false, missing: null, hint: made.failure.message }
      return { provider: name, plugin: section.plugin, ok: false, findings: [finding] }
    }
    const provider = made.success
    const now = Time.make(yield* Clock.currentTimeMillis)
    const ask =
      right === null
        ? null
        : {
            role: right.role,
            resourceScope: right.scope,
            durationSeconds: right.durationSeconds ?? usual(provider.capabilities)
          }
    const found = yield* Diagnosis.run(provider, { ask, grantee, now })
    const findings = [{ what: "configuration", ok: true, missing: null, hint: section.path }, ...found]
    return { provider: name, plugin: section.plugin, ok: Diagnosis.isGood(findings), findings }
  }).pipe(Effect.scoped)

/** A provider of the configuration in a list. */
export interface Row {
  readonly name: string
  readonly plugin: string
  /** Where its keys stand. */
  readonly path: string
  readonly capabilities: Provider.Capabilities | null
  /** Why it cannot be made; null when it can. */
  readonly problem: string | null
}

/** Every provider of the configuration. */
export const list = (config: Config): Effect.Effect<ReadonlyArray<Row>> =>
  Effect.forEach(config.providers, (section) =>
    Effect.map(Effect.scoped(Effect.result(ConfiguredProviders.make(section))), (made) => {
      const { name, path, plugin } = section
      return Result.isSuccess(made)
        ? { name, plugin, path, capabilities: made.success.capabilities, problem: null }
        : { name, plugin, path, capabilities: null, problem: made.failure.message }
    })
  )

const aligned = (rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = rows.reduce<ReadonlyArray<number>>(
    (widest, row) => row.map((cell, index) => Math.max(widest[index] ?? 0, cell.length)),
    []
  )
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
        .join("  ")
        .trimEnd()
    )
    .join("\n")
}

/** What comes from a platform must not steer a terminal. */
const inert = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, " ")

const word = (ok: Provider.Finding["ok"]): string => (ok === null ? "?" : ok ? "ok" : "NO")

/** The report for people. */
export const text = ({ findings }: Report): string =>
  aligned(
    findings.map(({ hint, missing, ok, what }) => [
      word(ok),
      inert(what),
      inert([...(missing === null ? [] : [`missing: ${missing}`]), ...(hint === "" ? [] : [hint])].join("; "))
    ])
  )

/** The list for people. */
export const listText = (rows: ReadonlyArray<Row>): string =>
  rows.length === 0
    ? "no provider is configured: add a section under `providers` (`jitsudod config keys` lists what each takes)"
    : aligned([
        ["NAME", "PLUGIN", "AT", "STATE"],
        ...rows.map(({ name, path, plugin, problem }) => [name, plugin, path, inert(problem ?? "ok")])
      ])
