/** The index of decisions is true: every record is in it, as it calls itself, and every link leads somewhere. */
import { dirname, join, normalize } from "node:path/posix"
import { describe, expect, it } from "vitest"
import { exists, sources } from "./support/Sources.ts"
import type { Source } from "./support/Sources.ts"

const sections = ["Context", "Options", "Choice", "What would change our mind"]
const statuses = /^(?:Proposed|Accepted|Superseded by \[ADR (\d+)\]\((\S+\.md)\))$/

interface Decision {
  readonly number: string
  readonly title: string
  readonly status: string
}

const decisionIn = ({ text }: Source): Decision => {
  const [, number = "", title = ""] = /^# ADR (\d+): (.+)\n/.exec(text) ?? []
  return { number, title, status: /^Status: (.+)$/m.exec(text)?.[1] ?? "" }
}

const linksIn = ({ path, text }: Source): ReadonlyArray<string> =>
  [...text.matchAll(/\]\(([^)\s#]+)(?:#[^)\s]*)?\)/g)]
    .map(([, target]) => target ?? "")
    .filter((target) => !/^[a-z]+:/.test(target))
    .map((target) => normalize(join(dirname(path), target)))

/** What is wrong with one record, in words. */
const brokenIn = (source: Source, isThere: (path: string) => boolean): ReadonlyArray<string> => {
  const { number, status } = decisionIn(source)
  const { path, text } = source
  const headings = [...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)
  return [
    ...(path.startsWith(`docs/adr/${number.padStart(4, "0")}-`)
      ? []
      : [`${path}: its title says ADR ${number || "nothing"}`]),
    ...(statuses.test(status) ? [] : [`${path}: unknown status "${status}"`]),
    ...(headings.join() === sections.join() ? [] : [`${path}: its sections are ${headings.join(", ")}`]),
    ...(text.split("\n").length <= 60 ? [] : [`${path}: longer than a page`]),
    ...linksIn(source)
      .filter((target) => !isThere(target))
      .map((target) => `${path}: ${target} does not exist`)
  ]
}

const rowOf = ({ number, title, status }: Decision, path: string): string =>
  `| ${number} | [${title}](${path.replace("docs/adr/", "")}) | ${status} |`

const records = sources("docs/adr/[0-9]*.md")
const [index] = sources("docs/adr/README.md")

describe("decision records", () => {
  it("are whole, one page each, and link to what exists", () => {
    expect(records.length).toBeGreaterThan(20)
    expect(records.flatMap((record) => brokenIn(record, exists))).toEqual([])
  })

  it("are all in the index, by title and status, and nothing else is", () => {
    const rows = (index?.text ?? "").split("\n").filter((line) => /^\| \d/.test(line))
    expect(rows).toEqual(records.map((record) => rowOf(decisionIn(record), record.path)))
  })

  it("that were superseded are linked from their successor", () => {
    for (const record of records) {
      const successor = statuses.exec(decisionIn(record).status)?.[2]
      if (successor === undefined) continue
      const text = records.find(({ path }) => path.endsWith(`/${successor}`))?.text ?? ""
      expect(text, `${successor} names ${record.path}`).toContain(record.path.replace("docs/adr/", ""))
    }
  })

  it.each([
    ["docs/adr/0009-a.md", "# ADR 8: A\n\nStatus: Accepted\n", "its title says ADR 8"],
    ["docs/adr/0008-a.md", "# ADR 8: A\n\nStatus: Perhaps\n", 'unknown status "Perhaps"'],
    ["docs/adr/0008-a.md", "# ADR 8: A\n\nStatus: Accepted\n## Context\n", "its sections are Context"],
    ["docs/adr/0008-a.md", `# ADR 8: A\n\nStatus: Accepted\n${"\n".repeat(60)}`, "longer than a page"],
    [
      "docs/adr/0008-a.md",
      "# ADR 8: A\n\nStatus: Accepted\n[gone](0099-gone.md#x)\n",
      "docs/adr/0099-gone.md does not exist"
    ]
  ])("would be objected to in %s: %j", (path, text, sentence) => {
    expect(brokenIn({ path, text }, () => false)).toContainEqual(expect.stringContaining(sentence))
  })
})

describe("links in the documentation", () => {
  it("lead to files that exist", () => {
    const documents = sources(
      "*.md",
      "docs/**/*.md",
      "packages/*/*.md",
      "packages/*/src/**/*.md",
      "policies/**/*.md",
      "examples/**/*.md"
    )
    const dead = documents.flatMap((document) =>
      linksIn(document)
        .filter((target) => !exists(target))
        .map((target) => `${document.path}: ${target} does not exist`)
    )
    expect(dead).toEqual([])
  })
})
