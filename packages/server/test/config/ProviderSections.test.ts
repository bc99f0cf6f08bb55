/** `providers.*`: read with the plug-ins' own schemas, every fault at once. */
import { Time } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import * as Config from "../../src/Config.ts"
import * as ConfiguredProviders from "../../src/ConfiguredProviders.ts"

let directory = ""
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "jitsudo-sections-"))
})
afterAll(() => rmSync(directory, { recursive: true }))

const write = (name: string, content: string): string => {
  const file = join(directory, name)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
  return file
}

const loading = (providers: unknown, env: Record<string, string> = {}) =>
  Effect.runPromise(
    Effect.result(
      Config.load({ file: write("jitsudod.yaml", JSON.stringify({ providers })), env, purpose: "providers" })
    )
  )

const load = async (providers: unknown, env: Record<string, string> = {}) => {
  const result = await loading(providers, env)
  if (Result.isFailure(result)) throw new Error(`did not load:\n${result.failure.message}`)
  return result.success
}

const issuesOf = async (providers: unknown, env: Record<string, string> = {}) => {
  const result = await loading(providers, env)
  if (Result.isSuccess(result)) throw new Error("loaded, although it should not")
  return result.failure.issues
}

const made = async (providers: unknown) => {
  const { providers: sections } = await load(providers)
  const results = await Effect.runPromise(
    Effect.scoped(Effect.forEach(sections, (section) => Effect.result(ConfiguredProviders.make(section))))
  )
  return results
}

/** What plug-ins of the tests have in common, for files in a temporary directory. */
const core = JSON.stringify(import.meta.resolve("@jitsudo/core"))
const schema = JSON.stringify(import.meta.resolve("effect/Schema"))
const head = `import { defineProvider, definePlugin, ProviderPlugin } from ${core}\nimport * as Schema from ${schema}\n`
const provider = `defineProvider({
  name: "door",
  capabilities: {
    nativeExpiry: false, listing: false, inspection: false, minDurationSeconds: 1, maxDurationSeconds: 60,
    earlyRevocation: { supported: true, withinSeconds: 0, note: "At once." }
  },
  grant: async () => { throw new Error("closed") },
  end: async () => {}
})`
const door = (make: string, more = "") => `${head}
export const plugin = definePlugin({
  name: "door",
  config: Schema.Struct({
    url: Schema.String,
    token: Schema.RedactedFromValue(Schema.String.check(Schema.isMinLength(8))),
    pins: Schema.optionalKey(Schema.Array(Schema.Struct({ id: Schema.Int, pin: Schema.String.pipe(Schema.annotateKey({ secret: true })) }))),
    open_seconds: Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(${effect}.succeed(5)))
  }),
  make: (config) => { ${make} }${more}
})`
const effect = "Effect"
const withEffect = (text: string) =>
  `import * as Effect from ${JSON.stringify(import.meta.resolve("effect/Effect"))}\n${text}`
const good = withEffect(door(`return ${provider}`, `, territory: ({ url }) => [url]`))
const token = "s3cret-token-value"

