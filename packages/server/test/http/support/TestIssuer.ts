/**
 * An issuer of tokens for tests of the HTTP API: real keys, published over HTTP on a loopback port, and tokens that say
 * whatever a test wants them to say.
 */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { makeKey, sign, type SigningKey } from "../../auth/RealIssuer.ts"

export interface Person {
  readonly subject: string
  readonly email: string | null
  readonly groups: ReadonlyArray<string>
  /** The client at which the token was issued; `jitsudo-cli` is where people sign in. */
  readonly client: string
}

const person = (subject: string, groups: ReadonlyArray<string>): Person => ({
  subject,
  email: `${subject}@example.test`,
  groups,
  client: "jitsudo-cli"
})

/** Everybody in these tests. */
export const people = {
  /** May ask. */
  alice: person("alice", ["sre"]),
  /** May ask as well. */
  anna: person("anna", ["sre"]),
  /** May decide. */
  bob: person("bob", ["sre-leads"]),
  /** May decide as well. */
  ben: person("ben", ["sre-leads"]),
  /** Administers. */
  carol: person("carol", ["jitsudo-admins"]),
  /** Reads everything but credentials. */
  dora: person("dora", ["jitsudo-auditors"]),
  /** Has signed in, and nothing else. */
  eve: person("eve", []),
  /** No person. */
  robot: { subject: "robot", email: null, groups: ["sre"], client: "robot" }
} as const satisfies Record<string, Person>

export type Who = keyof typeof people

export interface TestIssuer {
  readonly url: string
  readonly jwksUrl: string
  readonly key: SigningKey
  /** A token that is valid for an hour, with claims changed. `undefined` leaves a claim out. */
  readonly token: (who: Who | Person, changed?: Readonly<Record<string, unknown>>) => Promise<string>
  /** While true, the keys are answered with 500. */
  readonly setDown: (down: boolean) => void
  readonly close: () => Promise<void>
}

export const startIssuer = async (): Promise<TestIssuer> => {
  const key = await makeKey("k1")
  let down = false
  const server: Server = createServer((_request, response) => {
    if (down) response.writeHead(500).end()
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ keys: [key.publicJwk] }))
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  return {
    url,
    jwksUrl: `${url}/keys`,
    key,
    token: (who, changed = {}) => {
      const { client, email, groups, subject } = typeof who === "string" ? people[who] : who
      const now = Math.floor(Date.now() / 1000)
      const claims = {
        iss: url,
        sub: subject,
        aud: "jitsudo",
        client_id: client,
        iat: now,
        exp: now + 3600,
        auth_time: now,
        ...(email === null ? {} : { email, email_verified: true }),
        groups: [...groups],
        ...changed
      }
      return sign(JSON.parse(JSON.stringify(claims)), key)
    },
    setDown: (value) => {
      down = value
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      })
  }
}
