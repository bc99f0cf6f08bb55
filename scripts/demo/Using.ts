/** The steps in which credentials are used, taken back, and end by themselves. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { approveAsBob, askForProduction, requestIn } from "./Deciding.ts"
import { present } from "./Expectation.ts"
import { saw } from "./Person.ts"
import { within } from "./Processes.ts"
import type { Running } from "./Processes.ts"
import type { Ask, Called, Platform } from "./platforms/Platform.ts"
import type { RequestSeen, Step } from "./Step.ts"
import type { Transcript } from "./Transcript.ts"
import type { World } from "./World.ts"

/** `exec` of the demo's program under a request of Alice's, which asked for this. */
const execute = async (world: World, id: string, { role, scope }: Ask): Promise<Running> => {
  const alice = await world.person("alice")
  const program = join(world.root, "scripts/demo/program.mjs")
  const running = alice.start("exec", id, "--", process.execPath, program, world.platform.name, role, scope)
  world.deeds.push({ action: "credentials.read", by: "alice", request: id })
  return running
}

/** One command to the program, and its answer. */
const told = async <A>(program: Running, command: string): Promise<A> => {
  program.say(command)
  return JSON.parse(present(await program.line(), `the program to answer ${JSON.stringify(command)}`, "it ended"))
}

const said = (called: Called): string => (called.allowed ? called.shown : `refused: ${called.shown}`)

interface Looked {
  readonly secrets: number
  /** Variables that its parent does not have. */
  readonly given: ReadonlyArray<string>
  /** Files that were made for the program. */
  readonly handed: ReadonlyArray<{ readonly path: string; readonly isPrivate: boolean }>
  readonly inCommandLines: boolean
  readonly inParent: boolean
  readonly files: number
  readonly inFiles: ReadonlyArray<string>
}

const finish = async (program: Running, code: number): Promise<string> => {
  program.say(`exit ${code}`)
  const { code: exit, signal } = await within(program.ended, "the program to end")
  return signal === null ? `exit code ${exit}` : `ended by ${signal}`
}

/** The secrets that the program was given are nowhere else. */
const seenByNobody = (transcript: Transcript, looked: Looked): void => {
  transcript.check(
    "none of them in the command line of any process",
    !looked.inCommandLines,
    looked.inCommandLines ? "one that everybody on this machine can read" : "none"
  )
  transcript.check("none of them in its parent's environment", !looked.inParent, looked.inParent ? "one" : "none")
  transcript.check(
    "none of them in any file of the CLI, the database or the logs",
    looked.inFiles.length === 0 && looked.files > 0,
    looked.inFiles.length === 0 ? `none in ${looked.files} files` : looked.inFiles.join(", ")
  )
}

const use = async (world: World): Promise<void> => {
  const { platform, transcript } = world
  const program = await execute(world, world.request("first"), world.place.asks.first)
  const called = await told<Called>(program, "call")
  transcript.check(`${platform.title} to let the program ${platform.does}`, called.allowed, said(called))
  const looked = await told<Looked>(program, `look ${world.directory}`)
  const { plain, where } = platform.secrets
  if (where.length === 0) {
    const more = looked.given.filter((name) => !plain.includes(name) && !name.startsWith("JITSUDO_"))
    transcript.check(
      `the program to be given ${plain.join(" and ")}, and nothing that is a secret`,
      more.length === 0 && plain.every((name) => looked.given.includes(name)),
      looked.given.join(", ")
    )
  } else {
    transcript.check(
      `the program to have what nobody else may know: ${where.join(", ")}`,
      looked.secrets === where.length,
      `${looked.secrets}`
    )
    seenByNobody(transcript, looked)
  }
  const ended = await finish(program, 7)
  transcript.check("exec to end with the program's exit code, 7", ended === "exit code 7", ended)
  if (looked.handed.length === 0) return
  const wide = looked.handed.filter(({ isPrivate }) => !isPrivate).length
  const left = looked.handed.filter(({ path }) => existsSync(path)).length
  transcript.check(
    "the file made for the program to have been Alice's alone, and to be gone",
    wide + left === 0,
    wide + left === 0 ? "nothing of it" : `${wide} that others could read, ${left} left`
  )
}

