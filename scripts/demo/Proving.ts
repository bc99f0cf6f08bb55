/** The steps in which the log proves what happened. */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { present, StepFailed } from "./Expectation.ts"
import * as Forgery from "./Forgery.ts"
import { plainEnvironment, saw } from "./Person.ts"
import type { Step } from "./Step.ts"
import type { World } from "./World.ts"

/** Of an entry's payload. */
interface Entry {
  readonly seq: number
  readonly action: string
  readonly by: string
  readonly requestId: string | null
}

/** The entries of an export. */
const entriesIn = (log: string): ReadonlyArray<Entry> =>
  log
    .split("\n")
    .filter((line) => line.startsWith('{"seq":'))
    .map((line) => {
      const { payload, seq }: { readonly payload: string; readonly seq: number } = JSON.parse(line)
      const { action, actor, requestId } = JSON.parse(payload)
      return { seq, action, by: actor.kind === "human" ? String(actor.email).split("@")[0] : actor.kind, requestId }
    })

const logFile = (world: World): string => join(world.directory, "log.ndjson")

const exportLog = async (world: World): Promise<string> => {
  const carol = await world.person("carol")
  const ran = await carol.jitsudo("audit", "export", "--file", logFile(world))
  world.transcript.check("the log to be exported", ran.code === 0, saw(ran))
  return readFileSync(logFile(world), "utf8")
}

const isPythonHere = (): boolean => {
  try {
    execFileSync("python3", ["--version"], { stdio: "ignore" })
    return true
  } catch (error) {
    if (error instanceof Error) return false
    throw error
  }
}

const prove = async (world: World): Promise<void> => {
  const { deeds, processes, root, transcript } = world
  const carol = await world.person("carol")
  const reader = world.request("reader")
  const queried = await carol.jitsudo("audit", "--request", reader, "--oldest-first")
  const isTold = queried.stdout.includes("grant.expired")
  transcript.check("Carol to read the story of a request to its end", isTold, isTold ? "grant.expired" : saw(queried))

  const online = await carol.jitsudo("audit", "verify")
  transcript.check("the log to be intact as the daemon gives it out", online.code === 0, saw(online))
  const [, seq, hash] = present(
    /\b(\d+)[ :]([0-9a-f]{64})\b/u.exec(online.stdout),
    "the head in the answer",
    saw(online)
  )
  world.headSeen = `${seq}:${hash}`

  const entries = entriesIn(await exportLog(world))
  // What was done twice must be there twice.
  const left = [...entries]
  const missing = deeds.filter(({ action, by, request }) => {
    const at = left.findIndex(
      (one) => one.action === action && one.by === by && (request === undefined || one.requestId === request)
    )
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
  transcript.check(
    `all ${deeds.length} deeds of this demo in the log`,
    missing.length === 0,
    missing.length === 0
      ? `${deeds.length} among ${entries.length} entries`
      : `no ${missing.map(({ action, by }) => `${action} by ${by}`).join(", no ")}`
  )
  transcript.whole(
    deeds.map(({ action, by, request }) => `${action.padEnd(26)} ${by.padEnd(7)} ${request ?? ""}`.trimEnd()).join("\n")
  )

  const offline = await carol.jitsudo("audit", "verify", "--file", logFile(world))
  transcript.check("the export to be intact without a daemon", offline.code === 0, saw(offline))
  if (!isPythonHere()) {
    transcript.note("(no python3 on this machine: the second, independent verifier is not run)")
    return
  }
  const verifier = join(root, "docs/verify/verify.py")
  transcript.command("carol", ["python3", verifier, logFile(world)])
  const again = await processes.run(
    { program: "python3", args: [verifier, logFile(world)], env: plainEnvironment(world.directory), cwd: root },
    "verify.py"
  )
  transcript.answer(again.stdout)
  transcript.check("an independent verifier to agree", again.code === 0, saw(again))
}

const detect = async (world: World): Promise<void> => {
  const { transcript } = world
  const carol = await world.person("carol")
  const log = await exportLog(world)
  const found = entriesIn(log).find(({ action }) => action === "request.created")
  const { seq } = present(found, "a request in the log", "none")
  const copy = join(world.directory, "edited.ndjson")
  const change = (payload: string): string => payload.replaceAll("alice", "mallory")
  const edited = Forgery.edited(log, seq, change)
  if (edited === log) throw new StepFailed("the copy to differ from the log", "the same bytes")
  writeFileSync(copy, world.broken.forges?.(edited) ?? edited, { mode: 0o600 })
  transcript.note(`(somebody puts mallory for alice into entry ${seq} of a copy)`)
  const crude = await carol.jitsudo("audit", "verify", "--file", copy)
  transcript.check(
    `the edit to be found (exit code 1) and entry ${seq} to be named`,
    crude.code === 1 && new RegExp(`\\b${seq}\\b`, "u").test(crude.stdout),
    saw(crude)
  )

  const head = world.headSeen
  if (head === undefined) return
  writeFileSync(copy, Forgery.rehashed(edited), { mode: 0o600 })
  transcript.note("(a forger makes every hash behind the edit anew; Carol has the head that she saw in step 12)")
  const forged = await carol.jitsudo("audit", "verify", "--file", copy, "--head", head)
  transcript.check("the forgery to be found by that head (exit code 1)", forged.code === 1, saw(forged))
}

export const proving: ReadonlyArray<Step> = [
  { number: 12, title: "The log has every step, and anybody can verify it", needs: [9], run: prove },
  { number: 13, title: "An edited copy of the log is found out", needs: [3], run: detect }
]
