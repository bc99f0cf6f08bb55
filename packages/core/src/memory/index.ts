/** In-memory implementations of core's ports: strict, complete, gone with the process. */
export * as MemoryProvider from "./MemoryProvider.ts"
export * as MemoryStore from "./MemoryStore.ts"
export * as ProviderFaults from "./ProviderFaults.ts"
export * as StaticPolicy from "./StaticPolicy.ts"