describe("a section of a plug-in", () => {
  it("is read with the plug-in's schema, shown with its defaults, and secrets are masked", async () => {
    write("door.mjs", good)
    const section = { plugin: "./door.mjs", config: { url: "http://x", token, pins: [{ id: 1, pin: "pin-0042" }] } }
    const config = await load({ cellar: section })
    expect(config.providers).toMatchObject([{ name: "cellar", plugin: "./door.mjs", path: "providers.cellar.config" }])
    expect(Config.show(config)["providers"]).toEqual({
      cellar: {
        plugin: "./door.mjs",
        config: { url: "http://x", token: Config.masked, pins: [{ id: 1, pin: Config.masked }], open_seconds: 5 }
      }
    })
    const [result] = await made({ cellar: section })
    expect(result !== undefined && Result.isSuccess(result) && result.success.name).toBe("cellar")
  })

  it("reports every fault at once, each with its path and without a secret", async () => {
    write("door.mjs", good)
    const issues = await issuesOf({
      cellar: {
        plugin: "./door.mjs",
        config: { ulr: "http://x", token: "short", pins: [{ id: "one", pin: 5 }], open_seconds: 1.5 },
        timeout: 3
      },
      attic: { plugin: "./door.mjs", config: "open" },
      "Bad Name": {},
      door: { config: {} }
    })
    const said = new Map(issues.map((one) => [one.path, one]))
    expect([...said.keys()].sort()).toEqual(
      [
        "providers.Bad Name",
        "providers.attic.config",
        "providers.cellar.config.open_seconds",
        "providers.cellar.config.pins[0].id",
        "providers.cellar.config.pins[0].pin",
        "providers.cellar.config.token",
        "providers.cellar.config.ulr",
        "providers.cellar.config.url",
        "providers.cellar.timeout",
        "providers.door"
      ].sort()
    )
    expect(said.get("providers.cellar.config.ulr")?.hint).toBe("did you mean url?")
    expect(said.get("providers.cellar.config.url")?.message).toBe("this is required: a text")
    expect(said.get("providers.cellar.config.pins[0].id")?.message).toBe('expected a number, got "one"')
    expect(said.get("providers.cellar.timeout")?.hint).toContain("providers.cellar.config")
    expect(JSON.stringify(issues)).not.toContain("short")
  })

  it("takes a secret from a file, and refuses it twice, from no file, and of the wrong form", async () => {
    write("door.mjs", good)
    const file = write("token", `${token}\n`)
    const config = (more: object) => ({ cellar: { plugin: "./door.mjs", config: { url: "http://x", ...more } } })
    const { providers } = await load(config({ token_file: file }))
    expect(providers[0]?.secrets).toEqual([token])
    const paths = async (more: object) =>
      (await issuesOf(config(more))).map(({ message, path }) => `${path}: ${message}`)
    expect(await paths({ token_file: file, token })).toEqual([
      "providers.cellar.config.token_file: providers.cellar.config.token is given as well"
    ])
    expect(await paths({ token_file: join(directory, "none") })).toEqual([
      expect.stringMatching(/^providers\.cellar\.config\.token_file: .*there is no such file/u)
    ])
    const short = await paths({ token_file: write("short", "tiny") })
    expect(short).toEqual([expect.stringMatching(/^providers\.cellar\.config\.token: expected /u)])
    expect(short.join()).not.toContain("tiny")
  })

  it("is set by variables too, secrets by files", async () => {
    write("door.mjs", good)
    const file = write("token", token)
    const config = await load(
      { cellar: { plugin: "./door.mjs", config: { url: "http://x" } } },
      {
        JITSUDOD_PROVIDERS_CELLAR_CONFIG_URL: "http://y",
        JITSUDOD_PROVIDERS_CELLAR_CONFIG_TOKEN_FILE: file,
        JITSUDOD_PROVIDERS_CELLAR_CONFIG_OPEN_SECONDS: "9"
      }
    )
    expect(Config.show(config)["providers"]).toMatchObject({ cellar: { config: { url: "http://y", open_seconds: 9 } } })
  })

  it("never shows a secret that its maker throws", async () => {
    const failing = `throw new TypeError("cannot use " + String.fromCharCode(39) + "${token}")`
    write("angry.mjs", withEffect(door(failing)))
    const [result] = await made({ cellar: { plugin: "./angry.mjs", config: { url: "http://x", token } } })
    const message = result !== undefined && Result.isFailure(result) ? result.failure.message : ""
    expect(message).toBe(
      `providers.cellar.config: ./angry.mjs failed while it was made: TypeError: cannot use '${Config.masked}`
    )
  })

  it("that its maker refuses is refused with the operator's path", async () => {
    const why = `throw new ProviderPlugin.ProviderConfigError({ provider: "door", key: "url", message: "must be https" })`
    write("strict.mjs", withEffect(door(why)))
    const [result] = await made({ cellar: { plugin: "./strict.mjs", config: { url: "http://x", token } } })
    expect(result).toMatchObject({
      failure: { provider: "cellar", key: "url", message: "providers.cellar.config.url: must be https" }
    })
  })
})

