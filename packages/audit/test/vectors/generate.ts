/**
 * Writes the vectors beside this file: `node --conditions=@jitsudo/source packages/audit/test/vectors/generate.ts`.
 *
 * `vectors.test.ts` makes them again and compares, so a changed format shows as a changed file.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Evidence from "./Evidence.ts"
import { listOf, make } from "./Vectors.ts"

const vectors = await Effect.runPromise(make)
for (const { name, bytes } of vectors) writeFileSync(new URL(`${name}.ndjson`, import.meta.url), bytes)
writeFileSync(new URL("vectors.json", import.meta.url), listOf(vectors))

const evidence = new URL("evidence/", import.meta.url)
rmSync(evidence, { recursive: true, force: true })
const { cases, files } = await Effect.runPromise(Evidence.make)
for (const [path, bytes] of files) {
  const file = new URL(path, evidence)
  mkdirSync(new URL(".", file), { recursive: true })
  writeFileSync(file, bytes)
}
writeFileSync(new URL("evidence.json", evidence), Evidence.listOf(cases))