const revoke = async (world: World): Promise<void> => {
  const { place, platform, transcript } = world
  const first = world.request("first")
  const second = await askForProduction(world, place.asks.second, "INC-4712: and the other disk", "tersely")
  world.requests.set("second", second)
  await approveAsBob(world, second, "tersely")

  const [one, other] = [await execute(world, first, place.asks.first), await execute(world, second, place.asks.second)]
  const before = [await told<Called>(one, "call"), await told<Called>(other, "call")]
  transcript.check(
    `${platform.title} to let both ${platform.right.several} through`,
    before.every(({ allowed }) => allowed),
    before.map(said).join("; ")
  )
  await world.knockAtWire(world.broken.wireBeforeEnd)
  const alice = await world.person("alice")
  const ran = await alice.jitsudo("revoke", first, "--reason", "done")
  transcript.check("the revocation to be taken", ran.code === 0, saw(ran))
  const after = [await told<Called>(one, "call"), await told<Called>(other, "call")] as const
  transcript.check(
    `${platform.title} to refuse the program whose ${platform.right.one} was revoked, and which still has what it was given`,
    !after[0].allowed && after[0].refused,
    said(after[0])
  )
  transcript.check(`${platform.title} to let the other ${platform.right.one} through`, after[1].allowed, said(after[1]))
  const left = (await world.rights()).filter(({ live, request }) => live && request === first)
  transcript.check(
    `${platform.title} to have none for it any more`,
    left.length === 0,
    left.length === 0 ? "none" : left.map(({ shown }) => shown).join(", ")
  )
  await finish(one, 0)
  await finish(other, 0)
  world.deeds.push({ action: "grant.revoked", by: "system", request: first })
}

/** Time for the program to run while the grant lives, on this machine as busy as it is. In seconds. */
const shortGrant = (slowestMillis: number): number => Math.min(60, Math.max(4, Math.ceil((slowestMillis * 3) / 1000)))

const endsByItself = async (world: World): Promise<void> => {
  const { processes, transcript } = world
  const alice = await world.person("alice")
  const ran = await alice.jitsudo(
    ...["request", "--provider", "mock", "--role", "reader", "--scope", "demo"],
    ...["--duration", `${shortGrant(processes.slowestMillis)}s`, "--reason", "looking around"]
  )
  const id = present(requestIn(ran), "the request to be taken", saw(ran))
  world.requests.set("reader", id)
  const state = /\b(?:PENDING|APPROVED|ACTIVE|REJECTED|FAILED)\b/u.exec(ran.stdout)?.[0] ?? "no state"
  transcript.check("the request to be ACTIVE at once, without anybody", state === "ACTIVE", state)
  const printed = await alice.jitsudo("exec", id, "--", "sh", "-c", 'echo "with ${MOCK_ACCESS_KEY:+credentials}"')
  transcript.check("its credentials in a program's environment", printed.stdout === "with credentials\n", saw(printed))
  const watched = await alice.jitsudo("status", id, "--watch")
  const last = watched.stdout.trim().split("\n").at(-1) ?? ""
  transcript.check("the grant to end by itself (EXPIRED)", last.includes("EXPIRED"), JSON.stringify(last))
  world.deeds.push(
    { action: "request.created", by: "alice", request: id },
    { action: "request.auto_approved", by: "alice", request: id },
    { action: "grant.issued", by: "system", request: id },
    { action: "credentials.read", by: "alice", request: id },
    { action: "grant.expired", by: "system", request: id }
  )
}

const afterTheEnd = async (world: World): Promise<void> => {
  const alice = await world.person("alice")
  for (const [which, how] of [
    ["reader", "expired"],
    ["first", "revoked"]
  ] as const) {
    const id = world.requests.get(which)
    if (id === undefined) continue
    const ran = await alice.jitsudo("exec", id, "--", "echo", "the program ran")
    world.transcript.check(
      `no credentials of the ${how} grant (exit code 4, and the program does not run)`,
      ran.code === 4 && ran.stdout === "",
      saw(ran)
    )
    const { state } = await alice.ask<RequestSeen>("status", id)
    world.transcript.check(`the request to be ${how.toUpperCase()}`, state === how.toUpperCase(), state)
  }
}

export const using = ({ right, secrets }: Platform): ReadonlyArray<Step> => [
  {
    number: 7,
    title:
      secrets.where.length === 0
        ? "A program uses the right, which is Alice's own"
        : "A program uses the credentials, and nobody else sees them",
    needs: [6],
    run: use
  },
  { number: 8, title: `One of two ${right.several} is revoked, and only that one`, needs: [6], run: revoke },
  { number: 9, title: "A read-only role needs nobody and ends by itself", needs: [2], run: endsByItself },
  { number: 10, title: "Credentials cannot be read after the end", needs: [9], run: afterTheEnd }
]
