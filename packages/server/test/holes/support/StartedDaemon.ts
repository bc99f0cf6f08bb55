/**
 * The whole daemon in this process, as `jitsudod serve` puts it together from a configuration: embedded database, the
 * listener on a loopback port, real policy, the mock platform, and tokens of an issuer of the test.
 */
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { inject } from "vitest"
import * as Config from "../../../src/Config.ts"
import { daemon } from "../../../src/Main.ts"
import { startIssuer, type TestIssuer, type Who } from "../../http/support/TestIssuer.ts"

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  readonly json: Readonly<Record<string, unknown>>
}

export interface Started {
  readonly url: string
  readonly issuer: TestIssuer
  readonly call: (method: string, path: string, as: Who | null, json?: unknown, token?: string) => Promise<Answer>
  readonly stop: () => Promise<void>
}

export const freshDirectory = (): string => join(inject("scratch"), `holes-${randomBytes(6).toString("hex")}`)

const parsed = (text: string): Answer["json"] => (text.startsWith("{") ? JSON.parse(text) : {})

/** `sections` are laid over the configuration's. Rejects with what stops the start. */
export const start = async (
  sections: Readonly<Record<string, unknown>> = {},
  options: { readonly development?: boolean } = {}
): Promise<Started> => {
  const issuer = await startIssuer()
  const { auth, ...others } = sections
  const config = await Effect.runPromise(
    Config.load({
      env: {},
      base: {
        server: { http_addr: "127.0.0.1:0", drain_timeout: "1s" },
        database: { data_dir: freshDirectory() },
        sealing: { key: randomBytes(32).toString("base64") },
        providers: { mock: {} },
        policy: { budget: "5s" },
        alerts: [{ type: "log" }],
        auth: {
          issuers: [
            {
              issuer: issuer.url,
              jwks_url: issuer.jwksUrl,
              audiences: ["jitsudo"],
              interactive_clients: ["jitsudo-cli"]
            }
          ],
          ...(typeof auth === "object" ? auth : {})
        },
        ...others
      }
    })
  )
  const runtime = ManagedRuntime.make(
    daemon({ config, development: options.development === true, migrate: true }, "a test's").pipe(
      Layer.provide(Logger.layer([]))
    )
  )
  const stop = async () => {
    await runtime.dispose()
    await issuer.close()
  }
  let url: string
  try {
    const { address } = await runtime.runPromise(HttpServer.HttpServer)
    url = HttpServer.formatAddress(address)
  } catch (error) {
    await stop()
    throw error
  }
  const call: Started["call"] = async (method, path, as, json, token) => {
    const bearer = token ?? (as === null ? undefined : await issuer.token(as))
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
        ...(json === undefined ? {} : { "content-type": "application/json" })
      },
      ...(json === undefined ? {} : { body: JSON.stringify(json) })
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, json: parsed(text) }
  }
  return { url, issuer, call, stop }
}
