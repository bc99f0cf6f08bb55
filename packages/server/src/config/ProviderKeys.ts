/**
 * `providers.*`: where rights can be granted. A section that is present, even empty, switches its provider on;
 * nothing is on by itself.
 */
import * as Kinds from "./Kinds.ts"
import { defaulted, optional, optionalSection, required, section } from "./Setting.ts"

const accounts = Kinds.textsOf("list of account ids", "a list of account ids of twelve digits, in quotes", /^\d{12}$/u)

const roles = Kinds.textsOf(
  "list of patterns",
  "a list of role names; * stands for any characters",
  /^[\w+=,.@*-]{1,64}$/u
)

export const providers = section("Where rights can be granted.", {
  mock: optionalSection("Grants nothing anywhere: for trying out, tests and drills.", {
    latency: defaulted(Kinds.duration("0s", "1m"), "0s", { description: "How long each call pretends to take." }),
    max_duration: defaulted(Kinds.duration("1s", "720h"), "12h", { description: "The longest grant." }),
    state_file: optional(Kinds.path, {
      description: "Keep what is granted in this file, so that it outlives the daemon."
    }),
    journal_file: optional(Kinds.path, { description: "Write every call to this file, one JSON object a line." }),
    control_file: optional(Kinds.path, { description: "Faults for the next calls, read before each: for drills." })
  }),
  aws: optionalSection("Sessions of AWS roles.", {
    mode: defaulted(Kinds.oneOf("sts_assume_role"), "sts_assume_role", { description: "How rights are granted." }),
    region: optional(Kinds.pattern("AWS region", "a region such as us-east-1", /^[a-z]{2}(?:-[a-z]+)+-\d$/u), {
      description: "Region of the STS endpoint; otherwise as the AWS SDK finds it."
    }),
    role_arn_template: required(
      Kinds.pattern(
        "ARN template",
        'a role ARN with {scope} for the account and {role} for the name, such as "arn:aws:iam::{scope}:role/jitsudo-{role}"',
        /^arn:aws(?:-[a-z]+)*:iam::(?:\{scope\}|\d{12}):role\/[\w+=,.@/-]*\{role\}[\w+=,.@-]*$/u
      ),
      { description: "How account and role name become the ARN of the role to assume." }
    ),
    max_session: defaulted(Kinds.duration("15m", "12h"), "1h", {
      description: "The longest session that the roles allow (their `MaxSessionDuration`). Longer requests are refused."
    }),
    accounts: required(accounts, { description: "The accounts that may be touched at all." }),
    roles: required(roles, {
      description: "Names of the roles that may be asked for; `*` stands for any characters."
    }),
    account_id: optional(Kinds.pattern("account id", "twelve digits, in quotes", /^\d{12}$/u), {
      description: "The account that the daemon's own identity lives in; otherwise the first of `accounts`."
    }),
    revoker_role_arn_template: optional(Kinds.text, {
      description: "A role in every other account that may `iam:PutRolePolicy` there, with {scope} for the account."
    }),
    external_id: optional(Kinds.text, {
      description: "Sent as `ExternalId`, where the roles' trust policies ask for one."
    }),
    endpoint_url: optional(Kinds.url, {
      description: "Another endpoint for STS and IAM, for tests and private links."
    }),
    child_endpoint_url: optional(Kinds.url, {
      description: "`AWS_ENDPOINT_URL` for the programs that `jitsudo exec` runs."
    }),
    session_tags: defaulted(Kinds.flag, false, {
      description: "Tag sessions with request and requester. Needs `sts:TagSession`."
    }),
    source_identity: defaulted(Kinds.flag, false, {
      description: "Set the session's source identity to the requester. Needs `sts:SetSourceIdentity`."
    }),
    read_limits: defaulted(Kinds.flag, false, {
      description:
        "Read each role's longest session before approval instead of trusting `max_session`. Needs `iam:GetRole`."
    })
  })
})
