export * as AwsWire from "./AwsWire.ts"
export * as WireServer from "./WireServer.ts"
export { ContractViolation, ProviderContract, hostileTexts } from "@jitsudo/core/testing"
export type { Case, DeclaredGap, HostileText, LiveRight, PlatformFaults, ProviderFixture } from "@jitsudo/core/testing"
