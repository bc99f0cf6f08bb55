/**
 * The configuration in the mode `sts_assume_role`.
 *
 * 1. A role template names the account exactly once and the role exactly once, as the last part of the name: what was
 *    asked for can leave neither its account nor its prefix.
 * 2. An account that is not the daemon's own needs a role there to revoke with: `PutRolePolicy` acts in the account of
 *    its caller (https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html).
 */
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { accountId, address, sharedKeys } from "./AwsKeys.ts"
import * as RoleArn from "./RoleArn.ts"

const flag = (description: string) =>
  Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(false)), Schema.annotateKey({ description }))

export const AssumeRoleConfig = Schema.Struct({
  mode: Schema.Literal("sts_assume_role").pipe(
    Schema.annotateKey({
      description:
        "`sts_assume_role` gives the child process a session of a role, and is the default; `identity_center` assigns a permission set to the person."
    })
  ),
  ...sharedKeys,
  account_id: Schema.optionalKey(accountId).pipe(
    Schema.annotateKey({
      description: "The account that the daemon's own identity lives in; the first of `accounts` when absent."
    })
  ),
  roles: Schema.NonEmptyArray(Schema.NonEmptyString).pipe(
    Schema.annotateKey({
      description: "Roles that may be asked for: names with `*` and `?`, matched as a whole."
    })
  ),
  role_arn_template: Schema.String.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("arn:aws:iam::{scope}:role/jitsudo-{role}")),
    Schema.annotateKey({
      description: "How account (`{scope}`) and name (`{role}`) become the ARN of the role to assume."
    })
  ),
  external_id: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[\w+=,.@:/-]{2,1224}$/u))).pipe(
    Schema.annotateKey({ description: "Sent with every `AssumeRole`, where the roles' trust policies ask for one." })
  ),
  max_session_seconds: Schema.Int.check(Schema.isBetween({ minimum: 900, maximum: 43_200 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(3600)),
    Schema.annotateKey({
      description:
        "The longest session of the roles (their `MaxSessionDuration`; 3600 when the daemon itself runs on a role). More is refused."
    })
  ),
  revoker_role_arn_template: Schema.optionalKey(Schema.String).pipe(
    Schema.annotateKey({
      description:
        "A role in every account but `account_id` that may `iam:PutRolePolicy` there, with `{scope}` for the account."
    })
  ),
  session_tags: flag("Tag sessions with request id, requester and reason. Adds `sts:TagSession`."),
  source_identity: flag("Name the requester as source identity. Adds `sts:SetSourceIdentity`."),
  read_limits: flag("Read a role's `MaxSessionDuration` before anybody decides. Adds `iam:GetRole`."),
  child_endpoint_url: Schema.optionalKey(address).pipe(
    Schema.annotateKey({ description: "`AWS_ENDPOINT_URL` for the child process." })
  )
})
export type AssumeRoleConfig = typeof AssumeRoleConfig.Type

/** The account that the daemon's own identity lives in. */
export const homeAccount = ({ account_id, accounts }: AssumeRoleConfig): string => account_id ?? accounts[0]

const wrong = (key: keyof AssumeRoleConfig, message: string): ProviderPlugin.ProviderConfigError =>
  new ProviderPlugin.ProviderConfigError({ provider: "aws", key, message })

/** What the schema cannot say; null when the configuration is sound. */
export const whyNot = (config: AssumeRoleConfig): ProviderPlugin.ProviderConfigError | null => {
  if (!RoleArn.isRoleTemplate(config.role_arn_template)) {
    return wrong(
      "role_arn_template",
      "must be arn:aws:iam::{scope}:role/ plus a fixed path and prefix plus {role}, each placeholder once, {role} last"
    )
  }
  const foreign = config.accounts.filter((account) => account !== homeAccount(config))
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
