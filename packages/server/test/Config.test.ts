import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Config from "../src/Config.ts"
import * as GoDuration from "../src/config/GoDuration.ts"

let directory = ""
let count = 0
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "jitsudo-config-"))
})
afterAll(() => rmSync(directory, { recursive: true }))

const write = (content: string, name = `file-${count++}`): string => {
  const file = join(directory, name)
  writeFileSync(file, content)
  return file
}

const sealingKey = Buffer.alloc(32, 7).toString("base64")

/** The least that `serve` needs. */
const enough = `
database: {data_dir: /var/lib/jitsudo}
auth:
  issuers:
    - issuer: https://login.example.test
      audiences: [jitsudo]
      interactive_clients: [jitsudo-cli]
sealing: {keys: [{id: a, key: "${sealingKey}"}]}
`

const run = <A, E>(effect: Effect.Effect<A, E>) => Effect.runPromise(Effect.result(effect))

const load = async (
  yaml: string | undefined,
  env: Record<string, string> = {},
  more: Partial<Config.LoadOptions> = {}
) => {
  const result = await run(Config.load({ ...(yaml === undefined ? {} : { file: write(yaml) }), env, ...more }))
  if (Result.isFailure(result)) throw new Error(`did not load:\n${result.failure.message}`)
  return result.success
}

const issuesOf = async (yaml: string, env: Record<string, string> = {}, more: Partial<Config.LoadOptions> = {}) => {
  const result = await run(Config.load({ file: write(yaml), env, ...more }))
  if (Result.isSuccess(result)) throw new Error("loaded, although it should not")
  return result.failure.issues
}

const paths = (issues: ReadonlyArray<Config.ConfigIssue>) => issues.map((one) => one.path)

const issueAt = (issues: ReadonlyArray<Config.ConfigIssue>, path: string) => {
  const found = issues.find((one) => one.path === path)
  if (found === undefined) throw new Error(`nothing at ${path}; issues are at ${paths(issues).join(", ")}`)
  return found
}

describe("reading", () => {
  it("fills every key that is not given with its documented default", async () => {
    const config = await load(enough)
    expect(config.server.http_addr).toEqual({ host: "127.0.0.1", port: 8080 })
    expect(Duration.toSeconds(config.limits.pending_deadline)).toBe(86_400)
    expect(Duration.toMillis(config.policy.budget)).toBe(50)
    expect(config.auth.admin_groups).toEqual(["jitsudo-admins"])
    expect(config.providers).toEqual([])
    expect(config.auth.issuers[0]?.require_email_verified).toBe(true)
  })

  it("takes an empty file as one that says nothing", async () => {
    const env = {
      JITSUDOD_DATABASE_DATA_DIR: "/data",
      JITSUDOD_OIDC_ISSUER: "https://login.example.test",
      JITSUDOD_SEALING_KEY: sealingKey
    }
    for (const empty of ["", "\n\n", "# nothing\n", "---\n", "server:\nauth:\n"]) {
      expect((await load(empty, env)).database.data_dir).toBe("/data")
    }
  })

  it("names both ways to a database when neither is given", async () => {
    const issue = issueAt(await issuesOf(""), "database")
    expect(issue.message).toContain("database.url")
    expect(issue.message).toContain("database.data_dir")
  })

  it("refuses two databases at once", async () => {
    const issues = await issuesOf(`${enough}`, { JITSUDOD_DATABASE_URL: "postgres://u:p@db/x" })
    expect(issueAt(issues, "database").message).toContain("both are")
  })

  it("lets the environment win over the file, and ignores an empty variable", async () => {
    const yaml = `${enough}\nserver: {http_addr: "127.0.0.1:1000"}\nlog: {level: warn}\n`
    const config = await load(yaml, { JITSUDOD_HTTP_ADDR: "127.0.0.1:2000", JITSUDOD_LOG_LEVEL: "" })
    expect(config.server.http_addr.port).toBe(2000)
    expect(config.log.level).toBe("warn")
  })

  it("reads numbers, truth values and lists from the environment", async () => {
    const config = await load(enough, {
      JITSUDOD_DATABASE_POOL_SIZE: "23",
      JITSUDOD_SERVER_ALLOW_INSECURE_BIND: "true",
      JITSUDOD_AUTH_ADMIN_GROUPS: "ops, platform"
    })
    expect(config.database.pool_size).toBe(23)
    expect(config.server.allow_insecure_bind).toBe(true)
    expect(config.auth.admin_groups).toEqual(["ops", "platform"])
  })

  it("lays file and environment over the base that a caller brings", async () => {
    const base = { database: { data_dir: "/dev-data" }, log: { level: "debug", format: "text" } }
    const yaml = enough.replace("database: {data_dir: /var/lib/jitsudo}", "log: {level: error}")
    const config = await load(yaml, {}, { base })
    expect(config.database.data_dir).toBe("/dev-data")
    expect(config.log).toEqual({ level: "error", format: "text" })
  })

  it("takes the short form of one issuer", async () => {
    const yaml = `database: {data_dir: /d}\nsealing: {key: "${sealingKey}"}\n`
    const config = await load(yaml, {
      JITSUDOD_OIDC_ISSUER: "https://login.example.test",
      JITSUDOD_OIDC_DISCOVERY_URL: "https://inside.example.test/",
      JITSUDOD_OIDC_CLIENT_ID: "mine"
    })
    expect(config.auth.issuers).toHaveLength(1)
    expect(config.auth.issuers[0]).toMatchObject({
      issuer: "https://login.example.test",
      discovery_url: "https://inside.example.test/.well-known/openid-configuration",
      audiences: ["mine"],
      interactive_clients: ["mine"]
    })
    expect(config.sealing.keys.map((key) => key.id)).toEqual(["default"])
  })

  it("has no provider unless one is configured, and an empty section configures the mock", async () => {
    const names = async (yaml: string) => (await load(`${enough}\n${yaml}`)).providers.map(({ name }) => name)
    expect(await names("")).toEqual([])
    expect(await names("providers: {mock: {}}")).toEqual(["mock"])
    expect(await names("providers:\n  mock:\n")).toEqual(["mock"])
  })

  it("asks for a database alone when it is there to migrate", async () => {
    const config = await load("", { JITSUDOD_DATABASE_URL: "postgres://u:p@db/x" }, { purpose: "migrate" })
    expect(Redacted.value(config.database.url ?? Redacted.make(""))).toBe("postgres://u:p@db/x")
  })
})

