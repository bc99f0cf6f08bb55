/** Writes `golden/decisions.txt`: `npm run golden -w policies`. */
import { Compiler } from "@jitsudo/rego/compiler"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { decisions, goldenFile } from "../src/Decisions.ts"

const text = await Effect.runPromise(Effect.provide(decisions, Compiler.layer))
writeFileSync(goldenFile, text)
process.stdout.write(`golden/decisions.txt: ${text.split("\n").length - 1} lines\n`)
