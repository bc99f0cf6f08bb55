export * as MemoryProvider from "./MemoryProvider.ts"
export * as ProviderFaults from "./ProviderFaults.ts"
