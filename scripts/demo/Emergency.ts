/** The step in which nobody can be asked. */
import { existsSync, readFileSync } from "node:fs"
import { requestIn } from "./Deciding.ts"
import { present } from "./Expectation.ts"
import { saw } from "./Person.ts"
import type { RequestSeen, Step } from "./Step.ts"
import type { World } from "./World.ts"

/** Break-glass alerts so far, of this request. */
const alerts = (world: World, id: string): number =>
  existsSync(world.alertFile)
    ? readFileSync(world.alertFile, "utf8")
        .split("\n")
        .filter((line) => line.includes('"event":"break_glass"') && line.includes(id)).length
    : 0

const breakGlass = async (world: World): Promise<void> => {
  const { place, platform, transcript } = world
  const alice = await world.person("alice")
  const { role, scope } = place.asks.emergency
  const asked = ["request", "--provider", platform.name, "--role", role, "--scope", scope]
  const ran = await alice.jitsudo(
    ...[...asked, "--duration", "15m", "--break-glass", "--yes"],
    ...["--reason", "the site is down and no lead answers"]
  )
  const id = present(requestIn(ran), "break-glass to be taken", saw(ran))
  const state = /\b(?:PENDING|APPROVED|ACTIVE|REJECTED|FAILED)\b/u.exec(ran.stdout)?.[0] ?? "no state"
  transcript.check("the request to be ACTIVE at once", state === "ACTIVE", state)
  world.requests.set("emergency", id)
  const alerted = alerts(world, id)
  transcript.check("an alert in the operator's channel", alerted > 0, `${alerted}`)
  const opened = await alice.ask<RequestSeen>("status", id)
  const isOpen = opened.review !== null && opened.review.closed === null
  transcript.check("an open review", isOpen, isOpen ? "one" : "none")

  const own = await alice.tersely("review", "close", id, "--comment", "it was fine")
  transcript.check("Alice not to be able to close it herself (exit code 4)", own.code === 4, saw(own))
  const carol = await world.person("carol")
  const closed = await carol.tersely("review", "close", id, "--comment", "the outage was real, see INC-4713")
  transcript.check("Carol to close it", closed.code === 0, `exit code ${closed.code}`)
  const after = await alice.ask<RequestSeen>("status", id)
  const by = after.review?.closed?.by.email ?? "nobody"
  transcript.check("the review to be closed by Carol", by === "carol@example.test", by)

  const back = await alice.jitsudo("revoke", id, "--reason", "the site is up")
  transcript.check("Alice to give the right back", back.code === 0, saw(back))
  world.deeds.push(
    { action: "request.created", by: "alice", request: id },
    { action: "grant.issued", by: "system", request: id },
    { action: "breakglass.review_opened", by: "system", request: id },
    { action: "breakglass.review_refused", by: "alice", request: id },
    { action: "breakglass.review_closed", by: "carol", request: id },
    { action: "grant.revoked", by: "system", request: id }
  )
}

export const emergency: ReadonlyArray<Step> = [
  {
    number: 11,
    title: "Break-glass: at once, with an alert and a review by somebody else",
    needs: [2],
    run: breakGlass
  }
]
