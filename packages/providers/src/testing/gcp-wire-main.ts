/**
 * The wire server as a process of its own, for demos and crash tests: prints one line of JSON (its address, the
 * daemon's made-up credentials, and what there is) and serves until it gets SIGTERM or SIGINT, or its standard input
 * ends.
 *
 * An argument names a JSON file with `identities`, `resources`, `roles` and `accounts` as `GcpWire.start` takes them;
 * without one there is the demo's project. `GET /_wire/state`, `POST /_wire/faults`, `POST /_wire/advance` and
 * `POST /_wire/lag` are its door for tests.
 */
import { readFileSync } from "node:fs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as GcpWire from "./GcpWire.ts"

const home = "jitsudo-home.iam.gserviceaccount.com"

/** The demo's project: one identity that may do what `impersonate` needs, three roles, and an account for each person. */
const demo: Omit<GcpWire.WireOptions, "now"> = {
  identities: [
    {
      email: `jitsudod@${home}`,
      permissions: [
        "resourcemanager.projects.getIamPolicy",
        "resourcemanager.projects.setIamPolicy",
        "iam.serviceAccounts.getAccessToken"
      ]
    }
  ],
  resources: [
    {
      name: "projects/shop-prod",
      bindings: [{ role: "roles/owner", members: ["user:owner@example.test"] }]
    }
  ],
  roles: [
    { name: "roles/logging.viewer", permissions: ["logging.logEntries.list"] },
    { name: "roles/storage.admin", permissions: ["storage.buckets.list", "storage.objects.delete"] },
    { name: "roles/compute.instanceAdmin.v1", permissions: ["compute.instances.list", "compute.instances.reset"] }
  ],
  accounts: ["alice", "bob", "carol"].map((person) => ({ email: `jit-${person}@${home}` }))
}

const file = process.argv[2]
const given: typeof demo = file === undefined ? demo : JSON.parse(readFileSync(file, "utf8"))
const wire = await GcpWire.start({ ...given, now: () => Effect.runSync(Clock.currentTimeMillis) })
const [identity] = given.identities

process.stdout.write(
  `${JSON.stringify({
    url: wire.url,
    pid: process.pid,
    credentials: identity === undefined ? null : wire.credentials(identity.email),
    resources: given.resources.map(({ name }) => name),
    roles: given.roles.map(({ name }) => name),
    accounts: (given.accounts ?? []).map(({ email }) => email)
  })}\n`
)

const stop = (): void => {
  void wire.close().then(() => process.exit(0))
}
process.once("SIGTERM", stop)
process.once("SIGINT", stop)
process.stdin.once("end", stop).resume()
