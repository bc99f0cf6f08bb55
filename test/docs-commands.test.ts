/**
 * Commands that documents tell people to type exist, with those flags: compared with the recorded help of every command
 * of `jitsudo` (`packages/cli/test/golden/help.txt`).
 */
import { describe, expect, it } from "vitest"
import { read, sources } from "./support/Sources.ts"

/** Command lines of `jitsudo` that begin a line of a document, indented or not, as the words of each. */
const commandsIn = (text: string): ReadonlyArray<ReadonlyArray<string>> =>
  [...text.matchAll(/^ *(?:npx )?(jitsudo)((?: [^\n\\]+)(?:\\\n[^\n\\]+)*)$/gmu)].map(([, program = "", rest = ""]) => [
    program,
    ...rest
      .replaceAll("\\\n", " ")
      .replaceAll(/'[^']*'|"[^"]*"/gu, "TEXT")
      .replace(/ #.*$/u, "")
      .split(/\s+/u)
      .filter((word) => word !== "")
  ])

/** The help of each command, by its path. */
const sectionsOf = (help: string): ReadonlyMap<string, string> =>
  new Map(help.split(/^\$ /mu).map((section) => [/^(.*?) ?--help\n/u.exec(section)?.[1] ?? "", section] as const))

/** What of a command line its help does not know: a subcommand, or flags. Flags of all commands may stand anywhere. */
const unknownIn = (help: ReadonlyMap<string, string>, words: ReadonlyArray<string>): ReadonlyArray<string> => {
  const own = words.includes("--") ? words.slice(0, words.indexOf("--")) : words
  const global = help.get("jitsudo") ?? ""
  const isFlagIn = (flag: string, text: string) => new RegExp(`(?:^|[ ,])${flag}(?:[ ,=]|$)`, "mu").test(text)
  const takesValue = (flag: string, text: string) =>
    new RegExp(`^ *${flag}(?:, -\\w)? (?:[A-Z|@=:]+|choice|integer)(?: |$)`, "mu").test(text)
  let path = ""
  let isValue = false
  for (const word of own) {
    const section = help.get(path) ?? ""
    if (word.startsWith("-") || isValue) {
      isValue = !isValue && takesValue(word, `${section}\n${global}`)
      continue
    }
    const deeper = path === "" ? word : `${path} ${word}`
    if (help.has(deeper)) path = deeper
    else if (section.includes(`  ${path} <subcommand>`)) return [`${path} has no ${word}`]
    else break
  }
  return own
    .filter((word) => /^--?[a-z]/u.test(word))
    .map((word) => word.replace(/=.*$/u, ""))
    .filter((flag) => !isFlagIn(flag, `${help.get(path) ?? ""}\n${global}`))
    .map((flag) => `${path} has no ${flag}`)
}

describe("documents", () => {
  const help = sectionsOf(read("packages/cli/test/golden/help.txt"))
  const documents = sources("README.md", "docs/guides/*.md", "policies/README.md", "policies/*/README.md")

  it("use commands and flags that exist", () => {
    const used = documents.flatMap(({ path, text }) => commandsIn(text).map((words) => ({ path, words })))
    expect(used.length).toBeGreaterThan(25)
    expect(used.flatMap(({ path, words }) => unknownIn(help, words).map((fault) => `${path}: ${fault}`))).toEqual([])
  })

  it.each([
    ["jitsudo policy update x", "jitsudo policy has no update"],
    ["jitsudo --context a revoke --user alice", "jitsudo revoke has no --user"],
    ["npx jitsudo frobnicate", "jitsudo has no frobnicate"],
    ["jitsudo audit export \\\n    --csv", "jitsudo audit export has no --csv"]
  ])("with %s would be objected to", (line, fault) => {
    expect(commandsIn(line).flatMap((words) => unknownIn(help, words))).toContain(fault)
  })
})
