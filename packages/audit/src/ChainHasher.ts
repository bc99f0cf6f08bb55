/** Core's `ChainHasher` for Node: synchronous, for stores that link many entries. */
import { ChainHasher } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { leafOf, link } from "./Chain.ts"

export const layer: Layer.Layer<ChainHasher.ChainHasher> = Layer.succeed(ChainHasher.ChainHasher, {
  link: (prevHash, seq, payload) =>
    Effect.sync(() => {
      const why = ChainHasher.whyNoLink(prevHash, seq, payload)
      if (why !== null) throw new RangeError(why)
      return { leaf: leafOf(payload), hash: link(prevHash, seq, payload) }
    })
})
