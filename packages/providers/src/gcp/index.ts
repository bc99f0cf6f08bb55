export { GcpConfig } from "./GcpConfig.ts"
export type { OwnCredentials } from "./GcpAuth.ts"
export { make, type Options, plugin } from "./GcpProvider.ts"
