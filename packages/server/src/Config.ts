/**
 * The daemon's configuration: a YAML file, laid over by the environment, with secrets from files.
 *
 * 1. Every fault is reported at once, each with its path and what to do.
 * 2. Nothing unknown is ignored: a misspelt, retired or misplaced key refuses to start.
 * 3. A secret appears in no message and in no output of `show`.
 * 4. Environment over file over defaults; an empty variable counts as absent.
 *
 * The keys themselves stand in `config/Keys.ts`, those of providers in their plug-ins' schemas, which are loaded here.
 * Nothing here opens a database, a port or a connection; an issuer that cannot be reached is no fault of the
 * configuration.
 */
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { dirname, resolve } from "node:path"
import { ConfigSchema, fields } from "./config/Keys.ts"
import type { Config } from "./config/Keys.ts"
import type { Purpose } from "./config/Rules.ts"
import { violations } from "./config/Rules.ts"
import type { Fields } from "./config/Setting.ts"
import { masked } from "./config/PluginSection.ts"
import * as ProviderSections from "./config/ProviderSections.ts"
import { environmentName, nodes } from "./config/Setting.ts"
import type { Findings } from "./config/Shape.ts"
import { check } from "./config/Shape.ts"
import type { Environment, Note, Tree } from "./config/Tree.ts"
import { environmentKeys, isTree, join, overlay, readEnvironment, readYaml } from "./config/Tree.ts"

export type { Config, IssuerConfig } from "./config/Keys.ts"
export type { CommandName } from "./config/AuthKeys.ts"

/** One fault: where, what, and what to do about it (empty when `message` says it). */
export type ConfigIssue = Note

/** The configuration cannot be used. `message` lists every fault on a line of its own. */
export class ConfigInvalid extends Data.TaggedError("ConfigInvalid")<{ readonly issues: ReadonlyArray<ConfigIssue> }> {
  override get message(): string {
    return this.issues.map((one) => `${one.path}: ${one.message}${one.hint === "" ? "" : ` (${one.hint})`}`).join("\n")
  }
}

export interface LoadOptions {
  /** Path of the YAML file; none means environment and defaults alone. */
  readonly file?: string
  readonly env: Environment
  /** What the file would say if it said nothing, as plain values (`jitsudod dev` brings its own). */
  readonly base?: Tree
  /**
   * `migrate` needs no issuer, no sealing key, no listener and no provider; `providers` nothing but these. Default
   * `serve`.
   */
  readonly purpose?: Purpose
}

const without = (tree: Tree, path: ReadonlyArray<string>): Tree => {
  const [head, ...rest] = path
  if (head === undefined || !(head in tree)) return tree
  const { [head]: below, ...others } = tree
  return rest.length > 0 && isTree(below) ? { ...others, [head]: without(below, rest) } : others
}

/** Without the secrets that the environment gives, in either form: a file's `url` is no match for its `url_file`. */
const yielding = (tree: Tree, secretPaths: ReadonlyArray<string>, variables: ReadonlyMap<string, string>): Tree =>
  secretPaths
    .filter((path) => variables.has(path) || variables.has(`${path}_file`))
    .reduce((rest, path) => without(without(rest, path.split(".")), `${path}_file`.split(".")), tree)

