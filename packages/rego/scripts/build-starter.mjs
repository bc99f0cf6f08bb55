/**
 * Compiles `policies/starter` into `packages/rego/starter/starter.json.br`, with a checksum.
 * `npx node --conditions=@jitsudo/source packages/rego/scripts/build-starter.mjs [--verify]`
 */
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib"
import { Principal, Time } from "@jitsudo/core"
import { PolicyFiles, Prepare, Starter } from "@jitsudo/rego"
import { Compiler } from "@jitsudo/rego/compiler"

const folder = fileURLToPath(new URL("../../../policies/starter", import.meta.url))
const checksum = new URL("../starter/starter.sha256", import.meta.url)

/** The pack as text: the same for the same sources. */
export const build = async () => {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".rego"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path: relative(folder, path), source: readFileSync(path, "utf8") }))
  const { drafts, unknown } = PolicyFiles.draftsOf(files)
  if (unknown.length > 0) throw new Error(`unknown package in ${JSON.stringify(unknown)}`)
  const prepared = await Effect.runPromise(
    Prepare.prepare(drafts, { before: [], now: Time.make(0), by: { ...Principal.system, email: null } }).pipe(
      Effect.provide(Compiler.layer)
    )
  )
  return JSON.stringify(
    prepared.policies.map(({ name, type, files: own, hash, compiled }) => ({
      // Fixed, so that the same sources make the same artefact.
      id: `pol_${createHash("sha256")
        .update(`starter ${name}`)
        .digest("hex")
        .toUpperCase()
        .replace(/[^0-9A-F]/gu, "")
        .slice(0, 26)}`,
      name,
      type,
      description: `Starter pack: ${name}`,
      files: own,
      hash,
      compiled
    }))
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const text = await build()
  const hash = createHash("sha256").update(text).digest("hex")
  if (process.argv.includes("--verify")) {
    const there = brotliDecompressSync(readFileSync(Starter.artefact)).toString("utf8")
    if (there !== text || readFileSync(checksum, "utf8").trim() !== hash) {
      console.error("the starter pack is not what its sources compile to: run this script without --verify")
      process.exit(1)
    }
    console.log("the starter pack is what its sources compile to")
  } else {
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: text.length }
    writeFileSync(Starter.artefact, brotliCompressSync(text, { params }))
    writeFileSync(checksum, `${hash}\n`)
    console.log(`starter.json.br: ${readFileSync(Starter.artefact).length} bytes`)
  }
}
