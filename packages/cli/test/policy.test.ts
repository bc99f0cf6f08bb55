/** `policy`: offline with OPA's own compiler, and against the daemon. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterAll, afterEach, assert, beforeAll, beforeEach, describe, it } from "vitest"
import type { User } from "./support/Cli.ts"
import { user } from "./support/Cli.ts"
import * as TestDaemon from "./support/TestDaemon.ts"

let home: User
beforeEach(() => {
  home = user()
})
afterEach(() => home.remove())

/** A file below the home, with its directories. */
const put = (path: string, source: string): string => {
  const file = join(home.home, path)
  mkdirSync(join(file, ".."), { recursive: true })
  writeFileSync(file, source)
  return file
}

const allow = (group: string) => `package jitsudo.eligibility

import data.jitsudo.lib.people

default allow := false

allow if people.is_in("${group}")
`
const library = `package jitsudo.lib.people

is_in(group) if group in input.requester.groups
`
const tests = (outcome: string) => `package jitsudo.eligibility_test

import data.jitsudo.eligibility

test_sre_may if ${outcome} with input as {"requester": {"groups": ["sre"]}}
`

/** Two policies of one package and a library: each must be compiled by itself. */
const writeAll = (): string => {
  put("policies/sre/policy.rego", allow("sre"))
  put("policies/sre/policy_test.rego", tests("eligibility.allow"))
  put("policies/dev/policy.rego", allow("dev"))
  put("policies/people.rego", library)
  return join(home.home, "policies")
}

describe("offline", () => {
  it("checks, tests and formats what is sound", async () => {
    const all = writeAll()
    assert.deepStrictEqual(await home.run(["policy", "check", all]), {
      code: 0,
      out: "",
      err: "3 policies are sound\n"
    })
    const tested = await home.run(["policy", "test", all, "-o", "json"])
    assert.strictEqual(tested.code, 0)
    const [one, ...more]: ReadonlyArray<Readonly<Record<string, unknown>>> = JSON.parse(tested.out)
    assert.lengthOf(more, 0)
    assert.strictEqual(one?.["policy"], "sre")
    assert.strictEqual(one?.["outcome"], "pass")
  })

  it("says where what is wrong", async () => {
    const all = writeAll()
    const broken = put(
      "policies/broken/policy.rego",
      'package jitsudo.approval\n\nallow if http.send({"url": "x"})\n\nbad if nothing.here\n'
    )
    const { code, err } = await home.run(["policy", "check", all])
    assert.strictEqual(code, 1)
    assert.include(err, `${broken}:`)
    assert.match(err, /http\.send/u)
  })

  it("fails when a test does", async () => {
    const all = writeAll()
    put("policies/sre/policy_test.rego", tests("not eligibility.allow"))
    const { code, err, out } = await home.run(["policy", "test", all])
    assert.strictEqual(code, 1)
    assert.match(out, /sre +test_sre_may +fail/u)
    assert.strictEqual(err, "1 tests, 1 failed\n")
  })

  it("formats, and tells what would change", async () => {
    const file = put("a.rego", "package a\nx   :=   1\n")
    const formatted = "package a\n\nx := 1\n"
    const checked = await home.run(["policy", "fmt", "--check", file])
    assert.deepStrictEqual([checked.code, checked.out], [1, `${file}\n`])
    assert.strictEqual((await home.run(["policy", "fmt", "-w", file])).out, `${file}\n`)
    assert.strictEqual(readFileSync(file, "utf8"), formatted)
    assert.deepStrictEqual(await home.run(["policy", "fmt", file]), { code: 0, out: formatted, err: "" })
    const damaged = put("b.rego", "package a\nx := \n")
    const failed = await home.run(["policy", "fmt", "-w", damaged])
    assert.strictEqual(failed.code, 1)
    assert.include(failed.err, `${damaged}:`)
    assert.strictEqual(readFileSync(damaged, "utf8"), "package a\nx := \n")
  })
})

