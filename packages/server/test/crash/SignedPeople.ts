/**
 * Issuers whose people are made up on the spot: two of them behind one key server, so that somebody can have an
 * account at each. What they sign is what a daemon takes; nobody can be asked to sign in.
 */
import * as Effect from "effect/Effect"
import type { Scope } from "effect/Scope"
import { exportJWK, generateKeyPair, SignJWT } from "jose"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

export interface Someone {
  readonly subject: string
  readonly groups: ReadonlyArray<string>
  /** `subject@example.test` where it is absent. */
  readonly email?: string
  /** Which of the two issuers; the first where it is absent. */
  readonly issuer?: 0 | 1
}

export interface SignedPeople {
  readonly issuers: readonly [string, string]
  /** As `auth.issuers` wants it. */
  readonly config: ReadonlyArray<Readonly<Record<string, unknown>>>
  /** `readAt`: the second at which the groups are said to have been read; now where it is absent. */
  readonly token: (who: Someone, readAt?: number) => Promise<string>
}

export const make: Effect.Effect<SignedPeople, never, Scope> = Effect.gen(function* () {
  const { privateKey, publicKey } = yield* Effect.promise(() => generateKeyPair("ES256"))
  const jwk = yield* Effect.promise(() => exportJWK(publicKey))
  const keys = JSON.stringify({ keys: [{ ...jwk, kid: "people", alg: "ES256", use: "sig" }] })
  const server = yield* Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const made = createServer((_request, response) => {
        response.writeHead(200, { "content-type": "application/json" }).end(keys)
      })
      made.listen(0, "127.0.0.1", () => resume(Effect.succeed(made)))
    }),
    (made) =>
      Effect.callback<void>((resume) => {
        made.close(() => resume(Effect.void))
        made.closeAllConnections()
      })
  )
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const issuers = [`${base}/people`, `${base}/others`] as const
  return {
    issuers,
    config: issuers.map((issuer) => ({
      issuer,
      jwks_url: `${base}/keys`,
      audiences: ["jitsudo"],
      interactive_clients: ["jitsudo-cli"]
    })),
    token: (who, readAt = Math.floor(Date.now() / 1000)) =>
      new SignJWT({
        client_id: "jitsudo-cli",
        email: who.email ?? `${who.subject}@example.test`,
        email_verified: true,
        groups: [...who.groups]
      })
        .setProtectedHeader({ alg: "ES256", kid: "people" })
        .setIssuer(issuers[who.issuer ?? 0])
        .setSubject(who.subject)
        .setAudience("jitsudo")
        .setIssuedAt(readAt)
        .setExpirationTime(readAt + 3600)
        .sign(privateKey)
  }
})