describe("a module", () => {
  const messageOf = async (plugin: string) => {
    const issues = await issuesOf({ cellar: { plugin, config: {} } })
    expect(issues.map(({ path }) => path)).toEqual(["providers.cellar.plugin"])
    return `${issues[0]?.message} (${issues[0]?.hint})`
  }

  it("that is not there is named with what to install, and where", async () => {
    expect(await messageOf("@acme/jitsudo-vpn/plugin")).toBe(
      `the package @acme/jitsudo-vpn is not installed (npm install @acme/jitsudo-vpn in ${directory}, or beside jitsudo)`
    )
    expect(await messageOf("./nowhere.mjs")).toBe(
      `there is no module ./nowhere.mjs (paths are relative to ${directory})`
    )
  })

  it("is found as a package from the configuration's directory, as an ES module alone", async () => {
    write(
      "node_modules/jitsudo-door/package.json",
      JSON.stringify({ name: "jitsudo-door", type: "module", exports: { import: "./door.mjs" } })
    )
    write("node_modules/jitsudo-door/door.mjs", good)
    const config = await load({ cellar: { plugin: "jitsudo-door", config: { url: "http://x", token } } })
    expect(config.providers.map(({ plugin }) => plugin)).toEqual(["jitsudo-door"])
    expect(await messageOf("jitsudo-door/other")).toMatch(/cannot be found in the package jitsudo-door/u)
  })

  it("that is broken, or exports something else, says what", async () => {
    write("broken.mjs", `throw new RangeError("no licence")`)
    expect(await messageOf("./broken.mjs")).toMatch(
      /^\.\/broken\.mjs failed while it was loaded: RangeError: no licence/u
    )
    write("needy.mjs", `import "a-package-that-is-not-there"`)
    expect(await messageOf("./needy.mjs")).toMatch(
      /needs the package a-package-that-is-not-there, which is not installed/u
    )
    write("other.mjs", "export const provider = 1, make = 2")
    expect(await messageOf("./other.mjs")).toMatch(/does not export `plugin` \(it exports provider, make;/u)
    write("half.mjs", `${head}export const plugin = { name: "door", config: Schema.Struct({}) }`)
    expect(await messageOf("./half.mjs")).toMatch(/exports a `plugin` that has no function `make`/u)
    write("zod.mjs", `export const plugin = { name: "door", config: {}, make() {} }`)
    expect(await messageOf("./zod.mjs")).toMatch(/has a `config` that is no Effect Schema/u)
  })

  it("whose maker gives no provider stops the start", async () => {
    const plain = (make: string) =>
      `${head}export const plugin = { name: "door", config: Schema.Struct({}), make: () => ${make} }`
    const failureOf = async (name: string, make: string) => {
      write(name, plain(make))
      const [result] = await made({ cellar: { plugin: `./${name}` } })
      return result !== undefined && Result.isFailure(result) ? result.failure.message : "made"
    }
    expect(await failureOf("promise.mjs", "Promise.resolve()")).toMatch(/returned no Effect.*`definePlugin`/u)
    const some = `ProviderPlugin.definePlugin({ make: () => ({ name: "x", capabilities: {}, parse() {} }) }).make()`
    expect(await failureOf("partial.mjs", some)).toMatch(/made a provider without `check`, `grant`, `end`/u)
    const none = `ProviderPlugin.definePlugin({ make: () => null }).make()`
    expect(await failureOf("nothing.mjs", none)).toMatch(/made no provider/u)
  })

  it("whose own code throws is said to", async () => {
    const throwing = door(`return ${provider}`, `, territory: () => { throw new Error("${token}") }`)
    write("throwing.mjs", withEffect(throwing))
    const issues = await issuesOf({ cellar: { plugin: "./throwing.mjs", config: { url: "http://x", token } } })
    expect(issues.map(({ message }) => message)).toEqual(["the plug-in's `territory` throws"])
    write(
      "eager.mjs",
      `${head}export const plugin = { name: "door", config: Schema.Struct({}), make: () => { throw new RangeError("too eager") } }`
    )
    const [result] = await made({ cellar: { plugin: "./eager.mjs" } })
    expect(result).toMatchObject({ failure: { message: /failed while it was made: RangeError: too eager$/u } })
  })

  it("may not take a built-in's name", async () => {
    write("door.mjs", good)
    const [issue] = await issuesOf({ aws: { plugin: "./door.mjs", config: { url: "http://x", token } } })
    expect(issue).toMatchObject({ path: "providers.aws.plugin", message: "aws is the name of a built-in provider" })
  })
})

describe("several sections of one plug-in", () => {
  const aws = (account: string, more = {}) => ({ accounts: [account], roles: ["reader"], ...more })

  it("have names of their own", async () => {
    const config = await load({
      aws: aws("111122223333"),
      "aws-lab": { plugin: "aws", config: aws("444455556666", { region: "eu-west-1" }) }
    })
    expect(config.providers.map(({ name, plugin }) => [name, plugin])).toEqual([
      ["aws", "aws"],
      ["aws-lab", "aws"]
    ])
    const results = await made({ "aws-lab": { plugin: "aws", config: aws("444455556666") } })
    const [result] = results
    if (result === undefined || Result.isFailure(result)) throw new Error("not made")
    const refused = result.success.parse({ role: "reader", resourceScope: "999999999999", durationSeconds: 900 })
    expect(Result.isFailure(refused) && refused.failure).toMatchObject({
      provider: "aws-lab",
      hint: "Add it to `providers.aws-lab.config.accounts` if it should."
    })
  })

  it("grant and take back each for itself", async () => {
    const results = await made({ mock: {}, "mock-eu": { plugin: "mock", config: { roles: ["reader"] } } })
    const [one, other] = results.flatMap((result) => (Result.isSuccess(result) ? [result.success] : []))
    if (one === undefined || other === undefined) throw new Error("not made")
    const canonical = { role: "reader", resourceScope: "demo", durationSeconds: 60 }
    const grantee = { issuer: "https://id.example", subject: "ada", email: null }
    const request = { requestId: "req_1", grantee, canonical, checked: {}, reason: "", metadata: {}, neighbours: [] }
    const now = Time.make(Date.now())
    await Effect.runPromise(one.grant({ ...request, now }))
    expect((await Effect.runPromise(one.list())).map(({ requestId }) => requestId)).toEqual(["req_1"])
    expect(await Effect.runPromise(other.list())).toEqual([])
    const unknown = await Effect.runPromise(Effect.flip(other.check({ ...canonical, role: "writer" }, grantee)))
    expect(unknown).toMatchObject({ provider: "mock-eu", hint: "Add it to `providers.mock-eu.config.roles`." })
  })

  it("must not reach the same thing, and must be able to say so", async () => {
    write("door.mjs", good)
    write("mute.mjs", withEffect(door(`return ${provider}`)))
    const section = (plugin: string, url: string) => ({ plugin, config: { url, token } })
    const apart = await load({ one: section("./door.mjs", "http://a"), two: section("./door.mjs", "http://b") })
    expect(apart.providers).toHaveLength(2)
    const [same] = await issuesOf({ one: section("./door.mjs", "http://a"), two: section("./door.mjs", "http://a") })
    expect(same).toMatchObject({ path: "providers.two", message: "it reaches what providers.one reaches: http://a" })
    const [mute] = await issuesOf({ one: section("./mute.mjs", "http://a"), two: section("./mute.mjs", "http://b") })
    expect(mute?.message).toMatch(/does not say what keeps them apart/u)
  })
})

describe("keys of earlier releases", () => {
  const aws = (more: object) => ({ aws: { accounts: ["123456789012"], roles: ["*"], ...more } })
  const shown = async (providers: object) => Config.show(await load(providers))["providers"]

  it("that were durations are taken as seconds", async () => {
    expect(await shown(aws({ max_duration: "2h" }))).toMatchObject({ aws: { max_session_seconds: 7200 } })
    expect(await shown(aws({ max_session: "90m" }))).toMatchObject({ aws: { max_session_seconds: 5400 } })
    expect(await shown({ mock: { latency: "10ms", max_duration: "1h" } })).toMatchObject({
      mock: { latency_millis: 10, max_duration_seconds: 3600 }
    })
  })

  it("are refused beside the new ones, and when they are no durations", async () => {
    const of = async (more: object) => (await issuesOf(aws(more))).map(({ hint, path }) => [path, hint])
    expect(await of({ max_duration: "2h", max_session_seconds: 3600 })).toEqual([
      ["providers.aws.max_duration", "keep one of the two"]
    ])
    expect(await of({ max_duration: 7200 })).toEqual([
      ["providers.aws.max_duration", "or set max_session_seconds to a whole number"]
    ])
  })

  it("of Identity Center have their new names", async () => {
    const people = {
      mode: "identity_center",
      accounts: ["123456789012"],
      permission_sets: ["Read*"],
      identity_center_instance_arn: "arn:aws:sso:::instance/ssoins-0123456789abcdef",
      identity_center_store_id: "d-1234567890",
      max_duration: "1h"
    }
    expect(await shown({ aws: people })).toMatchObject({
      aws: {
        instance_arn: people.identity_center_instance_arn,
        identity_store_id: people.identity_center_store_id,
        max_duration_seconds: 3600
      }
    })
  })

  it("that nothing stands for any more are refused with what to do", async () => {
    const issues = await issuesOf({
      azure: { tenant_id: "x", default_subscription_id: "y" },
      kubernetes: { kubeconfig: "/kube/config" },
      "gcp-lab": { plugin: "gcp", config: { organization_id: "1" } }
    })
    const hints = new Map(issues.map(({ hint, path }) => [path, hint]))
    expect(hints.get("providers.azure.default_subscription_id")).toContain("`scopes`")
    expect(hints.get("providers.kubernetes.kubeconfig")).toContain("clusters:")
    expect(hints.get("providers.gcp-lab.config.organization_id")).toContain("`resources`")
  })

  it("are bounded as the new ones are", async () => {
    expect((await issuesOf(aws({ max_duration: "1m" }))).map(({ path }) => path)).toEqual([
      "providers.aws.max_session_seconds"
    ])
  })
})

it("the sections of the guide are read", async () => {
  const guide = readFileSync(new URL("../../../../docs/guides/writing-a-provider.md", import.meta.url), "utf8")
  const yaml = /```yaml\n([\s\S]*?)```/u.exec(guide)?.[1] ?? ""
  const door = fileURLToPath(new URL("../../../../examples/03-http-provider/src/plugin.ts", import.meta.url))
  const file = write(
    "guide.yaml",
    yaml.replace("@acme/jitsudo-doors", door).replace("/etc/jitsudo/badges.token", write("badges", token))
  )
  const config = await Effect.runPromise(Config.load({ file, env: {}, purpose: "providers" }))
  expect(config.providers.map(({ name }) => name)).toEqual(["aws", "aws-lab", "doors"])
  expect(JSON.stringify(Config.show(config))).not.toContain(token)
})

it("words of the schema complete what was expected", async () => {
  write(
    "words.mjs",
    `${head}export const plugin = definePlugin({
      name: "words",
      config: Schema.Struct({ floor: Schema.String.check(Schema.isPattern(/^B\\d$/u, { expected: "a floor below ground, such as B1" })) }),
      make: () => ${provider}
    })`
  )
  const [issue] = await issuesOf({ cellar: { plugin: "./words.mjs", config: { floor: "7" } } })
  expect(issue?.message).toBe('expected a floor below ground, such as B1, got "7"')
})

it("a built-in is switched on by its variables alone, and by nobody else's", async () => {
  const none = undefined
  expect((await load(none, { JITSUDOD_PROVIDERS_MOCK_LATENCY_MILLIS: "5" })).providers).toMatchObject([
    { name: "mock", shown: { latency_millis: 5 } }
  ])
  expect((await load(none, { JITSUDOD_PROVIDERS_MOCK_SECOND_CONFIG_X: "5" })).providers).toEqual([])
})

it("numbers where texts belong are told to be quoted", async () => {
  const issues = await issuesOf({ aws: { accounts: [123456789012], roles: ["x"] } })
  expect(issues).toEqual([
    {
      path: "providers.aws.accounts[0]",
      message: "expected a text, got 123456789012",
      hint: "put it in quotes"
    }
  ])
})