describe("at the daemon", () => {
  let daemon: TestDaemon.TestDaemon
  beforeAll(async () => {
    daemon = await TestDaemon.start()
  })
  afterAll(() => daemon.close())
  const run = (...args: ReadonlyArray<string>) =>
    home.run(["policy", ...args], { env: { JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "carol" } })

  const list = async (): Promise<ReadonlyArray<Readonly<Record<string, unknown>>>> =>
    JSON.parse((await run("list", "-o", "json")).out)

  it("applies a directory as one set, a file with its tests, and deletes", async () => {
    const all = writeAll()
    const applied = await run("apply", "-f", all)
    assert.strictEqual(applied.code, 0, applied.err)
    assert.match(applied.out, /added +dev[\s\S]*added +people[\s\S]*added +sre[\s\S]*revision 1\n$/u)
    assert.deepStrictEqual(
      (await list()).map(({ name, type }) => [name, type]),
      [
        ["dev", "eligibility"],
        ["people", "library"],
        ["sre", "eligibility"]
      ]
    )
    const shown = await run("get", "sre")
    assert.match(shown.out, /# policy\.rego\npackage jitsudo\.eligibility[\s\S]*# policy_test\.rego/u)

    const moved = await run("apply", "-f", join(all, "sre"), "--expect-revision", "7")
    assert.strictEqual(moved.code, 1)
    const one = put("one.rego", allow("one"))
    cpSync(join(all, "sre", "policy_test.rego"), join(home.home, "one_test.rego"))
    const single = await run("apply", "-f", one, "--name", "uno", "--disable", "--description", "the one", "-o", "json")
    assert.strictEqual(single.code, 0, single.err)
    const uno: { readonly files: ReadonlyArray<{ readonly path: string }>; readonly enabled: boolean } = JSON.parse(
      (await run("get", "uno", "-o", "json")).out
    )
    assert.deepStrictEqual(
      uno.files.map(({ path }) => path),
      ["one.rego", "one_test.rego"]
    )
    assert.isFalse(uno.enabled)

    assert.strictEqual((await run("apply", "-f", one, "--replace-all")).code, 2)
    assert.strictEqual((await run("apply", "-f", all, "--replace-all")).code, 0)
    assert.notInclude((await run("list")).out, "uno")
    assert.strictEqual((await run("delete", "dev")).code, 0)
    assert.strictEqual((await run("get", "dev")).code, 1)
  })

  it("wants to know what a policy is for", async () => {
    const file = put("x.rego", "package mine\n")
    const unknown = await run("apply", "-f", file)
    assert.strictEqual(unknown.code, 2)
    assert.match(unknown.err, /its package does not say what it is for/u)
    assert.strictEqual((await run("apply", "-f", file, "--type", "aproval")).code, 2)
    assert.strictEqual((await run("apply", "-f", file, "--type", "approval")).code, 0)
    assert.strictEqual((await run("apply", "-f", join(home.home, "none"))).code, 1)
  })

  it("asks what policy would say, of what is stored or of files", async () => {
    const all = writeAll()
    const input = put("input.json", '{"request": {"role": "reader"}}')
    const told = await run(
      "eval",
      "--input",
      `@${input}`,
      "--action",
      "approve",
      "-f",
      all,
      "--now",
      "2026-01-01T00:00:00Z"
    )
    assert.strictEqual(told.code, 0, told.err)
    assert.match(
      told.out,
      /Allowed +yes\nTier +human\nReasons +approve at 2026-01-01T00:00:00\.000Z on 3 drafts[\s\S]*leads +allow +\{"request":\{"role":"reader"\}\}/u
    )
    const piped = await home.run(["policy", "eval", "--input", "@-", "-q"], {
      env: { JITSUDO_SERVER: daemon.url, JITSUDO_TOKEN: "carol" },
      input: "{}"
    })
    assert.strictEqual(piped.out, "true\n")
  })
})
