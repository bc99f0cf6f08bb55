/** `policy apply`, `list`, `get`, `delete`, `eval`: policy as the daemon has it. */
import type { Dto } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Clock from "effect/Clock"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { readFile, stat } from "node:fs/promises"
import * as Daemon from "../Daemon.ts"
import { failed, misused, reasonOf } from "../Failure.ts"
import * as Instant from "../Instant.ts"
import { Io } from "../Io.ts"
import { answer, answerList, say, warn } from "../Output.ts"
import * as PolicyFiles from "../PolicyFiles.ts"
import type { Screen } from "../Output.ts"
import { facts, table } from "../Table.ts"
import { safe } from "../Terminal.ts"

type Draft = typeof Dto.PolicyDraft.Type
type Applied = typeof Dto.AppliedPolicies.Type

export interface ApplyInput {
  readonly file: string
  readonly name: Option.Option<string>
  readonly type: Option.Option<PolicyFiles.PolicyType>
  readonly description: Option.Option<string>
  readonly disable: boolean
  readonly replaceAll: boolean
  readonly expectRevision: Option.Option<number>
}

const draftsFrom = Effect.fn("policy.draftsFrom")(function* (
  paths: ReadonlyArray<string>,
  said: Partial<Pick<ApplyInput, "name" | "type" | "description">> & { readonly disable?: boolean } = {}
) {
  const folders = yield* PolicyFiles.collect(paths)
  const name = Option.getOrUndefined(said.name ?? Option.none())
  const type = Option.getOrUndefined(said.type ?? Option.none())
  const description = Option.getOrUndefined(said.description ?? Option.none())
  if (folders.length > 1 && (name ?? type ?? description) !== undefined) {
    return yield* misused("--name, --type and --description are for one policy, and these are several")
  }
  return yield* Effect.forEach(folders, (folder) =>
    Effect.gen(function* () {
      const kind = type ?? folder.type
      if (kind === undefined) {
        return yield* misused(
          `${folder.name}: its package does not say what it is for`,
          "the package is jitsudo.eligibility, jitsudo.approval, jitsudo.breakglass or jitsudo.lib.*; or say --type"
        )
      }
      const draft: Draft = {
        name: name ?? folder.name,
        type: kind,
        ...(description === undefined ? {} : { description }),
        enabled: said.disable !== true,
        files: folder.files.map(({ path, source }) => ({ path, source }))
      }
      return draft
    })
  )
})

const short = (hash: string | null): string => (hash === null ? "-" : hash.slice(0, 12))

const appliedText = ({ changes, revision }: Applied, screen: Screen): string =>
  changes.length === 0
    ? `nothing changed: revision ${revision}\n`
    : `${table(
        [
          { title: "CHANGE", cell: ({ change }) => change },
          { title: "POLICY", cell: ({ name }) => name },
          { title: "BEFORE", cell: ({ before }) => short(before) },
          { title: "AFTER", cell: ({ after }) => short(after) }
        ],
        changes,
        screen
      )}revision ${revision}\n`

const applied = Effect.fn("policy.applied")(function* (result: Applied) {
  for (const warning of result.warnings) yield* warn(warning)
  yield* answer(result, { ids: ({ changes }) => changes.map(({ name }) => name), text: appliedText })
})

export const apply = Effect.fn("policy.apply")(function* (input: ApplyInput) {
  const policies = yield* draftsFrom([input.file], input)
  const directory = yield* Effect.promise(() => stat(input.file).then((stats) => stats.isDirectory()))
  if (input.replaceAll && !directory) {
    return yield* misused("--replace-all deletes every other policy, so it wants a directory with all of them")
  }
  const expectRevision = Option.getOrUndefined(input.expectRevision)
  const daemon = yield* Daemon.connect()
  yield* applied(
    yield* daemon.call((client) =>
      client.policies.apply({
        payload: {
          policies,
          ...(input.replaceAll ? { replaceAll: true } : {}),
          ...(expectRevision === undefined ? {} : { expectRevision })
        }
      })
    )
  )
})

export const list = Effect.fn("policy.list")(function* () {
  const daemon = yield* Daemon.connect()
  const { policies, revision } = yield* daemon.call((client) => client.policies.list({}))
  yield* answerList(policies, {
    id: ({ id }) => id,
    columns: ({ now }) => [
      { title: "ID", cell: ({ id }) => id },
      { title: "NAME", cell: ({ name }) => name, flexible: true },
      { title: "TYPE", cell: ({ type }) => type },
      {
        title: "ENABLED",
        cell: ({ enabled }) => ({ text: enabled ? "yes" : "no", style: enabled ? undefined : "yellow" })
      },
      { title: "UPDATED", cell: ({ updatedAt }) => Instant.relative(updatedAt, now) },
      { title: "BY", cell: ({ updatedBy }) => updatedBy, flexible: true },
      { title: "HASH", cell: ({ hash }) => short(hash) }
    ],
    none: "there is no policy: everything is denied"
  })
  yield* say(`revision ${revision}`)
})

