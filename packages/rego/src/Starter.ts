/**
 * The starter pack (`policies/starter`), compiled when it was released: a first start needs no compiler.
 *
 * `scripts/build-starter.mjs` makes the artefact; a test compares it with the sources and compiles them again.
 */
import type { PolicySet, Time } from "@jitsudo/core"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { brotliDecompressSync } from "node:zlib"

const File = Schema.Struct({ path: Schema.String, source: Schema.String })

/** What the artefact holds of each policy. */
export const Compiled = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  type: Schema.Literals(["eligibility", "approval", "breakglass", "library"]),
  description: Schema.String,
  files: Schema.Array(File),
  hash: Schema.String,
  compiled: Schema.Array(
    Schema.Struct({
      variant: Schema.Literals(["all", "tier"]),
      entrypoints: Schema.Array(Schema.String),
      wasm: Schema.String
    })
  )
})

export const artefact = new URL("../starter/starter.json.br", import.meta.url)

/** The policies of the pack as they are stored, by whom and when the host says. */
export const policies = (options: {
  readonly now: Time.Time
  readonly by: PolicySet.PolicySource["updatedBy"]
}): ReadonlyArray<PolicySet.PolicySource> => {
  const text = brotliDecompressSync(readFileSync(artefact)).toString("utf8")
  return Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Compiled)))(text).map((policy) => ({
    ...policy,
    enabled: true,
    updatedAt: options.now,
    updatedBy: options.by
  }))
}
