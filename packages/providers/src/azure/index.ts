export { AzureConfig } from "./AzureConfig.ts"
export { make, type Options, plugin } from "./AzureProvider.ts"
export * as Mark from "./Mark.ts"
