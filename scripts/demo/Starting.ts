/** The steps in which things begin and end. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { saw } from "./Person.ts"
import type { Platform } from "./platforms/Platform.ts"
import { within } from "./Processes.ts"
import type { RequestSeen, Step } from "./Step.ts"
import type { World } from "./World.ts"

/** What `/readyz` says, asked again while it is not ready yet. */
const readiness = async (api: string): Promise<{ readonly status: number; readonly said: string }> => {
  for (let asked = 1; ; asked += 1) {
    const answer = await fetch(`${api}/readyz`)
    const body = await answer.text()
    if (answer.status === 200) return { status: 200, said: "" }
    if (asked === 40) return { status: answer.status, said: body }
    await sleep(250)
  }
}

const start = async (world: World): Promise<void> => {
  const { platform, transcript } = world
  await world.startWire()
  transcript.note(`${platform.title} wire server at ${world.place.url}, ${world.place.shown}`)
  const { api, issuer } = await world.startDaemon()
  transcript.note(`daemon at ${api}, issuer at ${issuer}`)
  const ready = await readiness(api)
  transcript.check(
    "the daemon to say that it is ready",
    ready.status === 200,
    `status ${ready.status} ${ready.said}`.trim()
  )
  const onDisk = join(world.directory, "data", "data", "database", "PG_VERSION")
  transcript.check("a database on disk", existsSync(onDisk), existsSync(onDisk) ? "one" : `no ${onDisk}`)
  world.deeds.push({ action: "config.loaded", by: "system" })
}

interface WhoAmI {
  readonly email: string
  readonly groups: ReadonlyArray<string>
}

const signIn = async (world: World): Promise<void> => {
  const alice = world.stranger("alice")
  const before = await alice.jitsudo("whoami")
  world.transcript.check("nobody to be signed in before (exit code 3)", before.code === 3, saw(before))
  const ran = await alice.signIn(world.broken.aliceIs ?? "alice")
  world.transcript.check("the sign-in to succeed", ran.code === 0, saw(ran))
  const { email, groups } = await alice.ask<WhoAmI>("whoami")
  const seen = `${email} (${groups.join(", ")})`
  world.transcript.check("whoami to say alice@example.test of the group sre", seen === "alice@example.test (sre)", seen)
}

const stop = async (world: World): Promise<void> => {
  const { daemon, platform, transcript } = world
  const alice = await world.person("alice")
  const active = (
    await alice.ask<ReadonlyArray<RequestSeen>>("status", "--state", "ACTIVE", "--provider", platform.name, "--all")
  )
    .map(({ id }) => id)
    .toSorted()

  const signal = world.broken.stopsBy ?? "SIGTERM"
  transcript.note(`(${signal} to the daemon)`)
  daemon.signal(signal)
  const ended = await within(daemon.ended, "the daemon to stop")
  const how = ended.signal === null ? `exit code ${ended.code}` : `ended by ${ended.signal}`
  transcript.check("an orderly stop (exit code 0)", ended.code === 0, how)

  const rights = await world.rights()
  const live = rights.flatMap(({ live: isLive, request }) => (isLive ? [request ?? "somebody else's"] : [])).toSorted()
  transcript.check(
    `${platform.title} to let through exactly the ${platform.right.several} whose grants are ACTIVE`,
    live.join() === active.join(),
    `${live.length} live, ${active.length} active${live.length > 0 ? ` (${live.join(", ")})` : ""}`
  )
}

export const starting = ({ title }: Platform): ReadonlyArray<Step> => [
  {
    number: 1,
    title: `Everything starts: ${title} wire server, daemon, database on disk, issuer`,
    needs: [],
    run: start
  },
  { number: 2, title: "Alice signs in", needs: [1], run: signIn }
]

export const stopping = ({ title }: Platform): ReadonlyArray<Step> => [
  { number: 14, title: `The daemon stops in order, and ${title} agrees with it`, needs: [2], run: stop }
]