describe("faults", () => {
  it("reports every fault at once, each with its path", async () => {
    const issues = await issuesOf(
      `
server:
  http_addr: nowhere
  public_url: http://example.test
  body_limit: 5
  request_timeout: 30
  htp_addr: x
database:
  pool_size: many
tls: {cert_file: /c.pem}
auth:
  issuers:
    - issuer: https://a.example.test
      audiences: []
      groups_claims: roles
    - issuer: https://b.example.test
      audiences: [j]
      kind: human
  groups_max_age: 7d
sealing:
  keys: [{id: "a b", key: short}]
policy:
  labels: [{role: admin, labels: [x]}]
limits: {max_duration: 48h}
alerts: [{type: log}, {type: file}, {type: pager}]
log: {level: loud}
providers:
  aws: {region: Frankfurt}
  gpc: {}
surplus: 1
`
    )
    expect([...paths(issues)].sort()).toEqual(
      [
        "server.http_addr",
        "server.public_url",
        "server.body_limit",
        "server.request_timeout",
        "server.htp_addr",
        "database.pool_size",
        "database",
        "tls.key_file",
        "auth.issuers[0].audiences",
        "auth.issuers[0].groups_claims",
        "auth.issuers[1].kind",
        "auth.groups_max_age",
        "sealing.keys[0].id",
        "sealing.keys[0].key",
        "policy.labels[0].labels",
        "limits.max_duration",
        "alerts[1].path",
        "alerts[2].type",
        "log.level",
        "providers.aws.region",
        "providers.aws.accounts",
        "providers.aws.roles",
        "providers.gpc",
        "surplus"
      ].sort()
    )
  })

  it("suggests the key that was meant", async () => {
    const issues = await issuesOf(`${enough}\nserver: {htp_adr: x, pool_size: 3}\nlogs: {level: info}\n`)
    expect(issueAt(issues, "server.htp_adr").hint).toBe("did you mean http_addr?")
    expect(issueAt(issues, "server.pool_size").hint).toBe("did you mean database.pool_size?")
    expect(issueAt(issues, "logs").hint).toBe("did you mean log?")
  })

  it("names the variable that brought a wrong value", async () => {
    const issues = await issuesOf(enough, { JITSUDOD_LOG_LEVEL: "loud" })
    expect(issues).toEqual([
      {
        path: "log.level",
        message: 'expected one of debug, info, warn, error, got "loud"',
        hint: "set by the environment variable JITSUDOD_LOG_LEVEL"
      }
    ])
  })

  it("says that a channel of another version is not built in, instead of ignoring it", async () => {
    const issues = await issuesOf(
      `${enough}\nnotifications: {slack: {webhook_url: https://x.example.test}}\nserver: {grpc_addr: ":8443"}\n`,
      { JITSUDOD_MCP_TOKEN: "mcp-token-value" }
    )
    expect([...paths(issues)].sort()).toEqual(["JITSUDOD_MCP_TOKEN", "notifications", "server.grpc_addr"])
    expect(issueAt(issues, "notifications").message).toContain("not built into this version")
    expect(JSON.stringify(issues)).not.toContain("mcp-token-value")
  })

  it.each([
    ["tls: {key_file: /k.pem}", "tls.cert_file"],
    ["tls: {cert_file: /c.pem}", "tls.key_file"],
    ["tls: {ca_file: /ca.pem}", "tls.cert_file"],
    ['server: {http_addr: ":8080"}', "server.http_addr"],
    ['server: {http_addr: "0.0.0.0:8080"}', "server.http_addr"],
    ['server: {http_addr: "[::]:8080"}', "server.http_addr"],
    ['dev: {issuer_addr: "0.0.0.0:5556"}', "dev.issuer_addr"],
    ['database: {data_dir: /d, direct_url: "postgres://u:p@db/x"}', "database.direct_url"],
    ["policy: {labels: [{labels: {facts_ok: true}}]}", "policy.labels[0].labels.facts_ok"],
    ["audit: {signing_key: PRIVATE+KEY+log.example.test+00000000+AAAA}", "audit.state_file"],
    ["audit: {previous_keys: [{key: log.example.test+00000000+AAAA}]}", "audit.previous_keys"],
    ["audit: {previous_keys: [{key: PRIVATE+KEY+log.example.test+00000000+AAAA}]}", "audit.previous_keys[0].key"]
  ])("refuses %s", async (extra, path) => {
    const yaml = extra.startsWith("database") ? enough.replace(/^database.*$/mu, extra) : `${enough}\n${extra}\n`
    expect(paths(await issuesOf(yaml))).toContain(path)
  })

  it.each(["tls: {cert_file: /c.pem, key_file: /k.pem}", "server: {allow_insecure_bind: true}"])(
    "binds beyond this machine with %s",
    async (extra) => {
      const config = await load(`${enough}\n${extra}\n`, { JITSUDOD_HTTP_ADDR: ":8080" })
      expect(config.server.http_addr).toEqual({ host: "", port: 8080 })
    }
  )

  it("points rules at the entry as it stands in the file, beside an entry that cannot be read", async () => {
    const issues = await issuesOf(`${enough}\nalerts: [{path: /x}, {type: file}]\n`)
    expect([...paths(issues)].sort()).toEqual(["alerts[0].type", "alerts[1].path"])
  })

  it("refuses issuers over http beyond this machine, double issuers, and users in URLs", async () => {
    const one = (issuer: string) => `    - {issuer: "${issuer}", audiences: [j]}`
    const yaml = enough.replace(
      /^ {4}- issuer[^]*?cli\]$/mu,
      [
        one("http://login.example.test"),
        one("http://127.0.0.1:99/x"),
        one("https://a.example.test"),
        one("https://a.example.test"),
        one("https://user:hunter2@a.example.test")
      ].join("\n")
    )
    const issues = await issuesOf(yaml)
    expect(paths(issues)).toEqual(["auth.issuers[0].issuer", "auth.issuers[4].issuer", "auth.issuers[3].issuer"])
    expect(JSON.stringify(issues)).not.toContain("hunter2")
  })

  it("says what is wrong with a file that is missing, a directory, or not YAML", async () => {
    for (const file of [join(directory, "absent"), directory, write("server: {\n  a: [")]) {
      const result = await run(Config.load({ file, env: {} }))
      expect(Result.isFailure(result) && paths(result.failure.issues)).toContain(file)
    }
  })

  it("warns of a variable that sets nothing, but not of those that Kubernetes makes", async () => {
    const lines: Array<string> = []
    const logger = Logger.make<unknown, void>((entry) => {
      lines.push(String(entry.message))
    })
    await Effect.runPromise(
      Config.load({
        file: write(enough),
        env: { JITSUDOD_LOG_LEVL: "info", JITSUDOD_SERVICE_HOST: "10.0.0.1", JITSUDOD_PORT_8080_TCP_ADDR: "10.0.0.1" }
      }).pipe(Effect.provide(Logger.layer([logger])))
    )
    expect(lines).toEqual(["JITSUDOD_LOG_LEVL: this variable sets nothing (did you mean JITSUDOD_LOG_LEVEL?)"])
  })
})

