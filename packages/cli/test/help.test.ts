/** Every command's help, as it is checked in; and the program itself, as it starts. */
import type * as Command from "effect/cli/Command"
import { assert, describe, expect, it } from "vitest"
import { jitsudo } from "../src/Commands.ts"
import { user } from "./support/Cli.ts"

const home = user()

/** Every command's path, from the definition: a new one cannot be forgotten here. */
const paths = (
  command: Command.Command.Any,
  path: ReadonlyArray<string> = []
): ReadonlyArray<ReadonlyArray<string>> => [
  path,
  ...command.subcommands.flatMap(({ commands }) => commands.flatMap((one) => paths(one, [...path, one.name])))
]

describe("help", () => {
  it("of every command is what docs and people were told", async () => {
    const all = paths(jitsudo)
    assert.isAtLeast(all.length, 40)
    const texts: Array<string> = []
    for (const path of all) {
      const { code, err, out } = await home.run([...path, "--help"])
      assert.deepStrictEqual({ code, err }, { code: 0, err: "" }, path.join(" "))
      texts.push(`$ jitsudo ${[...path, "--help"].join(" ")}\n${out}`)
    }
    await expect(texts.join("\n")).toMatchFileSnapshot("golden/help.txt")
  })

  it("describes every flag and argument", async () => {
    for (const path of paths(jitsudo)) {
      const { out } = await home.run([...path, "--help"])
      const undescribed = out
        .split("\n")
        .filter((line) => /^ {2}--?[\w-]+(?:, -\w)?(?: [A-Z|@=:]+| choice| integer)? *$/u.test(line))
      assert.deepStrictEqual(undescribed, [], path.join(" "))
    }
  })
})

describe("the program", () => {
  it("tells its version at once, and writes completions", async () => {
    const { code, out } = await home.spawn(["--version"])
    assert.strictEqual(code, 0)
    assert.match(out, /^\d+\.\d+\.\d+\n$/u)
    assert.deepStrictEqual(await home.run(["--version"]), { code: 0, out, err: "" })
    const completions = await home.spawn(["--completions", "bash"])
    assert.strictEqual(completions.code, 0)
    assert.include(completions.out, "jitsudo")
  })

  it("ends with its exit code, and with what was said written", async () => {
    const { code, err, out } = await home.spawn(["whoami"])
    assert.strictEqual(code, 2)
    assert.strictEqual(out, "")
    assert.match(err, /^error: no server is named\nhint: /u)
  })
})
