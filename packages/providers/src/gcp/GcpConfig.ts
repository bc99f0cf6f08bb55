/**
 * The `providers.gcp` section of the daemon's configuration.
 *
 * 1. Resources, roles and members that jitsudo may touch are listed; nothing is allowed by leaving it out.
 * 2. Every key has an effect; unknown ones are refused by the daemon.
 * 3. Each switch that needs another permission says which. `getIamPolicy` and `setIamPolicy` on the listed resources are
 *    enough for predefined roles.
 */
import { ProviderPlugin } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ConditionalBinding from "./ConditionalBinding.ts"
import * as MemberRules from "./MemberRule.ts"
import * as ResourceName from "./ResourceName.ts"
import * as RoleName from "./RoleName.ts"

const url = Schema.String.check(Schema.isPattern(/^https?:\/\/[A-Za-z0-9.:[\]-]+$/u))
const file = Schema.String.check(Schema.isPattern(/^[^\u0000-\u001f]{1,4096}$/u))

/** Longest lifetime of an access token; more than an hour needs an organisation policy. */
const longestToken = 43_200

export const GcpConfig = Schema.Struct({
  credentials: Schema.Union([
    Schema.Literal("application_default"),
    Schema.Struct({ service_account_key: file }),
    Schema.Struct({ external_account: file })
  ]).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("application_default" as const)),
    Schema.annotateKey({
      description:
        "Where the daemon's own identity comes from: Application Default Credentials of its environment, a service account's key file, or a file that describes an external account (workload identity federation)."
    })
  ),
  resources: Schema.NonEmptyArray(Schema.String).pipe(
    Schema.annotateKey({
      description: "What may be asked for: `projects/ID`, `folders/NUMBER`, `organizations/NUMBER`."
    })
  ),
  roles: Schema.NonEmptyArray(Schema.String).pipe(
    Schema.annotateKey({
      description: "Roles that may be asked for: canonical names, `*` for any run of characters (`roles/storage.*`)."
    })
  ),
  members: Schema.NonEmptyArray(MemberRules.MemberRule).pipe(
    Schema.annotateKey({ description: "Whom a grantee is bound as, by the first rule that fits." })
  ),
  condition_title_prefix: Schema.String.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed("jitsudo"))).pipe(
    Schema.annotateKey({
      description: "First part of each condition's title. Installations that share resources may share it."
    })
  ),
  max_duration_seconds: Schema.Int.check(Schema.isBetween({ minimum: 60, maximum: 2_592_000 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(28_800)),
    Schema.annotateKey({ description: "The longest grant that may be asked for." })
  ),
  read_roles: Schema.Boolean.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(true))).pipe(
    Schema.annotateKey({
      description: "Look a role up before anybody decides. Custom roles need `iam.roles.get` for it."
    })
  ),
  impersonate: Schema.optionalKey(
    Schema.Struct({
      max_token_seconds: Schema.Int.check(Schema.isBetween({ minimum: 60, maximum: longestToken })).pipe(
        Schema.withDecodingDefaultTypeKey(Effect.succeed(3600)),
        Schema.annotateKey({
          description:
            "Longest token, and so longest grant: 3600, or up to 43200 for accounts that an organisation policy allows it."
        })
      ),
      scopes: Schema.NonEmptyArray(Schema.String.check(Schema.isPattern(/^https:\/\/[\w./-]+$/u))).pipe(
        Schema.withDecodingDefaultTypeKey(
          Effect.succeed(["https://www.googleapis.com/auth/cloud-platform"] as [string, ...Array<string>])
        ),
        Schema.annotateKey({ description: "OAuth scopes of the access token." })
      )
    })
  ).pipe(
    Schema.annotateKey({
      description:
        "Grant to a service account of the grantee's own and give the child process an access token of it. Every rule of `members` must then make a service account. Adds `iam.serviceAccounts.getAccessToken` on those accounts."
    })
  ),
  endpoints: Schema.Struct({
    resource_manager: Schema.optionalKey(url).pipe(
      Schema.annotateKey({ description: "Resource Manager's address, where it is another." })
    ),
    iam: Schema.optionalKey(url).pipe(Schema.annotateKey({ description: "IAM's address, where it is another." })),
    iam_credentials: Schema.optionalKey(url).pipe(
      Schema.annotateKey({ description: "Service Account Credentials' address, where it is another." })
    )
  }).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed({})),
    Schema.annotateKey({ description: "Other addresses of Google's APIs (Private Service Connect, a test)." })
  ),
  timeout_seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 120 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(15)),
    Schema.annotateKey({ description: "Longest time for one call of this provider." })
  )
})
export type GcpConfig = typeof GcpConfig.Type

/** What two sections must not have in common: a resource, whose one policy each would write. */
export const territory = ({ resources }: GcpConfig): ReadonlyArray<string> => resources

const wrong = (key: string, message: string): ProviderPlugin.ProviderConfigError =>
  new ProviderPlugin.ProviderConfigError({ provider: "gcp", key, message })

/** What the schema cannot say; null when the configuration is sound. */
export const whyNotConfig = (config: GcpConfig): ProviderPlugin.ProviderConfigError | null => {
  const resource = config.resources.find((one) => !ResourceName.isCanonical(one))
  if (resource !== undefined) {
    return wrong(
      "resources",
      `${JSON.stringify(resource)} must be projects/ID, folders/NUMBER or organizations/NUMBER (a project by its id, not its number)`
    )
  }
  for (const pattern of config.roles) {
    if (!RoleName.isPattern(pattern)) {
      return wrong(
        "roles",
        `${JSON.stringify(pattern)} must be roles/NAME, projects/ID/roles/NAME or organizations/NUMBER/roles/NAME, with * in NAME only`
      )
    }
    if (RoleName.isBasic(pattern)) {
      return wrong(
        "roles",
        `${pattern} is a basic role: Google accepts no condition on it, so it cannot end by itself. Name predefined or custom roles`
      )
    }
  }
  if (!ConditionalBinding.isPrefix(config.condition_title_prefix)) {
    return wrong(
      "condition_title_prefix",
      "must begin with a letter, have lower-case letters, digits and - only, and at most 69 characters: a title has 100"
    )
  }
  const rules = MemberRules.whyNotRules(config.members)
  if (rules !== null) return wrong("members", rules)
  if (config.impersonate === undefined) return null
  const other = config.members.findIndex(({ member }) => !member.startsWith("serviceAccount:"))
  return other < 0
    ? null
    : wrong("members", `rule ${other + 1} must make a serviceAccount: with \`impersonate\`, a token is of that account`)
}
