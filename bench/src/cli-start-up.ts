/**
 * How long a person waits for the command line: `--version`, `status` against a daemon on this machine, and what `exec`
 * adds around a program. As shipped: bundled, with its launcher and compile cache. Floor: `node -e 0`, in turns.
 */
import { DevLogin } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as BenchDatabase from "./BenchDatabase.ts"
import { commandLine, daemon } from "./Bundle.ts"
import * as DevDaemon from "./DevDaemon.ts"
import * as HttpCalls from "./HttpCalls.ts"
import * as Programs from "./Programs.ts"
import { ratioAtMost, report, row } from "./Rows.ts"

const turns = 15

const measured = Effect.gen(function* () {
  const program = yield* Effect.promise(commandLine)
  const directory = yield* BenchDatabase.directory
  const dev = yield* DevDaemon.start(yield* Effect.promise(daemon), directory)
  const signIn: { readonly issuers: ReadonlyArray<{ readonly issuer: string }> } = JSON.parse(
    (yield* HttpCalls.get(`${dev.url}/api/v1alpha1/sign-in`)).text
  )
  const issuer = signIn.issuers[0]?.issuer ?? ""
  const { accessToken } = yield* DevLogin.tokenFor({ issuer, person: "alice" })
  const token = Redacted.value(accessToken)
  const answer = yield* HttpCalls.post(
    `${dev.url}/api/v1alpha1/requests`,
    { provider: "mock", role: "reader", resourceScope: "demo", durationSeconds: 3_600, reason: "to measure exec" },
    token
  )
  const asked: { readonly id?: string; readonly state?: string } = JSON.parse(answer.text)
  if (asked.id === undefined || asked.state !== "ACTIVE") throw new Error(`no grant to use: ${answer.text}`)

  const env = { HOME: directory, JITSUDO_SERVER: dev.url, JITSUDO_TOKEN: token }
  return Programs.inTurns(turns, {
    node: Programs.nothing,
    version: { args: [program, "--version"], env },
    status: { args: [program, "status"], env },
    exec: { args: [program, "exec", asked.id, "--", process.execPath, ...Programs.nothing.args], env }
  })
})

const millis = await Effect.runPromise(Effect.scoped(measured))
const node = millis("node")
const floor = { name: "ms node -e 0", value: node }
report("cli-start-up", [
  row({ row: 13, name: "jitsudo --version", value: millis("version"), unit: "ms", floor, target: ratioAtMost(3) }),
  row({
    row: 13,
    name: "jitsudo status, loopback",
    value: millis("status"),
    unit: "ms",
    floor,
    target: ratioAtMost(4.5)
  }),
  row({
    row: 14,
    name: "jitsudo exec, beside its child",
    value: millis("exec") - node,
    unit: "ms",
    floor,
    target: ratioAtMost(5)
  })
])
