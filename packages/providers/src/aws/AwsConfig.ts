/**
 * The `providers.aws` section of the daemon's configuration, in its two modes.
 *
 * 1. Accounts, roles and permission sets that jitsudo may touch are listed; nothing is allowed by leaving it out.
 * 2. A key of the other mode is refused, not ignored.
 * 3. Each switch that needs another permission says which. Without switches `sts_assume_role` needs `sts:AssumeRole` and
 *    `iam:PutRolePolicy`.
 *
 * What belongs to one mode alone is in `AssumeRoleConfig.ts` and `IdentityCenterConfig.ts`.
 */
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { AssumeRoleConfig } from "./AssumeRoleConfig.ts"
import type { IdentityCenterConfig } from "./IdentityCenterConfig.ts"

const accountId = Schema.String.check(Schema.isPattern(/^\d{12}$/u))
const off = Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(false)))
const roleArnTemplate = "arn:aws:iam::{scope}:role/jitsudo-{role}"

export const AwsConfig = Schema.Struct({
  /**
   * `sts_assume_role`: a session of a role, for the child process alone. `identity_center`: a permission set, assigned
   * to the person.
   */
  mode: Schema.Literals(["sts_assume_role", "identity_center"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("sts_assume_role" as const))
  ),
  /** Region of the STS endpoint or of the Identity Center instance, and what the child process gets. */
  region: Schema.String.check(Schema.isPattern(/^[a-z]{2,3}(-[a-z]+)+-\d$/u)).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("us-east-1"))
  ),
  /** Accounts that may be asked for. */
  accounts: Schema.NonEmptyArray(accountId),
  /** `sts_assume_role`: the account that the daemon's own identity lives in. */
  account_id: Schema.optionalKey(accountId),
  /** `sts_assume_role`: roles that may be asked for, as names with `*` and `?`, matched as a whole. */
  roles: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString)),
  /** `sts_assume_role`: `{scope}` is the account, `{role}` what was asked for. */
  role_arn_template: Schema.String.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(roleArnTemplate))),
  /** `sts_assume_role`: sent with every `AssumeRole`, where the trust policies ask for one. */
  external_id: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[\w+=,.@:/-]{2,1224}$/u))),
  /**
   * `sts_assume_role`: the longest session of the roles (their `MaxSessionDuration`; 1 h when the daemon itself runs on
   * a role).
   */
  max_session_seconds: Schema.Int.check(Schema.isBetween({ minimum: 900, maximum: 43_200 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(3600))
  ),
  /**
   * `sts_assume_role`: a role in every other account that may `iam:PutRolePolicy` there. Needed for accounts other than
   * `account_id`.
   */
  revoker_role_arn_template: Schema.optionalKey(Schema.String),
  /** `sts_assume_role`: tag sessions with request id, requester and reason. Adds `sts:TagSession`. */
  session_tags: off,
  /** `sts_assume_role`: name the requester as source identity. Adds `sts:SetSourceIdentity`. */
  source_identity: off,
  /** `sts_assume_role`: read a role's `MaxSessionDuration` before anybody decides. Adds `iam:GetRole`. */
  read_limits: off,
  /** `sts_assume_role`: `AWS_ENDPOINT_URL` for the child process. */
  child_endpoint_url: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s]+$/u))),
  /** `identity_center`: the instance. */
  instance_arn: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^arn:aws(-[a-z]{1,5}){0,3}:sso:::instance\/(sso)?ins-[a-zA-Z0-9-.]{16}$/u))
  ),
  /** `identity_center`: where its users are. */
  identity_store_id: Schema.optionalKey(
    Schema.String.check(Schema.isPattern(/^d-[0-9a-f]{10}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u))
  ),
  /** `identity_center`: permission sets that may be asked for, as names with `*` and `?`, matched as a whole. */
  permission_sets: Schema.optionalKey(Schema.NonEmptyArray(Schema.NonEmptyString)),
  /**
   * `identity_center`: the ARNs of permission sets by name. These are not searched for, and may be asked for by their
   * ARN, too.
   */
  permission_set_arns: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  /** `identity_center`: what `user_template` is compared with, letter for letter. */
  user_lookup: Schema.Literals(["user_name", "email"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("user_name" as const))
  ),
  /**
   * `identity_center`: whom a requester is there: fixed text around one of `{email}` (verified by the issuer),
   * `{email_name}` (what is left of its `@`) and `{subject}`.
   */
  user_template: Schema.String.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed("{email}"))),
  /** `identity_center`: the longest time that a permission set may be assigned. */
  max_duration_seconds: Schema.Int.check(Schema.isBetween({ minimum: 300, maximum: 604_800 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(43_200))
  ),
  /**
   * `identity_center`: longest time to wait for an assignment to come to be or to go. Keep it under the daemon's own
   * limit for a provider's call.
   */
  operation_seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(25))
  ),
  /** Another endpoint for AWS's services (a VPC endpoint, a test). */
  endpoint_url: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s]+$/u))),
  /** Longest time for one call to AWS. */
  timeout_seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 120 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(15))
  )
})
export type AwsConfig = typeof AwsConfig.Type

