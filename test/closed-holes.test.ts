/**
 * docs/spec/closed-holes.md is true as far as a test can tell: every hole has its row, what is called closed names a
 * test, and each named test is there under that title. Whether the test shows it, people must judge.
 */
import { describe, expect, it } from "vitest"
import { exists, read } from "./support/Sources.ts"

interface Row {
  /** `D-01`, `P1`, and `provider P1` for those under the heading "Providers". */
  readonly id: string
  readonly status: string
  readonly tests: ReadonlyArray<{ readonly path: string; readonly title: string }>
  /** What of its last cell is no link. */
  readonly rest: string
}

const rowsIn = (text: string): ReadonlyArray<Row> => {
  let prefix = ""
  return text.split("\n").flatMap((line) => {
    if (line.startsWith("## ")) prefix = line === "## Providers" ? "provider " : ""
    const cells = line.split(/(?<!\\)\|/u).map((cell) => cell.trim())
    const [, number = "", , , status = "", tests = ""] = cells
    if (!/^[DP]-?\d+$/u.test(number)) return []
    const id = prefix + number
    const links = [...tests.matchAll(/`([^`#]+)#([^`]+)`/gu)]
    return [
      {
        id,
        status,
        tests: links.map(([, path = "", title = ""]) => ({ path, title })),
        rest: links.reduce((left, [link]) => left.replace(link, ""), tests).replaceAll("<br>", "")
      }
    ]
  })
}

const holes: ReadonlyArray<string> = [
  ...Array.from({ length: 99 }, (_, index) => `D-${String(index + 1).padStart(2, "0")}`),
  ...Array.from({ length: 25 }, (_, index) => `P${index + 1}`),
  ...Array.from({ length: 32 }, (_, index) => `provider P${index + 1}`)
]

const isTestFile = (path: string): boolean => /\.test\.ts$|^packages\/core\/src\/testing\/[A-Z]\w+\.ts$/u.test(path)

/** Whether a source has this title as a text of its own, not as a part of another. */
const hasTitle = (source: string, title: string): boolean =>
  [JSON.stringify(title), `'${title}'`, `\`${title}\``].some((literal) => source.includes(literal))

/** What is wrong with the page, in words. */
const faultsIn = (text: string, fileAt: (path: string) => string | undefined): ReadonlyArray<string> => {
  const rows = rowsIn(text)
  const of = (id: string) => rows.filter((row) => row.id === id)
  return [
    ...holes.flatMap((id) => (of(id).length === 1 ? [] : [`${id} has ${of(id).length} rows`])),
    ...rows.filter((row) => !holes.includes(row.id)).map((row) => `${row.id} is no hole`),
    ...rows.flatMap(({ id, rest, status, tests }) => {
      const same = /^as (D-\d\d)$/u.exec(status)?.[1]
      const isMissing = /^not in this version: \S/u.test(status)
      return [
        ...(rest === "" ? [] : [`${id}: ${JSON.stringify(rest)} is no link`]),
        ...(same !== undefined || isMissing || status === "closed" ? [] : [`${id}: unknown status "${status}"`]),
        ...(same === undefined || of(same).length === 1 ? [] : [`${id}: there is no ${same}`]),
        ...(status === "closed" && tests.length === 0 ? [`${id} is closed without a test`] : []),
        ...tests.flatMap(({ path, title }) => {
          if (!isTestFile(path)) return [`${id}: ${path} is no test`]
          const source = fileAt(path)
          if (source === undefined) return [`${id}: ${path} does not exist`]
          return hasTitle(source, title) ? [] : [`${id}: ${path} has no test "${title}"`]
        })
      ]
    })
  ]
}

const page = read("docs/spec/closed-holes.md")

describe("docs/spec/closed-holes.md", () => {
  it("has one row for every hole, and every link leads to a test", () => {
    expect(faultsIn(page, (path) => (exists(path) ? read(path) : undefined))).toEqual([])
  })

  const rowOf = (id: string): string => `| ${id} | what | how | closed | \`a.test.ts#shows it\` |`
  const ofProviders = holes.filter((id) => id.startsWith("provider "))
  const underProviders = (ids: ReadonlyArray<string>): ReadonlyArray<string> => [
    "## Providers",
    ...ids.map((id) => rowOf(id.replace("provider ", "")))
  ]
  const made = (
    change: (lines: ReadonlyArray<string>) => ReadonlyArray<string>,
    providers: ReadonlyArray<string> = ofProviders
  ): string =>
    [...change(holes.filter((id) => !ofProviders.includes(id)).map(rowOf)), ...underProviders(providers)].join("\n")
  const files = (path: string) => (path === "a.test.ts" ? 'it("shows it", () => {})' : undefined)
  const replaced = (id: string, status: string, tests: string) =>
    made((lines) =>
      lines.map((line) => (line.startsWith(`| ${id} `) ? `| ${id} | w | h | ${status} | ${tests} |` : line))
    )

  it("would be in order if it were made like this", () => {
    expect(
      faultsIn(
        made((lines) => lines),
        files
      )
    ).toEqual([])
    expect(faultsIn(replaced("D-95", "not in this version: Helm", ""), files)).toEqual([])
    expect(faultsIn(replaced("P1", "as D-02", ""), files)).toEqual([])
  })

  it.each([
    ["a row that is missing", made((lines) => lines.slice(1)), "D-01 has 0 rows"],
    ["a row that is double", made((lines) => [...lines, ...lines.slice(0, 1)]), "D-01 has 2 rows"],
    ["a provider's row that is missing", made((lines) => lines, ofProviders.slice(1)), "provider P1 has 0 rows"],
    ["a number that is none", made((lines) => [...lines, "| D-100 | w | h | closed | |"]), "D-100 is no hole"],
    ["closed without a test", replaced("D-07", "closed", ""), "D-07 is closed without a test"],
    ["a status of its own", replaced("D-07", "mostly", ""), 'D-07: unknown status "mostly"'],
    [
      "missing without a reason",
      replaced("D-07", "not in this version:", ""),
      'D-07: unknown status "not in this version:"'
    ],
    ["the same as nothing", replaced("P1", "as D-00", ""), "P1: there is no D-00"],
    ["a file that is gone", replaced("D-07", "closed", "`b.test.ts#shows it`"), "D-07: b.test.ts does not exist"],
    ["a title that is gone", replaced("D-07", "closed", "`a.test.ts#shows`"), 'D-07: a.test.ts has no test "shows"'],
    ["a file that tests nothing", replaced("D-07", "closed", "`a.ts#shows it`"), "D-07: a.ts is no test"],
    ["words for a link", replaced("D-07", "closed", "see the tests"), 'D-07: "see the tests" is no link']
  ])("is objected to for %s", (_, text, fault) => {
    expect(faultsIn(text, files)).toContain(fault)
  })
})
