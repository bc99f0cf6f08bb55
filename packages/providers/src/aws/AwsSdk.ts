/**
 * The official SDK, loaded when a provider is made: optional peers that only those need who use AWS, and of those only
 * the packages of their mode.
 */
import type * as Iam from "@aws-sdk/client-iam"
import type * as IdentityStore from "@aws-sdk/client-identitystore"
import type * as SsoAdmin from "@aws-sdk/client-sso-admin"
import type * as Sts from "@aws-sdk/client-sts"
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"

/** For the mode `sts_assume_role`. */
export interface RolesSdk {
  readonly sts: Pick<typeof Sts, "STSClient" | "AssumeRoleCommand" | "GetCallerIdentityCommand">
  readonly iam: Pick<
    typeof Iam,
    "IAMClient" | "PutRolePolicyCommand" | "GetRoleCommand" | "SimulatePrincipalPolicyCommand"
  >
}

/** For the mode `identity_center`. */
export interface IdentityCenterSdk {
  readonly sso: Pick<
    typeof SsoAdmin,
    | "SSOAdminClient"
    | "CreateAccountAssignmentCommand"
    | "DeleteAccountAssignmentCommand"
    | "DescribeAccountAssignmentCreationStatusCommand"
    | "DescribeAccountAssignmentDeletionStatusCommand"
    | "ListAccountAssignmentCreationStatusCommand"
    | "ListAccountAssignmentDeletionStatusCommand"
    | "ListAccountAssignmentsCommand"
    | "ListPermissionSetsCommand"
    | "DescribePermissionSetCommand"
  >
  readonly identitystore: Pick<typeof IdentityStore, "IdentitystoreClient" | "GetUserIdCommand">
}

/** How the packages are imported. */
export interface Loaders {
  readonly sts: () => Promise<RolesSdk["sts"]>
  readonly iam: () => Promise<RolesSdk["iam"]>
  readonly sso: () => Promise<IdentityCenterSdk["sso"]>
  readonly identitystore: () => Promise<IdentityCenterSdk["identitystore"]>
}

export const installed: Loaders = {
  sts: () => import("@aws-sdk/client-sts"),
  iam: () => import("@aws-sdk/client-iam"),
  sso: () => import("@aws-sdk/client-sso-admin"),
  identitystore: () => import("@aws-sdk/client-identitystore")
}

/** The package itself is not there, rather than something within it. */
const isMissing = (name: string, thrown: unknown): boolean =>
  thrown instanceof Error &&
  "code" in thrown &&
  thrown.code === "ERR_MODULE_NOT_FOUND" &&
  thrown.message.includes(`package '${name}'`)

const load = <A>(name: string, loader: () => Promise<A>): Effect.Effect<A, ProviderPlugin.ProviderConfigError> =>
  Effect.tryPromise({
    try: loader,
    catch: (thrown) =>
      new ProviderPlugin.ProviderConfigError({
        provider: "aws",
        key: "mode",
        message: isMissing(name, thrown)
          ? `the provider aws needs the package ${name}: install it beside jitsudo (npm install ${name})`
          : `the package ${name} cannot be loaded: ${thrown instanceof Error ? thrown.message : String(thrown)}`
      })
  })

/** What `sts_assume_role` needs, or an error that names the package to install. */
export const loadForRoles = (
  loaders: Pick<Loaders, "sts" | "iam">
): Effect.Effect<RolesSdk, ProviderPlugin.ProviderConfigError> =>
  Effect.all({
    sts: load("@aws-sdk/client-sts", loaders.sts),
    iam: load("@aws-sdk/client-iam", loaders.iam)
  })

/** What `identity_center` needs, or an error that names the package to install. */
export const loadForIdentityCenter = (
  loaders: Pick<Loaders, "sso" | "identitystore">
): Effect.Effect<IdentityCenterSdk, ProviderPlugin.ProviderConfigError> =>
  Effect.all({
    sso: load("@aws-sdk/client-sso-admin", loaders.sso),
    identitystore: load("@aws-sdk/client-identitystore", loaders.identitystore)
  })
