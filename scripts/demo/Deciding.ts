/** The steps in which somebody asks for production and others decide. */
import { present } from "./Expectation.ts"
import { saw } from "./Person.ts"
import type { PersonId } from "./Person.ts"
import type { Ask, Platform } from "./platforms/Platform.ts"
import type { Ran } from "./Processes.ts"
import type { RequestSeen, Step } from "./Step.ts"
import type { World } from "./World.ts"

/** The request that an answer is about. */
export const requestIn = ({ code, stdout }: Ran): string | undefined =>
  code === 0 ? /req_[0-9A-Z]{26}/u.exec(stdout)?.[0] : undefined

/** Asks for a production role, and gives the request's id. */
export const askForProduction = async (
  world: World,
  { role, scope }: Ask,
  reason: string,
  how: "jitsudo" | "tersely"
): Promise<string> => {
  const alice = await world.person("alice")
  const ran = await alice[how](
    ...["request", "--provider", world.platform.name, "--role", role, "--scope", scope],
    ...["--duration", "15m", "--reason", reason]
  )
  const id = present(requestIn(ran), "the request to be taken", saw(ran))
  world.deeds.push({ action: "request.created", by: "alice", request: id })
  return id
}

const ask = async (world: World): Promise<void> => {
  const { place, platform, transcript } = world
  const id = await askForProduction(world, place.asks.first, "INC-4711: disk is full", "jitsudo")
  world.requests.set("first", id)
  const alice = await world.person("alice")
  const { missing, state, tier } = await alice.ask<RequestSeen>("status", id)
  transcript.check("the request to be PENDING", state === "PENDING", state)
  const asked = missing.join(", ")
  transcript.check(
    "policy to ask people, and Alice to see that it waits for sre-leads",
    tier === "human" && asked.includes("sre-leads"),
    `tier ${tier}, waits for ${asked === "" ? "nobody" : asked}`
  )
  const rights = await world.rights()
  transcript.check(
    `nothing to be granted at ${platform.title}`,
    rights.length === 0,
    `${rights.length} ${platform.right.several}`
  )
}

/** Tries to approve, and is refused. */
const refused = async (world: World, who: PersonId): Promise<Ran> => {
  const id = world.request("first")
  const person = await world.person(who)
  const ran = await person.tersely("approve", id, "--yes", "--comment", "let me")
  world.transcript.check(`${person.name} to be refused (exit code 4)`, ran.code === 4, saw(ran))
  const { state } = await (await world.person("alice")).ask<RequestSeen>("status", id)
  world.transcript.check("the request to be PENDING still", state === "PENDING", state)
  world.deeds.push({ action: "request.approval_refused", by: who, request: id })
  return ran
}

const approveOwn = async (world: World): Promise<void> => {
  const why = saw(await refused(world, "alice"))
  world.transcript.check("the reason to be that it is her own", why.includes("requester's side"), why)
}

const approveAsCarol = async (world: World): Promise<void> => {
  await refused(world, "carol")
}

/** Bob approves, and the platform has another right. */
export const approveAsBob = async (world: World, id: string, how: "jitsudo" | "tersely"): Promise<void> => {
  const { platform, transcript } = world
  const bob = await world.person("bob")
  const ran = await bob[how]("approve", id, "--yes", "--comment", "go ahead")
  transcript.check("the approval to be taken", ran.code === 0, saw(ran))
  const { state } = await bob.ask<RequestSeen>("status", id)
  transcript.check("the request to be ACTIVE", state === "ACTIVE", state)
  const right = (await world.rights()).find(({ request }) => request === id)
  transcript.check(
    `${platform.title} to have a ${platform.right.one} for it`,
    right?.live === true,
    right === undefined ? "none" : right.shown
  )
  world.deeds.push(
    { action: "request.approval_recorded", by: "bob", request: id },
    { action: "request.approved", by: "bob", request: id },
    { action: "grant.issued", by: "system", request: id }
  )
}

const approve = async (world: World): Promise<void> => {
  const id = world.request("first")
  const bob = await world.person("bob")
  const waiting = await bob.jitsudo("status", "--pending")
  world.transcript.check(
    "Bob to see the request among what waits for him",
    waiting.stdout.includes(id),
    waiting.stdout.includes(id) ? "it" : saw(waiting)
  )
  await approveAsBob(world, id, "jitsudo")
}

export const deciding = ({ right, title }: Platform): ReadonlyArray<Step> => [
  { number: 3, title: "Alice asks for production; policy asks the leads", needs: [2], run: ask },
  { number: 4, title: "Alice cannot approve her own request", needs: [3], run: approveOwn },
  { number: 5, title: "Carol, who is no lead, cannot approve it", needs: [3], run: approveAsCarol },
  { number: 6, title: `Bob, whom policy names, approves; ${title} has a ${right.one}`, needs: [3], run: approve }
]