/** The short forms as entries of the lists that they abbreviate. */
const expand = (tree: Tree, findings: Findings): Tree => {
  let result = tree
  const auth = isTree(tree["auth"]) ? tree["auth"] : {}
  const { oidc_issuer: issuer, oidc_discovery_url: discovery, client_id: client = "jitsudo-cli", ...restOfAuth } = auth
  const listed = Array.isArray(auth["issuers"]) ? auth["issuers"] : []
  if (issuer !== undefined) {
    if (listed.length > 0) {
      findings.notes.push({
        path: findings.variables.get("auth.oidc_issuer") ?? "auth.oidc_issuer",
        message: "auth.issuers is given as well",
        hint: "keep one of the two"
      })
    } else {
      const document = "/.well-known/openid-configuration"
      const base = typeof discovery === "string" ? discovery.replace(/\/$/u, "") : undefined
      const entry = {
        issuer,
        audiences: [client],
        interactive_clients: [client],
        ...(base === undefined ? {} : { discovery_url: base.endsWith(document) ? base : `${base}${document}` })
      }
      result = { ...result, auth: { ...restOfAuth, issuers: [entry] } }
    }
  } else if (discovery !== undefined && !findings.failed.has("auth.oidc_issuer")) {
    findings.notes.push({
      path: "auth.oidc_discovery_url",
      message: "this goes with auth.oidc_issuer, which is not given",
      hint: ""
    })
  }
  const sealing = isTree(tree["sealing"]) ? tree["sealing"] : {}
  const { key, ...restOfSealing } = sealing
  const keys = Array.isArray(sealing["keys"]) ? sealing["keys"] : []
  if (key !== undefined) result = { ...result, sealing: { ...restOfSealing, keys: [...keys, { id: "default", key }] } }
  return result
}

const decode = Schema.decodeUnknownSync(ConfigSchema)

/**
 * Reads and checks the configuration.
 *
 * Fails with every fault at once. Variables that begin with `JITSUDOD_` and set nothing are logged as warnings,
 * because orchestrators set such variables by themselves.
 */
export const load = Effect.fn("Config.load")(function* (options: LoadOptions) {
  const notes: Array<Note> = []
  const { file, env, purpose = "serve" } = options
  const below = overlay(options.base ?? {}, file === undefined ? {} : readYaml(file, notes))
  const directory = file === undefined ? process.cwd() : dirname(resolve(file))
  const found = yield* Effect.promise(() =>
    purpose === "migrate"
      ? Promise.resolve({ sections: [], environment: [] })
      : ProviderSections.findAll(below["providers"], env, directory, notes)
  )
  const settable = [...environmentKeys(fields), ...found.environment]
  const environment = readEnvironment(settable, env, notes)
  const secretPaths = settable.flatMap(({ path, secret }) => (secret ? [path] : []))
  const { providers: sections, ...tree } = overlay(
    yielding(below, secretPaths, environment.variables),
    environment.tree
  )
  const findings: Findings = { notes, failed: new Set(), kept: new Map(), variables: environment.variables }
  const providers = ProviderSections.read(found, sections, findings)
  const config: Config = { ...decode(expand(check(fields, tree, findings, ["providers"]), findings)), providers }
  const issues = [...notes, ...violations(config, purpose, findings)]
  if (issues.length > 0) return yield* new ConfigInvalid({ issues })
  for (const warning of environment.warnings) {
    yield* Effect.logWarning(`${warning.path}: ${warning.message} (${warning.hint})`)
  }
  return config
})

export { masked }

const mask = (declared: Fields, tree: Tree): Tree => {
  const result: Tree = {}
  for (const [key, node] of nodes(declared)) {
    const value = tree[key]
    if (value === undefined) continue
    if (node._tag === "Key") result[key] = node.about.secret === true ? masked : value
    else if (node._tag === "Section") result[key] = isTree(value) ? mask(node.fields, value) : value
    else
      result[key] = Array.isArray(value)
        ? value.map((item: unknown) => (isTree(item) ? mask(node.fields, item) : item))
        : value
  }
  return result
}

