/**
 * Keys and variables of earlier releases that this version does not take as they are. Ignoring one would be a silent
 * change (a break-glass alert that goes nowhere), so each is refused with what to do, or moved to its new name.
 */

const notBuilt = (what: string) => `${what} is not built into this version`

/** Path -> what to say. A path covers everything below it. */
export const retiredKeys: ReadonlyMap<string, { readonly message: string; readonly hint: string }> = new Map([
  [
    "server.grpc_addr",
    { message: "there is no separate gRPC listener", hint: "remove the key; everything is served on server.http_addr" }
  ],
  [
    "server.public_url",
    {
      message: notBuilt("anything that links to the daemon"),
      hint: "remove the key; alerts name the request by its id"
    }
  ],
  [
    "providers.aws.identity_center_instance_arn",
    { message: notBuilt("AWS IAM Identity Center"), hint: "remove the key; the mode is sts_assume_role" }
  ],
  [
    "providers.aws.identity_center_store_id",
    { message: notBuilt("AWS IAM Identity Center"), hint: "remove the key; the mode is sts_assume_role" }
  ],
  [
    "notifications",
    { message: notBuilt("sending notifications"), hint: "remove the section; use alerts with type log or file" }
  ],
  [
    "mcp",
    { message: notBuilt("the MCP endpoint"), hint: "remove the section; agents sign in at an issuer of auth.issuers" }
  ],
  [
    "policy.two_person",
    { message: notBuilt("acceptance of policy changes by a second person"), hint: "remove the key" }
  ]
])

/** Keys of providers that took a length of time in words, by plug-in: today's take whole seconds or milliseconds. */
export const secondsKeys: ReadonlyMap<
  string,
  ReadonlyMap<string, { readonly key: string; readonly millis: boolean }>
> = new Map([
  [
    "aws",
    new Map([
      ["max_duration", { key: "max_session_seconds", millis: false }],
      ["max_session", { key: "max_session_seconds", millis: false }]
    ])
  ],
  [
    "mock",
    new Map([
      ["max_duration", { key: "max_duration_seconds", millis: false }],
      ["latency", { key: "latency_millis", millis: true }]
    ])
  ]
])

/** Variables of retired keys. */
export const retiredVariables: ReadonlyMap<string, string> = new Map([
  ["JITSUDOD_GRPC_ADDR", "server.grpc_addr"],
  ["JITSUDOD_SLACK_WEBHOOK_URL", "notifications"],
  ["JITSUDOD_SMTP_HOST", "notifications"],
  ["JITSUDOD_SMTP_PASSWORD", "notifications"],
  ["JITSUDOD_WEBHOOK_URL", "notifications"],
  ["JITSUDOD_SIEM_JSON_URL", "notifications"],
  ["JITSUDOD_SIEM_SYSLOG_ADDRESS", "notifications"],
  ["JITSUDOD_MCP_TOKEN", "mcp"],
  ["JITSUDOD_MCP_AGENT_IDENTITY", "mcp"]
])
