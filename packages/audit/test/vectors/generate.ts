/**
 * Writes the vectors beside this file: `node --conditions=@jitsudo/source packages/audit/test/vectors/generate.ts`.
 *
 * `vectors.test.ts` makes them again and compares, so a changed format shows as a changed file.
 */
import { writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { listOf, make } from "./Vectors.ts"

const vectors = await Effect.runPromise(make)
for (const { name, bytes } of vectors) writeFileSync(new URL(`${name}.ndjson`, import.meta.url), bytes)
writeFileSync(new URL("vectors.json", import.meta.url), listOf(vectors))
