/**
 * A plug-in by the name of its module: a package, or a path.
 *
 * 1. A path begins with `./`, `../` or `/` and is relative to the directory of the configuration file.
 * 2. A package is looked for from that directory and then beside the daemon, as Node looks for one.
 * 3. Loading it runs its code with the daemon's rights: whoever writes the configuration decides that.
 * 4. What is wrong is said with what to do: install it, export `plugin`, ask its author.
 */
import { pathToFileURL } from "node:url"
import type { ProviderPlugin } from "@jitsudo/core"
import * as Schema from "effect/Schema"
import { moduleResolve } from "import-meta-resolve"
import type { OpenPlugin } from "./PluginSection.ts"
import { open } from "./PluginSection.ts"

/** Why there is no plug-in. */
export interface NotLoaded {
  readonly message: string
  readonly hint: string
}

/** Conditions that this process was started with, as Node gives them to its own resolution. */
const conditions = new Set([
  "node",
  "import",
  ...process.execArgv.flatMap((argument, index, all) =>
    argument.startsWith("--conditions=")
      ? [argument.slice("--conditions=".length)]
      : argument === "-C" || argument === "--conditions"
        ? [all[index + 1] ?? ""]
        : []
  )
])

const isPath = (name: string): boolean => /^(?:\.{0,2}\/|file:)/u.test(name)

const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : ""

/** The package that a module's name begins with: `@acme/x` of `@acme/x/plugin`. */
const packageOf = (name: string): string =>
  name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/")

/** The URL of the module. `moduleResolve` says where it should be; whether it is there shows when it is loaded. */
const resolve = (name: string, directory: string): URL | NotLoaded => {
  const places = [pathToFileURL(`${directory}/`), new URL(import.meta.url)]
  let said: unknown
  for (const place of isPath(name) ? places.slice(0, 1) : places) {
    try {
      return moduleResolve(name, place, conditions)
    } catch (error) {
      // That the package has no such module says more than that it is not in the other place.
      if (codeOf(said) === "" || codeOf(said) === "ERR_MODULE_NOT_FOUND") said = error
    }
  }
  if (isPath(name)) {
    return { message: `there is no module ${name}`, hint: `paths are relative to ${directory}` }
  }
  const wanted = packageOf(name)
  return codeOf(said) === "ERR_MODULE_NOT_FOUND"
    ? {
        message: `the package ${wanted} is not installed`,
        hint: `npm install ${wanted} in ${directory}, or beside jitsudo`
      }
    : {
        message: `${name} cannot be found in the package ${wanted} (${codeOf(said) || "it is no module's name"})`,
        hint: "ask its documentation for the module to name"
      }
}

/** A module's exports, or any object. */
type Exports = Readonly<Record<string, unknown>>

const isExports = (value: unknown): value is Exports => typeof value === "object" && value !== null

const isPlugin = (value: unknown): value is ProviderPlugin.ProviderPlugin<unknown> =>
  isExports(value) &&
  typeof value["name"] === "string" &&
  Schema.isSchema(value["config"]) &&
  typeof value["make"] === "function" &&
  (value["territory"] === undefined || typeof value["territory"] === "function")

/** What is wrong with what the module exports as `plugin`. */
const whyNoPlugin = (exported: unknown): string => {
  if (!isExports(exported)) return "is no object"
  if (typeof exported["name"] !== "string") return "has no `name`"
  if (!Schema.isSchema(exported["config"])) return "has a `config` that is no Effect Schema"
  return typeof exported["make"] === "function" ? "has a `territory` that is no function" : "has no function `make`"
}

/** A foreign error for an operator: its name and its first line. */
export const firstLine = (thrown: unknown): string => {
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : typeof thrown
  return text.split("\n", 1)[0]?.slice(0, 300) ?? ""
}

/** The package that an import within the module did not find. */
const missingWithin = (thrown: unknown): string | undefined =>
  codeOf(thrown) === "ERR_MODULE_NOT_FOUND" && thrown instanceof Error
    ? /Cannot find package '([^']+)'/u.exec(thrown.message)?.[1]
    : undefined

/** Loads the plug-in that `name` names. `directory` is the configuration file's. */
export const load = async (name: string, directory: string): Promise<OpenPlugin | NotLoaded> => {
  const url = resolve(name, directory)
  if (!(url instanceof URL)) return url
  let exports: Exports
  try {
    const loaded: unknown = await import(/* @vite-ignore */ url.href)
    exports = isExports(loaded) ? loaded : {}
  } catch (thrown) {
    const missing = missingWithin(thrown)
    return missing === undefined
      ? { message: `${name} failed while it was loaded: ${firstLine(thrown)}`, hint: "that is a matter for its author" }
      : {
          message: `${name} needs the package ${missing}, which is not installed`,
          hint: `npm install ${missing} where ${packageOf(name)} is`
        }
  }
  const exported = exports["plugin"]
  if (isPlugin(exported)) return open(exported)
  const names = Object.keys(exports)
  return exported === undefined
    ? {
        message: `${name} does not export \`plugin\``,
        hint: `it exports ${names.length === 0 ? "nothing" : names.join(", ")}; see docs/guides/writing-a-provider.md`
      }
    : {
        message: `${name} exports a \`plugin\` that ${whyNoPlugin(exported)}`,
        hint: "see docs/guides/writing-a-provider.md"
      }
}