describe("secrets", () => {
  const password = "correct-horse-battery"
  const url = `postgres://jitsudo:${password}@db.example.test:5432/jitsudo`
  const withoutDatabase = enough.replace(/^database.*$/mu, "")

  it("come from files, by the key or by the variable with _file", async () => {
    const file = write(`${url}\n`)
    for (const config of [
      await load(`${withoutDatabase}\ndatabase: {url_file: "${file}"}`),
      await load(withoutDatabase, { JITSUDOD_DATABASE_URL_FILE: file }),
      await load(`${withoutDatabase}\ndatabase: {url: "postgres://other/x"}`, { JITSUDOD_DATABASE_URL_FILE: file })
    ]) {
      expect(Redacted.value(config.database.url ?? Redacted.make(""))).toBe(url)
    }
    const keyFile = write(`${sealingKey}\n`)
    const config = await load(enough.replace(/key: ".*"/u, `key_file: "${keyFile}"`))
    expect(config.sealing.keys.map((key) => Redacted.value(key.key))).toEqual([sealingKey])
  })

  it("are refused in both forms at once, and from files that are missing, empty or wrong", async () => {
    const both = await issuesOf(`${withoutDatabase}\ndatabase: {url: "${url}", url_file: /x}`)
    expect(paths(both)).toEqual(["database.url_file"])
    expect(paths(await issuesOf(`${withoutDatabase}\ndatabase: {url_file: /does/not/exist}`))).toEqual([
      "database.url_file"
    ])
    expect(paths(await issuesOf(`${withoutDatabase}\ndatabase: {url_file: "${write("")}"}`))).toEqual([
      "database.url_file"
    ])
    const wrong = await issuesOf(`${withoutDatabase}\ndatabase: {url_file: "${write(password)}"}`)
    expect(paths(wrong)).toEqual(["database.url_file"])
    expect(JSON.stringify(wrong)).not.toContain(password)
  })

  it("appear in no message, wherever they were put", async () => {
    const trees = [
      `database: {url: "mysql://u:${password}@h/x"}`,
      `database: "postgres://u:${password}@h/x"`,
      `database: ["${password}"]`,
      `sealing: {key: "${password}"}`,
      `sealing: {keys: "${password}"}`,
      `sealing: {keys: [{id: a, key: "${password}"}]}`,
      `sealing: {keys: ["${password}"]}`,
      `database: {url: "${password}\n`
    ]
    for (const tree of trees) {
      const issues = await issuesOf(tree)
      expect(JSON.stringify(issues), tree).not.toContain(password)
    }
  })

  it("are masked when the configuration is shown, and nothing else is", async () => {
    const config = await load(`${withoutDatabase}\ndatabase: {url: "${url}"}\nserver: {request_timeout: 90s}`)
    const shown = Config.show(config)
    expect(JSON.stringify(shown)).not.toContain(password)
    expect(JSON.stringify(shown)).not.toContain(sealingKey)
    expect(shown).toMatchObject({
      database: { url: Config.masked, pool_size: 10 },
      sealing: { keys: [{ id: "a", key: Config.masked }] },
      server: { request_timeout: "1m30s", http_addr: "127.0.0.1:8080", body_limit: "1MiB" }
    })
    expect(JSON.stringify(config)).not.toContain(password)
  })
})

