/** What the demo says, line by line: who types what, what is answered, what was expected and what was seen. */
import { StepFailed } from "./Expectation.ts"

const longest = 18

const quoted = (word: string): string => (/^[\w@%+=:,./-]+$/u.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)

const indented = (text: string, mark: string): string =>
  text
    .split("\n")
    .map((line) => `    ${mark}${line}`.trimEnd())
    .join("\n")

export class Transcript {
  readonly #write: (text: string) => void
  /** Paths that differ from run to run, by the names that they are shown under. */
  readonly #names = new Map<string, string>()

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  name(path: string, shown: string): void {
    this.#names.set(path, shown)
  }

  #shown(text: string): string {
    let result = text
    const longestFirst = [...this.#names].toSorted(([a], [b]) => b.length - a.length)
    for (const [path, name] of longestFirst) result = result.replaceAll(path, name)
    return result
  }

  line(text: string): void {
    this.#write(`${this.#shown(text)}\n`)
  }

  title(step: number, title: string): void {
    this.#write(`\n${String(step).padStart(2)}  ${title}\n`)
  }

  command(who: string, argv: ReadonlyArray<string>): void {
    this.line(`    ${who}$ ${argv.map(quoted).join(" ")}`)
  }

  /** The answer of a program, shortened where it is long. */
  answer(text: string): void {
    const lines = text.trimEnd().split("\n")
    if (lines.length === 1 && lines[0] === "") return
    const shown =
      lines.length > longest ? [...lines.slice(0, longest), `... ${lines.length - longest} more lines`] : lines
    this.line(indented(shown.join("\n"), "| "))
  }

  /** All of a list of our own. */
  whole(text: string): void {
    this.line(indented(text, "  "))
  }

  note(text: string): void {
    this.line(`    ${text}`)
  }

  /** Says both; throws when it does not hold. */
  check(expected: string, holds: boolean, seen: string): void {
    if (!holds) throw new StepFailed(expected, this.#shown(seen))
    this.line(`    ok: expected ${expected}; saw ${seen}`)
  }
}
