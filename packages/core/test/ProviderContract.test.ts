import { providerSuite } from "@jitsudo/core/testing/vitest"
import { memoryFixture } from "./support/MemoryFixture.ts"

providerSuite("the provider in memory", memoryFixture())
