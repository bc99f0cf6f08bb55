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

/** What became of a provider's key. */
export type OldKey =
  /** It has another name; with a unit it was a length of time in words, and is now a whole number of these. */
  | { readonly to: string; readonly unit?: "seconds" | "milliseconds"; readonly mode?: string }
  | { readonly message: string; readonly hint: string }

const inSeconds = { to: "max_duration_seconds", unit: "seconds" } as const

/** Keys of earlier releases, by plug-in. The first that fits the section's `mode` counts. */
export const oldPluginKeys: ReadonlyMap<string, ReadonlyArray<readonly [key: string, OldKey]>> = new Map([
  [
    "aws",
    [
      ["max_duration", { to: "max_duration_seconds", unit: "seconds", mode: "identity_center" }],
      ["max_duration", { to: "max_session_seconds", unit: "seconds" }],
      ["max_session", { to: "max_session_seconds", unit: "seconds" }],
      ["identity_center_instance_arn", { to: "instance_arn" }],
      ["identity_center_store_id", { to: "identity_store_id" }]
    ]
  ],
  [
    "azure",
    [
      ["max_duration", inSeconds],
      [
        "credentials_source",
        { message: "the daemon's identity is chosen by `credentials`", hint: "see docs/guides/providers/azure.md" }
      ],
      [
        "default_subscription_id",
        { message: "there is no default subscription", hint: "list what may be asked for in `scopes`" }
      ]
    ]
  ],
  [
    "gcp",
    [
      ["max_duration", inSeconds],
      [
        "credentials_source",
        { message: "the daemon's identity is chosen by `credentials`", hint: "see docs/guides/providers/gcp.md" }
      ],
      [
        "organization_id",
        { message: "there is no default organisation", hint: "list what may be asked for in `resources`" }
      ]
    ]
  ],
  [
    "kubernetes",
    [
      ["max_duration", inSeconds],
      ["kubeconfig", { message: "there may be several clusters", hint: "clusters: { NAME: { kubeconfig: PATH } }" }]
    ]
  ],
  [
    "mock",
    [
      ["max_duration", inSeconds],
      ["latency", { to: "latency_millis", unit: "milliseconds" }]
    ]
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
