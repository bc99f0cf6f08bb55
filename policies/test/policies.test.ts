import { assert, describe, layer } from "@effect/vitest"
import { Starter } from "@jitsudo/rego"
import { Compiler } from "@jitsudo/rego/compiler"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { brotliDecompressSync } from "node:zlib"
import { decisions, goldenFile } from "../src/Decisions.ts"
import { draftsOf, exampleFolders, filesOf, now, prepare, sets } from "../src/Sets.ts"

const isTest = (path: string) => path.endsWith("_test.rego")

/** Faults that somebody could make, each of which a policy's own tests must see. */
const faults = [
  ["starter", "on-call-eligibility", `"sre" in input.requester.groups`, `count(input.requester.groups) > 0`],
  ["starter", "on-call-eligibility", `:= 3600 if`, `:= 36000 if`],
  ["starter", "read-only-routing", `<= 3600`, `<= 36000`],
  ["starter", "read-only-routing", `\t"sre" in input.requester.groups\n`, ""],
  ["starter", "production-routing", `sre-leads`, `sre`],
  ["starter", "roles", `)$`, `)`],
  ["starter", "ticket-review", `>= 0.8`, `>= 0.1`],
  ["starter", "ticket-review", `\tinput.context.labels.ticket_open == true\n`, ""],
  ["starter", "break-glass", `>= 10`, `>= 0`],
  ["examples/business-hours", "working-hours", `hour < 18`, `hour <= 18`],
  ["examples/business-hours", "working-hours", `Europe/Berlin`, `UTC`],
  ["examples/business-hours", "after-hours", `:= 2 if not daytime`, `:= 1 if not daytime`],
  ["examples/two-stage-approval", "owners", `"platform"`, `"everybody"`],
  ["examples/two-stage-approval", "security", `min_approvals := 2`, `min_approvals := 1`],
  ["examples/two-stage-approval", "security", `"15m"`, `"15h"`],
  ["examples/two-stage-approval", "security", `\t"mfa" in input.user.amr\n`, ""]
] as const

layer(Compiler.layer, { excludeTestServices: true, timeout: "2 minutes" })("policies", (it) => {
  it("every example is one of the sets", () => {
    assert.deepStrictEqual(
      [...exampleFolders()].sort(),
      sets.filter((set) => set.startsWith("examples/"))
    )
  })

  describe.each(sets)("%s", (set) => {
    it.effect("can be applied, without a warning; every policy has tests and they pass", () =>
      Effect.gen(function* () {
        const drafts = draftsOf(set)
        for (const draft of drafts)
          assert.isTrue(
            draft.files.some(({ path }) => isTest(path)),
            draft.name
          )
        const { policies, warnings } = yield* prepare(drafts)
        assert.deepStrictEqual(warnings, [])
        assert.lengthOf(policies, drafts.length)
        if (set === "starter") {
          const by = { issuer: "i", subject: "s", email: null }
          const shipped = Starter.policies({ now, by })
          const essence = ({ compiled, files, hash, name, type }: (typeof policies)[number]) => ({
            compiled,
            files,
            hash,
            name,
            type
          })
          const byName = (a: { readonly name: string }, b: { readonly name: string }) => (a.name < b.name ? -1 : 1)
          // Else: npx node --conditions=@jitsudo/source packages/rego/scripts/build-starter.mjs
          assert.deepStrictEqual(shipped.map(essence).sort(byName), policies.map(essence).sort(byName))
        }
      })
    )

    it.effect("is written as opa fmt writes it", () =>
      Effect.gen(function* () {
        const compiler = yield* Compiler
        for (const { path, source } of filesOf(set))
          assert.strictEqual(source, yield* compiler.format(path, source), path)
      })
    )
  })

  it("the starter pack is shipped under its checksum", () => {
    const text = brotliDecompressSync(readFileSync(Starter.artefact))
    const written = readFileSync(new URL("starter.sha256", Starter.artefact), "utf8").trim()
    assert.strictEqual(createHash("sha256").update(text).digest("hex"), written)
  })

  describe("a policy's own tests see", () => {
    for (const [set, name, right, wrong] of faults) {
      it.effect(`${JSON.stringify(wrong)} for ${JSON.stringify(right)} in ${set}/${name}`, () =>
        Effect.gen(function* () {
          const drafts = draftsOf(set)
          const libraries = drafts.filter((draft) => draft.type === "library" && draft.name !== name)
          const draft = drafts.find((one) => one.name === name)
          assert.isDefined(draft)
          const files = draft.files.map((file) =>
            isTest(file.path) ? file : { ...file, source: file.source.replace(right, wrong) }
          )
          assert.notDeepEqual(files, draft.files)
          const error = yield* Effect.flip(prepare([...libraries, { ...draft, files }]))
          assert.match(error.message, /its test test_\w+ (fails|breaks)/)
        })
      )
    }
  })

  it.effect("decide as the table says", () =>
    Effect.gen(function* () {
      // After a change that is meant: npm run golden -w policies, and review the difference.
      assert.strictEqual(yield* decisions, readFileSync(goldenFile, "utf8"))
    })
  )
})
