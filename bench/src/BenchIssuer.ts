/**
 * An OpenID Connect issuer with as many people as wanted: discovery, one signing key, and access tokens signed by it.
 * The daemon verifies them as it does those of any other issuer; nobody signs in at a page.
 */
import * as Effect from "effect/Effect"
import { generateKeyPairSync, sign } from "node:crypto"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export interface BenchIssuer {
  readonly url: string
  /** An entry of the daemon's `auth.issuers`. */
  readonly entry: Readonly<Record<string, unknown>>
  readonly tokenFor: (subject: string, groups: ReadonlyArray<string>) => string
}

const client = "jitsudo-cli"
const audience = "jitsudo"
const keyId = "bench"

export const start = Effect.acquireRelease(
  Effect.promise(async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
    const keys = { keys: [{ ...publicKey.export({ format: "jwk" }), kid: keyId, alg: "ES256", use: "sig" }] }
    const server = createServer((request, response) => {
      const document =
        request.url === "/keys"
          ? keys
          : { issuer: url(), jwks_uri: `${url()}/keys`, response_types_supported: ["code"] }
      response.setHeader("content-type", "application/json").end(JSON.stringify(document))
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const url = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`

    const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")
    const tokenFor = (subject: string, groups: ReadonlyArray<string>): string => {
      const seconds = Math.floor(Date.now() / 1_000)
      const signed = `${part({ alg: "ES256", typ: "at+jwt", kid: keyId })}.${part({
        iss: url(),
        sub: subject,
        aud: audience,
        azp: client,
        iat: seconds,
        exp: seconds + 3_600,
        auth_time: seconds,
        amr: ["pwd", "otp"],
        email: `${subject}@example.com`,
        email_verified: true,
        groups
      })}`
      const signature = sign("sha256", Buffer.from(signed), { key: privateKey, dsaEncoding: "ieee-p1363" })
      return `${signed}.${signature.toString("base64url")}`
    }
    const issuer: BenchIssuer = {
      url: url(),
      entry: { issuer: url(), audiences: [audience], interactive_clients: [client] },
      tokenFor
    }
    return { issuer, close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) }
  }),
  ({ close }) => Effect.promise(close)
).pipe(Effect.map(({ issuer }) => issuer))
