/** Rule books that are wrong in one thing each, and the invariant that must notice. */
import * as Result from "effect/Result"
import type { Actor, Command, Decided, Facts } from "../../src/Elevation.ts"
import type { Event } from "../../src/Event.ts"
import { keyOf } from "../../src/Principal.ts"
import type { Request } from "../../src/Request.ts"
import * as Times from "../../src/Time.ts"
import { sound, type RuleBook } from "./RuleBook.ts"
import type { Invariant } from "./RuleBookInvariants.ts"

export interface Mutant {
  readonly name: string
  readonly caughtBy: Invariant
  readonly book: RuleBook
}

interface Given {
  readonly request: Request | undefined
  readonly command: Command
  readonly facts: Facts
}

/** Decides on something else than it was given. */
const misled = (by: (given: Given) => Partial<Given>): RuleBook => ({
  ...sound,
  decide: (request, command, facts) => {
    const given = { request, command, facts, ...by({ request, command, facts }) }
    return sound.decide(given.request, given.command, given.facts)
  }
})

/** Says something else than it decided. */
const rewritten = (by: (events: ReadonlyArray<Event>, given: Given) => ReadonlyArray<Event>): RuleBook => ({
  ...sound,
  decide: (request, command, facts) =>
    Result.map(sound.decide(request, command, facts), (decided): Decided => ({
      ...decided,
      events: by(decided.events, { request, command, facts })
    }))
})

/** Makes something else of the events. */
const misapplied = (
  by: (after: Request, before: Request | undefined, events: ReadonlyArray<Event>) => Request
): RuleBook => ({
  ...sound,
  apply: (before, events, now) => by(sound.apply(before, events, now), before, events)
})

const unlocked = (facts: Facts): Facts => ({ ...facts, locks: { ...facts.locks, active: [] } })

const alone = (actor: Actor): Actor => ({ ...actor, party: [`key:${keyOf(actor.principal)}`] })

const of = <Type extends Command["type"]>(
  command: Command,
  ...types: ReadonlyArray<Type>
): command is Command & { readonly type: Type } => types.some((type) => type === command.type)

const fresh = (actor: Actor, facts: Facts): Actor => ({
  ...actor,
  principal: { ...actor.principal, groupsReadAt: facts.now }
})

const quorum = (command: Command, by: number): Command =>
  "answers" in command
    ? {
        ...command,
        answers: {
          ...command.answers,
          routing: {
            ...command.answers.routing,
            openQuorum: command.answers.routing.openQuorum + by,
            stages: command.answers.routing.stages.map((stage) => ({ ...stage, quorum: stage.quorum + by }))
          }
        }
      }
    : command

