/** Core's `ChainHasher` for Node: synchronous, for stores that link many entries. */
import { ChainHasher } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { hashOf, leafOf } from "./Chain.ts"

export const layer: Layer.Layer<ChainHasher.ChainHasher> = Layer.succeed(ChainHasher.ChainHasher, {
  link: (prevHash, seq, payload) =>
    Effect.sync(() => {
      const why = ChainHasher.whyNoLink(prevHash, seq, payload)
      if (why !== null) throw new RangeError(why)
      const leaf = leafOf(payload)
      return { leaf: leaf.toString("hex"), hash: hashOf(prevHash, seq, leaf) }
    })
})