/** A value for every key there is: what the file may say, read and shown again, must be the same. */
const complete = {
  server: {
    http_addr: "127.0.0.1:9000",
    allow_insecure_bind: true,
    metrics_addr: "127.0.0.1:9001",
    body_limit: "2MiB",
    header_limit: "32KiB",
    request_timeout: "45s",
    drain_timeout: "10s"
  },
  tls: { cert_file: "/c.pem", key_file: "/k.pem", ca_file: "/ca.pem" },
  database: {
    url: "postgres://u:p@db/x",
    data_dir: "/d",
    direct_url: "postgres://u:p@direct/x",
    pool_size: 5,
    connect_timeout: "3s",
    statement_timeout: "20s",
    lock_timeout: "500ms",
    installation: "prod-eu"
  },
  auth: {
    issuers: [
      {
        issuer: "https://login.example.test",
        discovery_url: "https://inside.example.test/.well-known/openid-configuration",
        jwks_url: "https://inside.example.test/jwks",
        audiences: ["jitsudo"],
        interactive_clients: ["jitsudo-cli"],
        allowed_clients: ["jitsudo-cli", "ci"],
        client_claim: "appid",
        email_claim: "upn",
        email_verified_claim: ["https://example.test/verified"],
        groups_claim: "realm_access.roles",
        require_email_verified: false,
        kind: "by_client",
        commands: ["read", "request"],
        clock_tolerance: "1m",
        algorithms: ["ES256"],
        max_token_age: "8h"
      }
    ],
    oidc_issuer: "https://short.example.test",
    oidc_discovery_url: "https://inside.example.test",
    client_id: "mine",
    admin_groups: ["ops"],
    auditor_groups: ["audit"],
    groups_max_age: "6h",
    groups_max_age_auto: "30m",
    max_age: "15m",
    keys_ttl: "5m",
    keys_cooldown: "10s",
    keys_max_stale: "2h",
    fetch_timeout: "3s"
  },
  sealing: { keys: [{ id: "b", key: sealingKey }], key: sealingKey, active: "b" },
  policy: {
    directory: "/policies",
    budget: "75ms",
    labels: [
      {
        provider: "aws",
        role: "*-admin",
        scope: "1234*",
        ticket: "INC-*",
        labels: { blast_radius: "high", tier: 2, open: true }
      }
    ]
  },
  providers: {
    mock: {
      min_duration_seconds: 2,
      max_duration_seconds: 7200,
      roles: ["reader"],
      native_expiry: false,
      latency_millis: 10,
      state_file: "/mock/state",
      journal_file: "/mock/journal",
      control_file: "/mock/control"
    }
  },
  limits: {
    pending_deadline: "2h",
    ai_review_deadline: "1m",
    start_deadline: "5m",
    review_deadline: "24h",
    max_duration: "4h",
    max_total: "8h",
    max_pending_per_principal: 7,
    requests_per_minute: 60,
    requests_per_minute_address: 120,
    refused_tokens_per_minute: 9,
    concurrent_requests: 64
  },
  alerts: [{ name: "pager", type: "file", path: "/alerts.log" }],
  audit: {
    signing_key: "PRIVATE+KEY+log.example.test+00000000+AAAA",
    state_file: "/signed.json",
    previous_keys: [{ key: "log.example.test+00000000+AAAA", to: 4096 }]
  },
  log: { level: "debug", format: "text" },
  dev: { issuer_addr: "127.0.0.1:7000" }
}