/** `providers` where the reference has it: behind `policy`. */
const inOrder = <A>(
  before: ReadonlyArray<readonly [string, A]>,
  ...providers: ReadonlyArray<readonly [string, A]>
): ReadonlyArray<readonly [string, A]> => {
  const at = before.findIndex(([key]) => key.split(/[.[]/u, 1)[0] === "limits")
  return [...before.slice(0, at), ...providers, ...before.slice(at)]
}

/** The configuration as plain values for people and scripts: as the file would say it, secrets masked. */
export const show = (config: Config): Tree => {
  const { providers, ...others } = config
  const encoded: unknown = Schema.encodeSync(ConfigSchema)(others)
  const shown = mask(fields, isTree(encoded) ? encoded : {})
  return Object.fromEntries(inOrder(Object.entries(shown), ["providers", ProviderSections.show(providers)]))
}

export interface KeyDescription {
  /** `auth.issuers[].audiences`. */
  readonly key: string
  readonly type: string
  /** As it would stand in the file; `null` where there is none. */
  readonly default: unknown
  readonly required: boolean
  /** The variable that sets it; `null` for keys in lists. */
  readonly env: string | null
  readonly description: string
  /** Also taken as `<key>_file`, and never shown. */
  readonly secret: boolean
}

const describeFields = (declared: Fields, path: string, inList: boolean): ReadonlyArray<KeyDescription> =>
  nodes(declared).flatMap(([key, node]) => {
    const here = join(path, key)
    if (node._tag === "Section") return describeFields(node.fields, here, inList)
    if (node._tag === "List") return describeFields(node.fields, `${here}[]`, true)
    return [
      {
        key: here,
        type: node.kind.name,
        default: node.defaultValue ?? null,
        required: node.presence === "required",
        env: inList ? null : environmentName(here, node.about),
        description: node.about.description,
        secret: node.about.secret === true
      }
    ]
  })

const pluginKeys: ReadonlyArray<KeyDescription> = [
  {
    key: "providers.*.plugin",
    type: "module",
    default: null,
    required: false,
    env: null,
    description:
      "The provider of a section with a name of its own: a package, a path that begins with `./`, or a built-in.",
    secret: false
  },
  {
    key: "providers.*.config",
    type: "keys",
    default: null,
    required: false,
    env: null,
    description: "The keys of that provider, as its own documentation has them.",
    secret: false
  }
]

/** Every key there is, in reading order. Loads all built-in providers. */
export const describe: Effect.Effect<ReadonlyArray<KeyDescription>> = Effect.map(
  Effect.promise(ProviderSections.describe),
  (builtIn) => {
    const providers = builtIn.map(({ key, path, variable }): KeyDescription => {
      const type = key.shape._tag === "Value" ? key.shape.type : key.shape._tag === "List" ? "list" : "keys"
      return {
        key: path,
        type,
        default: key.defaultValue ?? null,
        required: key.required,
        env: variable,
        description: key.description,
        secret: key.secret
      }
    })
    const all = inOrder(
      describeFields(fields, "", false).map((one) => [one.key, one] as const),
      ...[...providers, ...pluginKeys].map((one) => [one.key, one] as const)
    )
    return all.map(([, one]) => one)
  }
)

/** Every group and list with its description, in reading order. */
export const describeSections = (): ReadonlyArray<{ readonly key: string; readonly description: string }> => {
  const walk = (
    declared: Fields,
    path: string
  ): ReadonlyArray<{ readonly key: string; readonly description: string }> =>
    nodes(declared).flatMap(([key, node]) => {
      if (node._tag === "Key") return []
      const here = node._tag === "List" ? `${join(path, key)}[]` : join(path, key)
      return [{ key: here, description: node.description }, ...walk(node.fields, here)]
    })
  const said = walk(fields, "").map((one) => [one.key, one] as const)
  const providers = {
    key: "providers",
    description: "Where rights can be granted; a section switches its provider on."
  }
  return inOrder(said, ["providers", providers]).map(([, one]) => one)
}

const seconds = (duration: Duration.Duration): number => Math.floor(Duration.toSeconds(duration))

/** What the configuration says about the domain, in the names of core's settings. */
export const domainSettings = (config: Config) => ({
  adminGroups: config.auth.admin_groups,
  auditorGroups: config.auth.auditor_groups,
  groupsMaxAgeSeconds: seconds(config.auth.groups_max_age),
  groupsMaxAgeStrictSeconds: seconds(config.auth.groups_max_age_auto),
  pendingSeconds: seconds(config.limits.pending_deadline),
  aiReviewSeconds: seconds(config.limits.ai_review_deadline),
  startSeconds: seconds(config.limits.start_deadline),
  reviewDueSeconds: seconds(config.limits.review_deadline),
  maxTotalSeconds: seconds(config.limits.max_total),
  maxDurationSeconds: seconds(config.limits.max_duration),
  maxPendingPerPrincipal: config.limits.max_pending_per_principal,
  alertChannels: config.alerts.map((channel) => channel.name ?? channel.type)
})
