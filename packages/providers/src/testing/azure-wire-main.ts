/**
 * The wire server as a process of its own, for demos and crash tests: prints one line of JSON (its addresses, the
 * certificate to trust, the daemon's made-up secret, and what there is) and serves until it gets SIGTERM or SIGINT, or
 * its standard input ends.
 *
 * `url` is a plain door to `/_wire/...` alone, so that nobody who only looks needs the certificate; `endpoints` are
 * Azure's, over TLS. An argument names a JSON file with what `AzureWire.start` takes; without one there is the demo's
 * tenant.
 */
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { request as overTls } from "node:https"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as AzureWire from "./AzureWire.ts"

const subscription = "11111111-2222-4333-8444-555566667777"
const rbac = "Microsoft.Authorization"
const alice = "a11ce000-0000-4000-8000-000000000001"

/**
 * The demo's tenant: the daemon's application with what `azure` needs, plain or with PIM; one user who signs in, here
 * with a secret, because a browser would be in the way; and three roles.
 */
const demo: Omit<AzureWire.WireOptions, "now"> = {
  tenantId: "7d0c6a5e-0000-4000-8000-00000000000a",
  clients: [
    {
      clientId: "da3a0000-0000-4000-8000-00000000000d",
      objectId: "da3a0000-0000-4000-8000-0000000000ff",
      clientSecret: "made-up-for-the-wire-server",
      actions: [
        `${rbac}/roleDefinitions/read`,
        `${rbac}/roleAssignments/read`,
        `${rbac}/roleAssignments/write`,
        `${rbac}/roleAssignments/delete`,
        `${rbac}/roleAssignmentSchedules/read`,
        `${rbac}/roleAssignmentScheduleRequests/read`,
        `${rbac}/roleAssignmentScheduleRequests/write`
      ],
      graph: ["User.Read.All"]
    },
    {
      clientId: "a11ce000-0000-4000-8000-0000000000c1",
      objectId: alice,
      clientSecret: "made-up-sign-in-of-alice",
      actions: [],
      graph: []
    }
  ],
  principals: ["alice", "bob", "carol"].map((person, index) => ({
    id: alice.replace(/1$/u, String(index + 1)),
    type: "User",
    userPrincipalName: `${person}@example.test`,
    mail: `${person}@example.test`
  })),
  roles: [
    { id: "acdd72a7-3385-48ef-bd42-f606fba81ae7", roleName: "Reader" },
    { id: "b24988ac-6180-42a0-ab88-20f7382dd24c", roleName: "Contributor", actions: ["*"] },
    { id: "73c42c96-874c-492b-b04d-ab87d138a893", roleName: "Log Analytics Reader", actions: ["*/read"] }
  ],
  scopes: [
    `/subscriptions/${subscription}`,
    `/subscriptions/${subscription}/resourcegroups/payments`,
    `/subscriptions/${subscription}/resourcegroups/shop`
  ]
}

const file = process.argv[2]
const given: typeof demo = file === undefined ? demo : JSON.parse(readFileSync(file, "utf8"))
const wire = await AzureWire.start({ ...given, now: () => Effect.runSync(Clock.currentTimeMillis) })
const [daemon, ...people] = given.clients

const door = createServer((incoming, response) => {
  const path = incoming.url ?? "/"
  if (!path.startsWith("/_wire/")) {
    response.writeHead(404).end()
    return
  }
  const passed = overTls(
    `${wire.url}${path}`,
    { method: incoming.method ?? "GET", ca: wire.certificate, headers: { "content-type": "application/json" } },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, { "content-type": "application/json" })
      answer.pipe(response)
    }
  )
  passed.once("error", (failure) => response.writeHead(502).end(failure.message))
  incoming.pipe(passed)
})
await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve))
const address = door.address()
if (address === null || typeof address === "string") throw new Error("the door has no port")

process.stdout.write(
  `${JSON.stringify({
    url: `http://127.0.0.1:${address.port}`,
    pid: process.pid,
    certificate: wire.certificate,
    endpoints: wire.endpoints,
    tenantId: wire.tenantId,
    clientId: daemon?.clientId,
    clientSecret: daemon?.clientSecret,
    people: people.map(({ clientId, clientSecret, objectId }) => ({ clientId, clientSecret, objectId })),
    principals: given.principals.map(({ mail }) => mail),
    roles: given.roles.map(({ roleName }) => roleName),
    scopes: given.scopes
  })}\n`
)

const stop = (): void => {
  door.close()
  door.closeAllConnections()
  void wire.close().then(() => process.exit(0))
}
process.once("SIGTERM", stop)
process.once("SIGINT", stop)
process.stdin.once("end", stop).resume()