const without = (type: Event["type"], kind: string): RuleBook => ({
  ...sound,
  workOf: (event, after, now, resourceKey) => {
    const work = sound.workOf(event, after, now, resourceKey)
    return event.type === type ? { ...work, jobs: work.jobs.filter((job) => job.kind !== kind) } : work
  }
})

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "lets everybody decide on their own request",
    caughtBy: "1 party",
    book: misled(({ command, request }) =>
      request !== undefined && of(command, "Approve", "Deny", "AiDecide")
        ? {
            request: { ...request, party: [`key:${keyOf(request.requester)}`] },
            command: { ...command, by: { ...command.by, party: [`key:nobody`] } }
          }
        : {}
    )
  },
  {
    name: "knows people by their key alone, not by their address",
    caughtBy: "1 party",
    book: misled(({ command, request }) =>
      request !== undefined && of(command, "Approve", "Deny")
        ? {
            request: { ...request, party: request.party.filter((mark) => mark.startsWith("key:")) },
            command: { ...command, by: alone(command.by), requester: alone(command.requester) }
          }
        : {}
    )
  },
  {
    name: "lets anybody close their own review",
    caughtBy: "1 party",
    book: misled(({ command, request }) =>
      request !== undefined && of(command, "CloseReview")
        ? { request: { ...request, party: [] }, command: { ...command, requester: undefined } }
        : {}
    )
  },
  {
    name: "counts a quorum by principal",
    caughtBy: "2 quorum",
    book: misled(({ command, request }) =>
      request !== undefined && of(command, "Approve")
        ? {
            request: {
              ...request,
              decisions: request.decisions.map((one) => ({
                ...one,
                party: "policy" in one.by ? [] : [`key:${keyOf(one.by)}`]
              }))
            },
            command: {
              ...command,
              by: command.by.party.some((mark) => request.party.includes(mark)) ? command.by : alone(command.by),
              earlier: command.earlier.map((one) => ({
                ...one,
                actor: one.actor === undefined ? undefined : alone(one.actor)
              }))
            }
          }
        : {}
    )
  },
  {
    name: "is content with one approval less",
    caughtBy: "2 quorum",
    book: misled(({ command }) => ({ command: quorum(command, -1) }))
  },
  {
    name: "wants more than the quorum",
    caughtBy: "2 quorum",
    book: misled(({ command }) => ({ command: quorum(command, 1) }))
  },
  {
    name: "counts approvals in one stage for all",
    caughtBy: "2 quorum",
    book: misled(({ command }) =>
      of(command, "Approve")
        ? {
            command: {
              ...command,
              answers: {
                ...command.answers,
                routing: { ...command.answers.routing, stages: command.answers.routing.stages.slice(0, 1) }
              }
            }
          }
        : {}
    )
  },
  {
    name: "does not ask policy again when it approves",
    caughtBy: "3 current facts",
    book: misled(({ command }) =>
      of(command, "Approve", "Recheck", "AiDecide")
        ? {
            command: {
              ...command,
              answers: { ...command.answers, eligibility: { ...command.answers.eligibility, allowed: true } }
            }
          }
        : {}
    )
  },
  {
    name: "takes group facts of any age",
    caughtBy: "3 current facts",
    book: misled(({ command, facts }) =>
      of(command, "Approve", "Recheck", "AiDecide")
        ? { command: { ...command, requester: fresh(command.requester, facts) } }
        : of(command, "Submit")
          ? { command: { ...command, by: fresh(command.by, facts) } }
          : {}
    )
  },
  {
    name: "takes a decider's group facts of any age",
    caughtBy: "3 current facts",
    book: misled(({ command, facts }) =>
      of(command, "Approve", "Deny") ? { command: { ...command, by: fresh(command.by, facts) } } : {}
    )
  },
  {
    name: "never looks at earlier approvals again",
    caughtBy: "3 current facts",
    book: rewritten((events) => events.filter((event) => event.type !== "DecisionStruck"))
  },
  {
    name: "passes an agent that nobody answers for by itself",
    caughtBy: "3 current facts",
    book: misled(({ command }) =>
      of(command, "Submit") && command.by.principal.kind === "agent"
        ? {
            command: {
              ...command,
              by: { ...command.by, principal: { ...command.by.principal, owner: command.by.principal } }
            }
          }
        : {}
    )
  },
  {
    name: "approves although a source of facts could not be read",
    caughtBy: "3 current facts",
    book: {
      ...sound,
      decide: (request, command, facts) => {
        if (!of(command, "Submit")) return sound.decide(request, command, facts)
        const decided = sound.decide(request, { ...command, labels: { facts_ok: true } }, facts)
        return Result.map(decided, (one) => ({
          ...one,
          events: one.events.map((event) =>
            event.type === "Created" ? { ...event, request: { ...event.request, labels: command.labels } } : event
          )
        }))
      }
    }
  },
  {
    name: "calls it EXPIRED as soon as its time is over",
    caughtBy: "4 confirmed",
    book: rewritten((events, { command }) =>
      command.type === "Expire" && events.length > 0
        ? [...events, { type: "Ended", note: null, sweepAgainAt: null }]
        : events
    )
  },
  {
    name: "calls it REVOKED without asking the provider",
    caughtBy: "4 confirmed",
    book: rewritten((events, { command }) =>
      command.type === "Revoke" && events.some((event) => event.type === "EndingBegun")
        ? [...events, { type: "Ended", note: null, sweepAgainAt: null }]
        : events
    )
  },
  {
    name: "gives up an ending that fails",
    caughtBy: "4 confirmed",
    book: rewritten((events, { command }) =>
      command.type === "EndRefused" && events.length > 0
        ? [...events, { type: "Ended", note: "given up", sweepAgainAt: null }]
        : events
    )
  },
  {
    name: "calls it ACTIVE when the provider is asked",
    caughtBy: "4 confirmed",
    book: rewritten((events, { command, facts }) =>
      command.type === "StartGrant" && events.some((event) => event.type === "GrantStarted")
        ? [
            ...events,
            {
              type: "GrantIssued",
              issuedAt: facts.now,
              notAfter: facts.now,
              providerNotAfter: facts.now,
              reference: {}
            }
          ]
        : events
    )
  },
  {
    name: "calls it FAILED although an attempt may have had an effect",
    caughtBy: "4 confirmed",
    book: rewritten((events, { command }) =>
      command.type === "GrantRefused" && command.error.effect === "unknown" && events.length === 1
        ? [...events, { type: "GrantFailed", outcome: "no answer" }]
        : events
    )
  },
  {
    name: "keeps a revoked request that is being granted",
    caughtBy: "4 confirmed",
    book: rewritten((events, { command, request }) =>
      command.type === "Revoke" && request?.state === "APPROVED" ? [] : events
    )
  },
  {
    name: "forgets the second ending",
    caughtBy: "4 confirmed",
    book: rewritten((events) =>
      events.map((event) => (event.type === "Ended" ? { ...event, sweepAgainAt: null } : event))
    )
  },
  {
    name: "counts a decision on another digest",
    caughtBy: "5 digest",
    book: misled(({ command, request }) =>
      request !== undefined && of(command, "Approve", "Deny") ? { command: { ...command, digest: request.digest } } : {}
    )
  },
  {
    name: "changes what was approved",
    caughtBy: "5 digest",
    book: misapplied((after, before) =>
      before?.state === "PENDING" && after.state === "APPROVED"
        ? { ...after, asked: { ...after.asked, durationSeconds: after.asked.durationSeconds + 60 } }
        : after
    )
  },
  {
    name: "lets a struck approval stand again",
    caughtBy: "5 digest",
    book: misapplied((after, _, events) =>
      events.some((event) => event.type === "DecisionStruck")
        ? after
        : { ...after, decisions: after.decisions.map((one) => ({ ...one, struck: null })) }
    )
  },
  {
    name: "takes the provider's end for what was approved",
    caughtBy: "6 within what was approved",
    book: rewritten((events) =>
      events.map((event) => (event.type === "GrantIssued" ? { ...event, notAfter: event.providerNotAfter } : event))
    )
  },
  {
    name: "promises more than the provider enforces",
    caughtBy: "6 within what was approved",
    book: rewritten((events, { request }) =>
      events.map((event) =>
        event.type === "GrantIssued"
          ? { ...event, notAfter: Times.plusSeconds(event.issuedAt, request?.asked.durationSeconds ?? 0) }
          : event
      )
    )
  },
  {
    name: "moves notAfter when it ends",
    caughtBy: "6 within what was approved",
    book: misapplied((after, before) =>
      before?.grant?.notAfter != null && after.grant !== null && after.state === "ENDING"
        ? { ...after, grant: { ...after.grant, notAfter: Times.plusSeconds(before.grant.notAfter, -1) } }
        : after
    )
  },
  {
    name: "forgets how long the role is held already",
    caughtBy: "6 within what was approved",
    book: misled(({ command }) =>
      of(command, "Approve", "Recheck", "AiDecide")
        ? { command: { ...command, answers: { ...command.answers, heldSeconds: 0 } } }
        : {}
    )
  },
  {
    name: "lets an agent decide what people must",
    caughtBy: "7 agents",
    book: misled(({ command, facts, request }) =>
      request !== undefined && of(command, "AiDecide")
        ? {
            request: {
              ...request,
              decideBy: Times.plusSeconds(facts.now, 1),
              routing: { ...request.routing, tier: "ai_review" }
            }
          }
        : {}
    )
  },
  {
    name: "lets an agent approve as a person",
    caughtBy: "7 agents",
    book: misled(({ command }) =>
      of(command, "Approve", "Deny")
        ? { command: { ...command, by: { ...command.by, principal: { ...command.by.principal, kind: "human" } } } }
        : {}
    )
  },
  {
    name: "does not ask for ai_allow",
    caughtBy: "7 agents",
    book: misled(({ command }) =>
      of(command, "AiDecide")
        ? { command: { ...command, admission: { ...command.admission, allowed: true, denied: false } } }
        : {}
    )
  },
  {
    name: "takes an agent's answer on another version",
    caughtBy: "7 agents",
    book: misled(({ command, request }) =>
      request !== undefined && of(command, "AiDecide") ? { command: { ...command, version: request.version } } : {}
    )
  },
  {
    name: "takes an agent's answer after its deadline",
    caughtBy: "7 agents",
    book: misled(({ command, facts, request }) =>
      request !== undefined && of(command, "AiDecide")
        ? { facts: { ...facts, now: Times.min(facts.now, Times.plusMillis(request.decideBy, -1)) } }
        : {}
    )
  },
  {
    name: "takes an answer without reasoning",
    caughtBy: "7 agents",
    book: misled(({ command }) =>
      of(command, "AiDecide") ? { command: { ...command, reasoning: command.reasoning.padEnd(20, ".") } } : {}
    )
  },
  {
    name: "leaves with the agent what failed in review",
    caughtBy: "7 agents",
    book: {
      ...sound,
      decide: (request, command, facts) => {
        const decided = sound.decide(request, command, facts)
        return Result.isSuccess(decided) && decided.success.refused !== undefined && command.type === "AiDecide"
          ? Result.fail(decided.success.refused)
          : decided
      }
    }
  },
  {
    name: "lets an agent that nobody answers for review",
    caughtBy: "7 agents",
    book: misled(({ command }) =>
      of(command, "AiDecide") && command.by.principal.owner === null
        ? {
            command: {
              ...command,
              by: { ...command.by, principal: { ...command.by.principal, owner: command.by.principal } }
            }
          }
        : {}
    )
  },
  {
    name: "lets agents break the glass",
    caughtBy: "8 break-glass",
    book: {
      ...sound,
      decide: (request, command, facts) =>
        of(command, "Submit")
          ? Result.map(
              sound.decide(
                request,
                { ...command, by: { ...command.by, principal: { ...command.by.principal, kind: "human" } } },
                facts
              ),
              (one) => ({
                ...one,
                events: one.events.map((event) =>
                  event.type === "Created"
                    ? {
                        ...event,
                        request: {
                          ...event.request,
                          requester: { ...event.request.requester, kind: command.by.principal.kind }
                        }
                      }
                    : event
                )
              })
            )
          : sound.decide(request, command, facts)
    }
  },
  {
    name: "breaks the glass while nobody can be alerted",
    caughtBy: "8 break-glass",
    book: misled(({ facts }) => ({ facts: { ...facts, settings: { ...facts.settings, alertChannels: ["?"] } } }))
  },
  {
    name: "breaks the glass without a review",
    caughtBy: "8 break-glass",
    book: rewritten((events) => events.filter((event) => event.type !== "ReviewOpened"))
  },
  {
    name: "breaks the glass again in spite of an open review",
    caughtBy: "8 break-glass",
    book: misled(({ command }) => (of(command, "Submit") ? { command: { ...command, openReviews: 0 } } : {}))
  },
  {
    name: "grants before it alerts",
    caughtBy: "8 break-glass",
    book: {
      ...sound,
      workOf: (event, after, now, resourceKey) => {
        const work = sound.workOf(event, after, now, resourceKey)
        return { ...work, jobs: work.jobs.map((job) => ({ ...job, after: null })) }
      }
    }
  },
  {
    name: "does not mark a break-glass in every entry",
    caughtBy: "8 break-glass",
    book: {
      ...sound,
      recordsOf: (event, after, actor) =>
        sound.recordsOf(event, { ...after, asked: { ...after.asked, breakGlass: false } }, actor).map((record) => ({
          ...record,
          details: event.type === "Created" ? { ...record.details, breakGlass: true } : record.details
        }))
    }
  },
  {
    name: "grants to a locked target",
    caughtBy: "9 locks",
    book: misled(({ command, facts }) => (command.type === "StartGrant" ? { facts: unlocked(facts) } : {}))
  },
  {
    name: "decides while locked",
    caughtBy: "9 locks",
    book: misled(({ command, facts }) => (of(command, "Approve", "Deny", "Recheck") ? { facts: unlocked(facts) } : {}))
  },
  {
    name: "takes requests of the locked",
    caughtBy: "9 locks",
    book: misled(({ command, facts }) => (command.type === "Submit" ? { facts: unlocked(facts) } : {}))
  },
  {
    name: "hands credentials to the locked",
    caughtBy: "9 locks",
    book: misled(({ command, facts }) => (command.type === "ReadCredentials" ? { facts: unlocked(facts) } : {}))
  },
  {
    name: "lets what is locked go on",
    caughtBy: "9 locks",
    book: misled(({ command, facts }) => (command.type === "LockHit" ? { facts: unlocked(facts) } : {}))
  },
  {
    name: "locks whom it knew when it was asked, not who answers for them now",
    caughtBy: "9 locks",
    book: misled(({ command }) =>
      command.type === "LockHit" ? { command: { type: "LockHit", requester: undefined } } : {}
    )
  },
  {
    name: "hands credentials to anybody",
    caughtBy: "10 credentials",
    book: misled(({ command, request }) =>
      request !== undefined && of(command, "ReadCredentials")
        ? {
            command: { ...command, by: { ...command.by, principal: { ...command.by.principal, ...request.requester } } }
          }
        : {}
    )
  },
  {
    name: "hands out credentials after notAfter",
    caughtBy: "10 credentials",
    book: misled(({ command, facts, request }) =>
      request?.grant?.notAfter != null && of(command, "ReadCredentials")
        ? { facts: { ...facts, now: Times.min(facts.now, Times.plusMillis(request.grant.notAfter, -1)) } }
        : {}
    )
  },
  {
    name: "hands out credentials while it ends",
    caughtBy: "10 credentials",
    book: misled(({ command, request }) =>
      request?.state === "ENDING" && of(command, "ReadCredentials") ? { request: { ...request, state: "ACTIVE" } } : {}
    )
  },
  {
    name: "leaves no entry when it starts to grant",
    caughtBy: "11 records",
    book: {
      ...sound,
      recordsOf: (event, after, actor) => (event.type === "GrantStarted" ? [] : sound.recordsOf(event, after, actor))
    }
  },
  {
    name: "writes comments into the entry itself",
    caughtBy: "11 records",
    book: {
      ...sound,
      recordsOf: (event, after, actor) =>
        sound
          .recordsOf(event, after, actor)
          .map((record) => ({ ...record, details: { ...record.details, ...record.texts }, texts: {} }))
    }
  },
  {
    name: "leaves an agent's words out of the log",
    caughtBy: "11 records",
    book: {
      ...sound,
      recordsOf: (event, after, actor) => (event.type === "Escalated" ? [] : sound.recordsOf(event, after, actor))
    }
  },
  {
    name: "lets a decision come after the deadline",
    caughtBy: "12 deadlines",
    book: misled(({ command, request }) =>
      request !== undefined && of(command, "Approve", "Deny")
        ? { request: { ...request, lapsesAt: Times.plusSeconds(request.lapsesAt, 90 * 24 * 3600) } }
        : {}
    )
  },
  {
    name: "never lapses",
    caughtBy: "12 deadlines",
    book: rewritten((events) => events.filter((event) => event.type !== "Lapsed"))
  },
  {
    name: "expires a moment late",
    caughtBy: "12 deadlines",
    book: misled(({ command, facts }) =>
      command.type === "Expire" ? { facts: { ...facts, now: Times.plusMillis(facts.now, -1) } } : {}
    )
  },
  {
    name: "leaves people the agent's deadline when policy changes the tier",
    caughtBy: "12 deadlines",
    book: rewritten((events, { request }) =>
      events.map((event) =>
        event.type === "Rerouted" && request !== undefined ? { ...event, decideBy: request.decideBy } : event
      )
    )
  },
  {
    name: "grants after the start deadline",
    caughtBy: "12 deadlines",
    book: misled(({ command, request }) =>
      request !== undefined && command.type === "StartGrant" ? { request: { ...request, startBy: null } } : {}
    )
  },
  {
    name: "lets anybody deny whom policy does not name",
    caughtBy: "13 permitted",
    book: misled(({ command }) =>
      of(command, "Deny") && !command.admission.denied
        ? {
            command: {
              ...command,
              admission: { ...command.admission, allowed: true },
              answers: { ...command.answers, routing: { ...command.answers.routing, stages: [], openQuorum: 1 } }
            }
          }
        : {}
    )
  },
  {
    name: "does not hear policy's denial of a decider",
    caughtBy: "13 permitted",
    book: misled(({ command }) =>
      of(command, "Approve", "Deny")
        ? { command: { ...command, admission: { ...command.admission, denied: false } } }
        : {}
    )
  },
  {
    name: "lets anybody revoke",
    caughtBy: "13 permitted",
    book: misled(({ command }) =>
      of(command, "Revoke")
        ? { command: { ...command, admission: { allowed: true, denied: false, reasons: [], findings: [] } } }
        : {}
    )
  },
  {
    name: "revives what is over",
    caughtBy: "terminal",
    book: {
      ...sound,
      decide: (request, command, facts) =>
        request?.state === "REJECTED" && command.type === "Recheck"
          ? Result.succeed({
              events: [{ type: "Escalated", why: "again", by: null, decideBy: facts.now }]
            })
          : sound.decide(request, command, facts)
    }
  },
  {
    name: "goes from PENDING to ENDING",
    caughtBy: "arrows",
    book: rewritten((events, { command, request }) =>
      command.type === "Revoke" && request?.state === "PENDING" && events.length > 0
        ? [{ type: "EndingBegun", ending: { why: "revoked", by: null, reason: "x", into: "REVOKED" } }]
        : events
    )
  },
  {
    name: "keeps the version",
    caughtBy: "terminal",
    book: misapplied((after, before) => ({ ...after, version: Math.max(1, before?.version ?? 0) }))
  },
  { name: "approves and queues no grant", caughtBy: "jobs", book: without("Approved", "grant") },
  { name: "approves and queues no start deadline", caughtBy: "jobs", book: without("Approved", "deadline") },
  { name: "asks people and queues no deadline", caughtBy: "jobs", book: without("Created", "deadline") },
  { name: "grants and queues no expiry", caughtBy: "jobs", book: without("GrantIssued", "expire") },
  { name: "ends and queues no ending", caughtBy: "jobs", book: without("EndingBegun", "end") },
  { name: "ends once where twice is due", caughtBy: "jobs", book: without("Ended", "end") },
  { name: "leaves a late grant where it is", caughtBy: "jobs", book: without("GrantArrivedLate", "end") },
  { name: "reminds of a review but once", caughtBy: "jobs", book: without("ReviewReminded", "review") },
  { name: "escalates without a new deadline", caughtBy: "jobs", book: without("Escalated", "deadline") }
]
