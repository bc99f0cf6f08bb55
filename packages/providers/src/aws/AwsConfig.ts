/**
 * The `providers.aws` section of the daemon's configuration, in the mode `sts_assume_role`.
 *
 * 1. Accounts and roles that jitsudo may touch are listed; nothing is allowed by leaving it out.
 * 2. A role template names the account exactly once and the role exactly once, as the last part of the name: what was
 *    asked for can leave neither its account nor its prefix.
 * 3. An account that is not the daemon's own needs a role there to revoke with: `PutRolePolicy` acts in the account of
 *    its caller (https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html).
 * 4. Each switch that needs another permission says which. Without switches `sts:AssumeRole` and `iam:PutRolePolicy`
 *    are enough.
 */
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as RoleArn from "./RoleArn.ts"

const accountId = Schema.String.check(Schema.isPattern(/^\d{12}$/u))
const off = Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(false)))

export const AwsConfig = Schema.Struct({
  /** Only `sts_assume_role` is built. */
  mode: Schema.Literal("sts_assume_role").pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("sts_assume_role" as const))
  ),
  /** Region of the STS endpoint, and what the child process gets. */
  region: Schema.String.check(Schema.isPattern(/^[a-z]{2,3}(-[a-z]+)+-\d$/u)).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("us-east-1"))
  ),
  /** The account that the daemon's own identity lives in. */
  account_id: accountId,
  /** Accounts that may be asked for. */
  accounts: Schema.NonEmptyArray(accountId),
  /** Roles that may be asked for: names with `*` and `?`, matched as a whole. */
  roles: Schema.NonEmptyArray(Schema.NonEmptyString),
  /** `{scope}` is the account, `{role}` what was asked for. */
  role_arn_template: Schema.String.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("arn:aws:iam::{scope}:role/jitsudo-{role}"))
  ),
  /** Sent with every `AssumeRole`, where the trust policies ask for one. */
  external_id: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[\w+=,.@:/-]{2,1224}$/u))),
  /** The longest session of the roles (their `MaxSessionDuration`; 1 h when the daemon itself runs on a role). */
  max_session_seconds: Schema.Int.check(Schema.isBetween({ minimum: 900, maximum: 43_200 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(3600))
  ),
  /** A role in every other account that may `iam:PutRolePolicy` there. Needed for accounts other than `account_id`. */
  revoker_role_arn_template: Schema.optionalKey(Schema.String),
  /** Tag sessions with request id, requester and reason. Adds `sts:TagSession`. */
  session_tags: off,
  /** Name the requester as source identity. Adds `sts:SetSourceIdentity`. */
  source_identity: off,
  /** Read a role's `MaxSessionDuration` before anybody decides. Adds `iam:GetRole`. */
  read_limits: off,
  /** Another endpoint for STS and IAM (a VPC endpoint, a test). */
  endpoint_url: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s]+$/u))),
  /** `AWS_ENDPOINT_URL` for the child process. */
  child_endpoint_url: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s]+$/u))),
  /** Longest time for one call of this provider. */
  timeout_seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 120 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(15))
  )
})
export type AwsConfig = typeof AwsConfig.Type

const wrong = (key: string, message: string): ProviderPlugin.ProviderConfigError =>
  new ProviderPlugin.ProviderConfigError({ provider: "aws", key, message })

/** What the schema cannot say; null when the configuration is sound. */
export const whyNotConfig = (config: AwsConfig): ProviderPlugin.ProviderConfigError | null => {
  if (!RoleArn.isRoleTemplate(config.role_arn_template)) {
    return wrong(
      "role_arn_template",
      "must be arn:aws:iam::{scope}:role/ plus a fixed path and prefix plus {role}, each placeholder once, {role} last"
    )
  }
  const foreign = config.accounts.filter((account) => account !== config.account_id)
  if (config.revoker_role_arn_template === undefined) {
    if (foreign.length === 0) return null
    return wrong(
      "revoker_role_arn_template",
      `is needed to revoke in ${foreign.join(", ")}: only a role in an account can put a policy on its roles`
    )
  }
  return RoleArn.isRevokerTemplate(config.revoker_role_arn_template)
    ? null
    : wrong("revoker_role_arn_template", "must be arn:aws:iam::{scope}:role/ plus a fixed name, {scope} once")
}