export const get = Effect.fn("policy.get")(function* (id: string) {
  const daemon = yield* Daemon.connect()
  const policy = yield* daemon.call((client) => client.policies.get({ params: { id } }))
  yield* answer(policy, {
    ids: (one) => [one.id],
    text: (one, { now, paint }) =>
      facts(
        [
          ["ID", one.id],
          ["Name", one.name],
          ["Type", one.type],
          ["Enabled", one.enabled ? "yes" : "no"],
          ["Description", one.description === "" ? undefined : one.description],
          ["Updated", `${Instant.show(one.updatedAt, now)} by ${one.updatedBy}`],
          ["Hash", one.hash]
        ],
        paint
      ) +
      one.files
        .map(
          ({ path, source }) => `\n${paint(`# ${safe(path)}`, "bold")}\n${source.split("\n").map(visible).join("\n")}`
        )
        .join("")
  })
})

/** A line of source: tabs are indentation, everything else as anywhere. */
const visible = (line: string): string => line.split("\t").map(safe).join("\t")

export const remove = Effect.fn("policy.delete")(function* (id: string) {
  const daemon = yield* Daemon.connect()
  yield* applied(yield* daemon.call((client) => client.policies.remove({ params: { id } })))
})

export interface EvalInput {
  readonly input: string
  readonly action: (typeof Dto.EvalPolicies.Type)["action"]
  readonly files: ReadonlyArray<string>
  readonly now: Option.Option<string>
}

const JsonText = Schema.fromJsonString(Schema.Json)

/** JSON as typed, `@FILE`, or `@-` for standard input. */
const inputFrom = Effect.fn("policy.inputFrom")(function* (typed: string) {
  const io = yield* Io
  const where = typed.startsWith("@") ? typed.slice(1) : null
  const text =
    where === null
      ? typed
      : where === "-"
        ? yield* io.input.pipe(Stream.decodeText, Stream.mkString)
        : yield* Effect.tryPromise({
            try: () => readFile(where, "utf8"),
            catch: (error) => failed(`cannot read ${where}: ${reasonOf(error)}`)
          })
  return yield* Schema.decodeEffect(JsonText)(text).pipe(
    Effect.mapError(() =>
      misused("the input is not JSON", `--input '{"request": {"role": "reader"}}', --input @FILE, or --input @-`)
    )
  )
})

export const evaluate = Effect.fn("policy.eval")(function* (said: EvalInput) {
  const input = yield* inputFrom(said.input)
  const parsed = Option.map(said.now, (text) => text)
  const now = Option.isNone(parsed) ? undefined : Instant.parse(parsed.value, yield* Clock.currentTimeMillis)
  if (now !== undefined && Result.isFailure(now)) return yield* misused(`--now must be ${now.failure}`)
  const drafts = said.files.length === 0 ? undefined : yield* draftsFrom(said.files)
  const daemon = yield* Daemon.connect()
  const result = yield* daemon.call((client) =>
    client.policies.evaluate({
      payload: {
        action: said.action,
        input,
        ...(drafts === undefined ? {} : { drafts }),
        ...(now === undefined ? {} : { now: now.success })
      }
    })
  )
  yield* answer(result, {
    ids: ({ allowed }) => [String(allowed)],
    text: (one, screen) =>
      facts(
        [
          ["Allowed", { text: one.allowed ? "yes" : "no", style: one.allowed ? "green" : "red" }],
          ["Tier", one.tier ?? undefined],
          ["Reasons", one.reasons.length === 0 ? undefined : one.reasons.join("\n")],
          [
            "Approval",
            one.stages.length > 0
              ? one.stages
                  .map(
                    ({ groups, policy, quorum, users }) => `${policy}: ${quorum} of ${[...groups, ...users].join(", ")}`
                  )
                  .join("\n")
              : undefined
          ]
        ],
        screen.paint
      ) +
      (one.findings.length === 0
        ? ""
        : `\n${table(
            [
              { title: "POLICY", cell: ({ policy }) => policy },
              { title: "SAYS", cell: ({ says }) => says },
              { title: "REASONS", cell: ({ reasons }) => reasons.join("; ") }
            ],
            one.findings,
            screen
          )}`)
  })
})
