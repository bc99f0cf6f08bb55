/** AWS: sessions of a role (`sts:AssumeRole`), each denied by itself when it is taken back. */
import { type Called, denying, leaking, type Platform, type Right } from "./Platform.ts"

interface Wire {
  readonly url: string
  readonly account: string
  readonly accessKeyId: string
  readonly secretAccessKey: string
}

interface State {
  readonly sessions: ReadonlyArray<{ readonly sessionName: string; readonly roleArn: string; readonly live: boolean }>
}

const variables = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]

/** By the official SDK. */
const call = async (): Promise<Called> => {
  const { IAMClient, ListRolesCommand } = await import("@aws-sdk/client-iam")
  try {
    const { Roles = [] } = await new IAMClient({ maxAttempts: 1 }).send(new ListRolesCommand({}))
    return { allowed: true, shown: `${Roles.length} roles (${Roles.map(({ RoleName }) => RoleName).join(", ")})` }
  } catch (error) {
    if (!(error instanceof Error)) throw error
    return { allowed: false, refused: error.name.startsWith("AccessDenied"), shown: error.name }
  }
}

const rightsIn = (state: string): ReadonlyArray<Right> => {
  const { sessions }: State = JSON.parse(state)
  return sessions.map(({ live, roleArn, sessionName }) => ({
    request: sessionName.startsWith("jitsudo-") ? sessionName.slice("jitsudo-".length) : null,
    live,
    shown: `${sessionName} on ${roleArn}`
  }))
}

export const platform: Platform = {
  name: "aws",
  title: "AWS",
  right: { one: "session", several: "sessions" },
  server: "aws-wire-main.ts",
  placeOf: (line) => {
    const { accessKeyId, account, secretAccessKey, url }: Wire = JSON.parse(line)
    return {
      url,
      shown: `account ${account}`,
      section: {
        region: "us-east-1",
        account_id: account,
        accounts: [account],
        roles: ["read-only", "incident-responder", "prod-admin"],
        role_arn_template: "arn:aws:iam::{scope}:role/jitsudo-{role}",
        endpoint_url: url,
        child_endpoint_url: url
      },
      daemon: {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_EC2_METADATA_DISABLED: "true"
      },
      alice: {},
      asks: {
        first: { role: "prod-admin", scope: account },
        second: { role: "prod-admin", scope: account },
        emergency: { role: "incident-responder", scope: account }
      }
    }
  },
  does: "list roles (iam:ListRoles)",
  secrets: {
    where: variables,
    here: async () => variables.map((name) => process.env[name]),
    files: [],
    plain: []
  },
  call,
  rightsIn,
  sabotages: {
    6: {
      what: "AWS refuses to let the daemon assume the role",
      wire: [denying("sts:AssumeRole")]
    },
    7: leaking,
    8: {
      what: "AWS takes denials and does not enforce them",
      wireBeforeEnd: [{ door: "lag", body: { calls: 1_000_000 } }]
    }
  }
}
