export { AwsConfig } from "./AwsConfig.ts"
export { make, type Options, plugin } from "./AwsProvider.ts"
export * as RevocationPolicy from "./RevocationPolicy.ts"
export type { OwnCredentials } from "./SdkCall.ts"
