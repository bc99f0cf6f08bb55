/**
 * A real OpenID Connect issuer for tests of token verification: `oidc-provider` on a loopback port, with signing keys
 * that a test can rotate, an answer that it can withhold, and a count of what was read.
 */
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import type { CryptoKey, JWK, JWTPayload } from "jose"
import { Provider } from "oidc-provider"
import * as MemoryAdapter from "../../src/dev/MemoryAdapter.ts"

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: CryptoKey
  readonly privateJwk: JWK
  readonly publicJwk: JWK
}

export const makeKey = async (kid: string, alg = "ES256"): Promise<SigningKey> => {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const mark = { kid, alg, use: "sig" }
  return {
    kid,
    alg,
    privateKey,
    privateJwk: { ...(await exportJWK(privateKey)), ...mark },
    publicJwk: { ...(await exportJWK(publicKey)), ...mark }
  }
}

const clientSecret = "a secret of this test"

export class RealIssuer {
  readonly #server: Server
  #serve: (request: IncomingMessage, response: ServerResponse) => unknown = () => undefined
  #port = 0
  /** Claims that the issuer adds to the tokens of its clients. */
  claims: Readonly<Record<string, unknown>> = {}
  /** How often each path was read. */
  readonly reads = new Map<string, number>()
  /** Replaces the issuer's answer on a path. */
  readonly answers = new Map<string, (response: ServerResponse) => void>()

  constructor() {
    this.#server = createServer((request, response) => {
      const path = request.url ?? ""
      this.reads.set(path, (this.reads.get(path) ?? 0) + 1)
      const instead = this.answers.get(path)
      if (instead === undefined) this.#serve(request, response)
      else instead(response)
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  /** How often the keys were read. */
  get keyReads(): number {
    return this.reads.get("/jwks") ?? 0
  }

  /** Listens; after `stop`, on the same port again. */
  async start(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject)
      this.#server.listen(this.#port, "127.0.0.1", resolve)
    })
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  /** Publishes these keys from now on; the first of an algorithm signs. */
  publish(...keys: ReadonlyArray<SigningKey>): void {
    const alg = keys[0]?.alg ?? "ES256"
    const provider = new Provider(this.url, {
      adapter: MemoryAdapter.make(),
      clients: ["jitsudo-cli", "robot"].map((client_id) => ({
        client_id,
        client_secret: clientSecret,
        grant_types: ["client_credentials"],
        response_types: [],
        redirect_uris: [],
        id_token_signed_response_alg: "ES256" as const
      })),
      clientDefaults: { id_token_signed_response_alg: "ES256" },
      jwks: { keys: keys.map((key) => key.privateJwk as never) },
      ttl: { ClientCredentials: 3600 },
      cookies: { keys: ["a cookie key"] },
      extraTokenClaims: () => ({ ...this.claims }),
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => "urn:jitsudo",
          getResourceServerInfo: () => ({
            scope: "jitsudo",
            audience: "jitsudo",
            accessTokenFormat: "jwt",
            accessTokenTTL: 3600,
            jwt: { sign: { alg: alg as "ES256" } }
          })
        }
      }
    })
    this.#serve = provider.callback()
  }

  /** An access token that the issuer itself issued. */
  async issue(client = "jitsudo-cli"): Promise<string> {
    const response = await fetch(`${this.url}/token`, {
      method: "POST",
      headers: {
        authorization: `Basic ${Buffer.from(`${client}:${encodeURIComponent(clientSecret)}`).toString("base64")}`
      },
      body: new URLSearchParams({ grant_type: "client_credentials" })
    })
    const answer: unknown = await response.json()
    if (typeof answer === "object" && answer !== null && "access_token" in answer) return String(answer.access_token)
    throw new Error(`the issuer issues no token: ${JSON.stringify(answer)}`)
  }

  /** Claims of a person's token at `now` (seconds), as this issuer would write them. */
  person(now: number, changed: Readonly<Record<string, unknown>> = {}): JWTPayload {
    return {
      iss: this.url,
      sub: "alice",
      aud: "jitsudo",
      client_id: "jitsudo-cli",
      iat: now,
      exp: now + 3600,
      email: "alice@example.test",
      email_verified: true,
      groups: ["sre"],
      ...changed
    }
  }
}

/** A token that somebody made by hand, with somebody's key. */
export const sign = (
  claims: JWTPayload,
  key: SigningKey,
  header: Readonly<Record<string, unknown>> = {}
): Promise<string> =>
  new SignJWT(claims).setProtectedHeader({ alg: key.alg, kid: key.kid, ...header }).sign(key.privateKey)
