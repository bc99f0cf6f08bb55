export { AwsConfig } from "./AwsConfig.ts"
export type { OwnCredentials } from "./AwsCalls.ts"
export { make, type Options, plugin } from "./AwsProvider.ts"
export * as RevocationPolicy from "./RevocationPolicy.ts"
