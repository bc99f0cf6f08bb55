/**
 * A key that is taken and does nothing is worse than one that is refused: every key is read by what it configures
 * (hole D-99 of docs/spec/closed-holes.md).
 */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { expect, it } from "vitest"
import * as Config from "../../src/Config.ts"

const packages = join(import.meta.dirname, "../../..")

const textOf = (...patterns: ReadonlyArray<string>): string =>
  globSync(patterns, { cwd: packages })
    .map((path) => readFileSync(join(packages, path), "utf8"))
    .join("\n")

/** What reads the daemon's own keys: everything but what describes them, and `Config.ts`, which passes them on. */
const server = textOf("server/src/*.ts", "server/src/!(config|testing)/**/*.ts", "server/src/config/Rules.ts")

/** What reads a key: the daemon, or the provider whose schema has it, but for where the schema declares it. */
const readerOf = (key: string): string => {
  const [first, provider = ""] = key.split(".")
  return first === "providers" && provider !== "*"
    ? textOf(`providers/src/${provider}/*.ts`).replaceAll(
        /^ {2,}\w+: (?:Schema\.|seconds|off|url|guid|endpoint).*$/gmu,
        ""
      )
    : textOf("server/src/config/ProviderSections.ts") + server
}

const unread = (keys: ReadonlyArray<string>): ReadonlyArray<string> =>
  keys.filter((key) => {
    const name =
      key
        .split(".")
        .findLast((part) => part !== "*")
        ?.replace("[]", "") ?? ""
    // A member access, a name that is taken out of an object, a name in quotes, or a key that is handed on as it is.
    return !new RegExp(`\\.${name}\\b|\\b${name}\\b["]?\\s*[,:}\\]]`, "u").test(readerOf(key))
  })

it("every key of the configuration is read", async () => {
  const keys = (await Effect.runPromise(Config.describe)).map((one) => one.key)
  expect(keys.length).toBeGreaterThan(80)
  expect(unread(keys)).toEqual([])
})

it("a key that nothing reads would be seen", () => {
  expect(unread(["server.public_url", "limits.no_such_limit", "server.http_addr"])).toEqual([
    "server.public_url",
    "limits.no_such_limit"
  ])
})
