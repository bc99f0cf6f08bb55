/**
 * The configuration in the mode `identity_center`.
 *
 * 1. A permission set has one canonical form, its name: an ARN may be asked for only where the configuration says whose
 *    it is.
 * 2. A user template has exactly one placeholder, so that two requesters are never the same user by the template.
 */
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { sharedKeys } from "./AwsKeys.ts"

const instancePattern = /^arn:aws(-[a-z]{1,5}){0,3}:sso:::instance\/(sso)?ins-[a-zA-Z0-9-.]{16}$/u
const storePattern = /^d-[0-9a-f]{10}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u

export const IdentityCenterConfig = Schema.Struct({
  mode: Schema.Literal("identity_center"),
  ...sharedKeys,
  instance_arn: Schema.String.check(Schema.isPattern(instancePattern, { expected: "the ARN of an instance" })).pipe(
    Schema.annotateKey({ description: "The instance of IAM Identity Center." })
  ),
  identity_store_id: Schema.String.check(
    Schema.isPattern(storePattern, { expected: "an id such as d-1234567890" })
  ).pipe(Schema.annotateKey({ description: "The identity store of the instance: where its users are." })),
  permission_sets: Schema.NonEmptyArray(Schema.NonEmptyString).pipe(
    Schema.annotateKey({
      description: "Permission sets that may be asked for: names with `*` and `?`, matched as a whole."
    })
  ),
  permission_set_arns: Schema.optionalKey(
    Schema.Record(Schema.String, Schema.String.annotate({ description: "The ARN of the permission set of this name." }))
  ).pipe(
    Schema.annotateKey({
      description:
        "ARNs of permission sets by name: these are not searched for, and may be asked for by their ARN, too."
    })
  ),
  user_lookup: Schema.Literals(["user_name", "email"]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("user_name" as const)),
    Schema.annotateKey({
      description: "What of a user is compared with `user_template`, letter for letter: `user_name` or `email`."
    })
  ),
  user_template: Schema.String.pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("{email}")),
    Schema.annotateKey({
      description:
        "Whom a requester is there: fixed text around `{email}` (verified by the issuer) or `{subject}` (where there is one issuer only)."
    })
  ),
  max_duration_seconds: Schema.Int.check(Schema.isBetween({ minimum: 300, maximum: 604_800 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(43_200)),
    Schema.annotateKey({ description: "The longest time that a permission set may be assigned." })
  ),
  operation_seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 600 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(25)),
    Schema.annotateKey({
      description: "Longest time to wait for an assignment to come to be or to go, before it is tried again later."
    })
  )
})
export type IdentityCenterConfig = typeof IdentityCenterConfig.Type

const wrong = (key: keyof IdentityCenterConfig, message: string): ProviderPlugin.ProviderConfigError =>
  new ProviderPlugin.ProviderConfigError({ provider: "aws", key, message })

// https://docs.aws.amazon.com/singlesignon/latest/APIReference/API_PermissionSet.html
const arnPattern =
  /^arn:aws(-[a-z]{1,5}){0,3}:sso:::permissionSet\/((sso)?ins-[a-zA-Z0-9-.]{16})\/ps-[a-zA-Z0-9-./]{16}$/u

/** Names are letters, digits and `_+=,.@-`, at most 32. */
export const isPermissionSetName = (text: string): boolean => /^[\w+=,.@-]{1,32}$/u.test(text)

/** What the schema cannot say; null when the configuration is sound. */
export const whyNot = (config: IdentityCenterConfig): ProviderPlugin.ProviderConfigError | null => {
  const instance = config.instance_arn.slice(config.instance_arn.indexOf("/") + 1)
  const arns = Object.entries(config.permission_set_arns ?? {})
  for (const [name, arn] of arns) {
    if (!isPermissionSetName(name))
      return wrong("permission_set_arns", `${JSON.stringify(name)} names no permission set`)
    if (arnPattern.exec(arn)?.[2] !== instance) {
      return wrong("permission_set_arns", `that of ${name} must be the ARN of a permission set of instance_arn`)
    }
  }
  if (new Set(arns.map(([, arn]) => arn)).size < arns.length) {
    return wrong("permission_set_arns", "two names have one ARN: a permission set has one name")
  }
  const places = config.user_template.match(/\{[^{}]*\}/gu) ?? []
  const [place = ""] = places
  if (places.length !== 1 || !["{email}", "{subject}"].includes(place)) {
    return wrong("user_template", "must have exactly one of {email} and {subject}")
  }
  return /^[^{}\p{Z}\p{C}]*$/u.test(config.user_template.replace(place, ""))
    ? null
    : wrong("user_template", "must have no space and no other brace around its placeholder")
}
