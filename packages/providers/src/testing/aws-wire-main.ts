/**
 * The wire server as a process of its own, for demos and crash tests: prints one line of JSON (its address and the
 * daemon's made-up keys) and serves until it gets SIGTERM or SIGINT, or its standard input ends.
 *
 * An argument names a JSON file with `identities`, `roles` and, if wanted, `identityCenter` as `AwsWire.start` takes
 * them; without one there is the demo's account. `GET /_wire/state`, `POST /_wire/faults`, `POST /_wire/advance` and `POST /_wire/lag` are its
 * door for tests.
 */
import { readFileSync } from "node:fs"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as AwsWire from "./AwsWire.ts"

const account = "111122223333"

/** The demo's account: one identity that may do what the default configuration of `aws` needs, and two roles. */
const demo: Omit<AwsWire.WireOptions, "now" | "hear"> = {
  identities: [
    {
      accessKeyId: "AKIAJITSUDODEMO00000",
      secretAccessKey: "made-up-for-the-wire-server",
      arn: `arn:aws:iam::${account}:user/jitsudod`,
      actions: ["sts:AssumeRole", "iam:PutRolePolicy"]
    }
  ],
  roles: ["read-only", "incident-responder", "prod-admin"].map((role) => ({
    arn: `arn:aws:iam::${account}:role/jitsudo-${role}`
  }))
}

const file = process.argv[2]
const given: typeof demo = file === undefined ? demo : JSON.parse(readFileSync(file, "utf8"))
const wire = await AwsWire.start({ ...given, now: () => Effect.runSync(Clock.currentTimeMillis) })
const [identity] = given.identities

process.stdout.write(
  `${JSON.stringify({
    url: wire.url,
    pid: process.pid,
    account,
    accessKeyId: identity?.accessKeyId,
    secretAccessKey: identity?.secretAccessKey,
    roles: given.roles.map(({ arn }) => arn)
  })}\n`
)

const stop = (): void => {
  void wire.close().then(() => process.exit(0))
}
process.once("SIGTERM", stop)
process.once("SIGINT", stop)
process.stdin.once("end", stop).resume()
