/** The memory store keeps the contracts that every store keeps. */
import * as Layer from "effect/Layer"
import * as MemoryStore from "../src/memory/MemoryStore.ts"
import { layerTestClock } from "../src/testing/PassingTime.ts"
import { storeSuites } from "../src/testing/vitest.ts"

storeSuites("the memory store", { layer: Layer.merge(MemoryStore.layer, layerTestClock) })
