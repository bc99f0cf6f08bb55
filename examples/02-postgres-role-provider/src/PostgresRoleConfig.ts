/** The keys of the plug-in's section. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const name = Schema.String.check(Schema.isPattern(/^[a-z_][a-z0-9_]{0,62}$/u))

export const PostgresRoleConfig = Schema.Struct({
  url: Schema.RedactedFromValue(Schema.String.check(Schema.isPattern(/^postgres(?:ql)?:\/\//u))).pipe(
    Schema.annotateKey({ description: "How jitsudo signs in: as somebody who may create logins and give these roles." })
  ),
  scope: name.pipe(
    Schema.annotateKey({ description: "What requests call this server: the scope that may be asked for." })
  ),
  roles: Schema.NonEmptyArray(name).pipe(
    Schema.annotateKey({ description: "The roles that may be asked for: nothing is allowed by leaving it out." })
  ),
  login_prefix: Schema.String.check(Schema.isPattern(/^[a-z][a-z0-9_]{0,29}_$/u)).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("jitsudo_")),
    Schema.annotateKey({ description: "What the names of jitsudo's logins begin with; nobody else's may." })
  ),
  max_duration_seconds: Schema.Int.check(Schema.isBetween({ minimum: 60, maximum: 86_400 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(14_400)),
    Schema.annotateKey({ description: "The longest grant." })
  )
})
export type PostgresRoleConfig = typeof PostgresRoleConfig.Type
