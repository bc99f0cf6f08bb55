/**
 * Evidence over whatever log the world has: signed whenever somebody asks, with the log's own leaves first and filler
 * behind them, so that there are tiles with longer names than a test could write entries for.
 */
import { Chain, Merkle, Proofs, Signer, VerifierKey } from "@jitsudo/audit"
import { AuditChain } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { Evidence, EvidenceError } from "../../../src/evidence/Evidence.ts"

/** Of the tree; the log itself stays far below. */
export const size = 256 * 1_001 + 5
/** Where filler is sure to be: the hashes behind are kept. */
const ground = 8_192

const kept = new Map<string, string>()

const treeOf = (leaves: ReadonlyArray<string>) => {
  const nodeOf = (level: number, index: number): string => {
    const name = `${level}/${index}`
    const known = kept.get(name)
    if (known !== undefined) return known
    const hash =
      level === 0
        ? (leaves[index] ?? Chain.leafOf(`filler ${index}`))
        : Merkle.nodeOf(nodeOf(level - 1, index * 2), nodeOf(level - 1, index * 2 + 1))
    if (index * 2 ** level >= ground && level > 3) kept.set(name, hash)
    return hash
  }
  const hashes: Proofs.HashReader = (nodes) => Effect.sync(() => nodes.map(({ index, level }) => nodeOf(level, index)))
  return hashes
}

export const layer: Layer.Layer<Evidence, never, AuditChain.AuditChain> = Layer.effect(
  Evidence,
  Effect.gen(function* () {
    const chain = yield* AuditChain.AuditChain
    const { privateKey } = yield* Signer.generate("log.example.test/jitsudo", VerifierKey.noteType)
    const signer = yield* Effect.orDie(Signer.parse(privateKey))
    const failed = (cause: unknown) => new EvidenceError({ message: "no log now", retryable: true, cause })
    // The tree that was signed last: what is read afterwards is of the same one.
    let tree = treeOf([])
    const latest = Effect.gen(function* () {
      const entries = yield* Stream.runCollect(chain.stream({}))
      tree = treeOf(entries.map(({ payload }) => Chain.leafOf(payload)))
      const root = yield* Proofs.root(size, tree)
      const origin = signer.key.name
      const note = yield* Signer.signCheckpoint({ origin, size, root, extensions: [] }, [signer])
      return Option.some({ size, root, origin, note })
    }).pipe(Effect.mapError(failed))
    return Evidence.of({
      keys: [{ key: signer.key, from: 0 }],
      latest,
      hashes: (nodes) => Effect.suspend(() => tree(nodes))
    })
  })
)