const flatten = (value: unknown, path = ""): ReadonlyArray<readonly [string, unknown]> =>
  Array.isArray(value) && value.every((item) => typeof item === "object")
    ? value.flatMap((item: unknown) => flatten(item, `${path}[]`))
    : typeof value === "object" && value !== null && !Array.isArray(value) && !path.endsWith(".labels")
      ? Object.entries(value).flatMap(([key, inner]) => flatten(inner, path === "" ? key : `${path}.${key}`))
      : [[path, value] as const]

describe("the list of keys", () => {
  it("is complete: the table of this test holds every key of the daemon and no other", async () => {
    const all = await Effect.runPromise(Config.describe)
    // Those of the other providers are in their own tests.
    const ours = all.filter(({ key }) => !/^providers\.(?!mock\.)/u.test(key))
    expect([...new Set(flatten(complete).map(([path]) => path))].sort()).toEqual(ours.map(({ key }) => key).sort())
    expect(all.length).toBeGreaterThan(ours.length + 50)
    const undescribed = all.filter(({ description }) => !description.endsWith(".") || description.length < 16)
    expect(undescribed.map(({ key }) => key)).toEqual([])
    expect(Config.describeSections().every((one) => one.description.endsWith("."))).toBe(true)
  })

  it("reads and shows every key as it was written", async () => {
    // Keys that exclude one another are given in two files.
    const { oidc_issuer, oidc_discovery_url, ...auth } = complete.auth
    const [{ jwks_url, ...discovered } = { jwks_url: "" }] = auth.issuers
    const { discovery_url: _, ...withKeys } = { ...discovered, jwks_url, issuer: "https://other.example.test" }
    const { data_dir, ...database } = complete.database
    const first = { ...complete, database, auth: { ...auth, issuers: [discovered, withKeys] } }
    const shown = Config.show(await load(JSON.stringify(first)))
    const expected = {
      ...first,
      audit: { ...first.audit, signing_key: Config.masked },
      database: { ...database, url: Config.masked, direct_url: Config.masked },
      sealing: {
        keys: [
          { id: "b", key: Config.masked },
          { id: "default", key: Config.masked }
        ],
        active: "b"
      }
    }
    expect(shown).toEqual(expected)

    const short = { ...auth, issuers: [], oidc_issuer, oidc_discovery_url }
    const second = Config.show(
      await load(JSON.stringify({ ...complete, database: { data_dir, pool_size: 1 }, auth: short }))
    )
    expect(second).toMatchObject({
      database: { data_dir },
      auth: {
        issuers: [
          {
            issuer: oidc_issuer,
            discovery_url: `${oidc_discovery_url}/.well-known/openid-configuration`,
            audiences: ["mine"]
          }
        ]
      }
    })
  })

  it("gives every key outside lists a variable that sets it", async () => {
    const skipped = new Set(["database.data_dir", "auth.oidc_issuer", "auth.oidc_discovery_url"])
    const values = new Map(flatten(complete))
    const env: Record<string, string> = {}
    const all = await Effect.runPromise(Config.describe)
    for (const one of all) {
      if (one.env === null || skipped.has(one.key) || !values.has(one.key)) continue
      const value = values.get(one.key)
      env[one.env] = Array.isArray(value) ? value.join(",") : String(value)
    }
    const yaml = JSON.stringify({
      auth: { issuers: [{ issuer: "https://a.example.test", audiences: ["j"] }] },
      sealing: { keys: complete.sealing.keys }
    })
    const shown = new Map(flatten(Config.show(await load(yaml, env))))
    for (const one of all) {
      if (one.env === null || skipped.has(one.key) || !values.has(one.key) || one.key === "sealing.key") continue
      expect(shown.get(one.key), one.key).toEqual(one.secret ? Config.masked : values.get(one.key))
    }
  })

  it("keeps the variables of earlier releases", async () => {
    const variables = new Map((await Effect.runPromise(Config.describe)).map((one) => [one.key, one.env]))
    expect(variables.get("server.http_addr")).toBe("JITSUDOD_HTTP_ADDR")
    expect(variables.get("database.url")).toBe("JITSUDOD_DATABASE_URL")
    expect(variables.get("auth.oidc_issuer")).toBe("JITSUDOD_OIDC_ISSUER")
    expect(variables.get("auth.oidc_discovery_url")).toBe("JITSUDOD_OIDC_DISCOVERY_URL")
    expect(variables.get("auth.client_id")).toBe("JITSUDOD_OIDC_CLIENT_ID")
    expect(variables.get("tls.cert_file")).toBe("JITSUDOD_TLS_CERT_FILE")
    expect(variables.get("tls.key_file")).toBe("JITSUDOD_TLS_KEY_FILE")
    expect(variables.get("tls.ca_file")).toBe("JITSUDOD_TLS_CA_FILE")
    expect(variables.get("log.level")).toBe("JITSUDOD_LOG_LEVEL")
    expect(new Set([...variables.values()].filter((one) => one !== null)).size).toBe(
      [...variables.values()].filter((one) => one !== null).length
    )
  })
})

describe("durations", () => {
  it.each([
    ["4h", 14_400_000],
    ["90s", 90_000],
    ["1h30m", 5_400_000],
    ["50ms", 50],
    ["1.5h", 5_400_000],
    ["0", 0],
    ["0s", 0]
  ])("%s is %d ms", (text, millis) => {
    const parsed = GoDuration.parse(text)
    expect(parsed === undefined ? undefined : Duration.toMillis(parsed)).toBe(millis)
  })

  it.each(["", "4", "-4h", "7d", "4 h", "h", "4hours", "1e9h", "9999999999h", "4h ", "４h"])("%j is none", (text) => {
    expect(GoDuration.parse(text)).toBeUndefined()
  })

  it("are written as they are read", () => {
    for (const text of ["4h", "1h30m", "50ms", "1m30s", "2h0m5s".replace("0m", "")]) {
      const parsed = GoDuration.parse(text)
      expect(parsed === undefined ? undefined : GoDuration.format(parsed)).toBe(text)
    }
  })
})