type Key = keyof AwsConfig
type Mode = AwsConfig["mode"]

/** Keys of one mode, with the value that says nothing. */
const keysOf: Readonly<Record<Mode, ReadonlyArray<readonly [Key, unknown]>>> = {
  sts_assume_role: [
    ["account_id", undefined],
    ["roles", undefined],
    ["role_arn_template", roleArnTemplate],
    ["external_id", undefined],
    ["max_session_seconds", 3600],
    ["revoker_role_arn_template", undefined],
    ["session_tags", false],
    ["source_identity", false],
    ["read_limits", false],
    ["child_endpoint_url", undefined]
  ],
  identity_center: [
    ["instance_arn", undefined],
    ["identity_store_id", undefined],
    ["permission_sets", undefined],
    ["permission_set_arns", undefined],
    ["user_lookup", "user_name"],
    ["user_template", "{email}"],
    ["max_duration_seconds", 43_200],
    ["operation_seconds", 25]
  ]
}

/** What is wrong with a key, for the operator. */
export const wrong = (key: Key, message: string): ProviderPlugin.ProviderConfigError =>
  new ProviderPlugin.ProviderConfigError({ provider: "aws", key, message })

/** A key of the other mode, or null. */
const strayKey = (config: AwsConfig): ProviderPlugin.ProviderConfigError | null => {
  const other: Mode = config.mode === "identity_center" ? "sts_assume_role" : "identity_center"
  const stray = keysOf[other].find(([key, silent]) => config[key] !== silent)
  return stray === undefined ? null : wrong(stray[0], `belongs to mode ${other}, and the mode is ${config.mode}`)
}

const needed = (config: AwsConfig, key: Key): ProviderPlugin.ProviderConfigError =>
  wrong(key, `is needed in mode ${config.mode}`)

/** The configuration with what its mode cannot do without, or the key at fault. */
export const inMode = (
  config: AwsConfig
): Result.Result<AssumeRoleConfig | IdentityCenterConfig, ProviderPlugin.ProviderConfigError> => {
  const stray = strayKey(config)
  if (stray !== null) return Result.fail(stray)
  const { mode } = config
  if (mode === "sts_assume_role") {
    const { account_id, roles } = config
    if (account_id === undefined) return Result.fail(needed(config, "account_id"))
    if (roles === undefined) return Result.fail(needed(config, "roles"))
    return Result.succeed({ ...config, mode, account_id, roles })
  }
  const { identity_store_id, instance_arn, permission_sets } = config
  if (instance_arn === undefined) return Result.fail(needed(config, "instance_arn"))
  if (identity_store_id === undefined) return Result.fail(needed(config, "identity_store_id"))
  if (permission_sets === undefined) return Result.fail(needed(config, "permission_sets"))
  return Result.succeed({ ...config, mode, identity_store_id, instance_arn, permission_sets })
}
