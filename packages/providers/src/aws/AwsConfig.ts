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
import * as Schema from "effect/Schema"
import * as SchemaGetter from "effect/SchemaGetter"
import { AssumeRoleConfig } from "./AssumeRoleConfig.ts"
import { IdentityCenterConfig } from "./IdentityCenterConfig.ts"

const modes = Schema.Union([AssumeRoleConfig, IdentityCenterConfig])

/** A section as it was read. It is a union too, so that whoever describes the schema sees the groups of both modes. */
const section = Schema.Union([Schema.Record(Schema.String, Schema.Unknown)])

/** The mode comes first, so that what is wrong with the keys is said of the right ones. */
export const AwsConfig = section.pipe(
  Schema.decodeTo(Schema.Unknown, {
    decode: SchemaGetter.transform((given) => ("mode" in given ? given : { ...given, mode: "sts_assume_role" })),
    encode: SchemaGetter.transform((config) => Object.fromEntries(Object.entries(Object(config))))
  }),
  Schema.decodeTo(modes, { decode: SchemaGetter.passthroughSupertype(), encode: SchemaGetter.passthroughSubtype() })
)
export type AwsConfig = typeof AwsConfig.Type
