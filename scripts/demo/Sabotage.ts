/**
 * How each step can be broken: what is really done to the daemon, its configuration, the CLI or whoever they speak to.
 * No step expects anything else because of it. What can be done when the step begins is done then, so that several
 * steps can be broken in one run.
 */
import { DevLogin } from "@jitsudo/server/testing"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Forgery from "./Forgery.ts"
import type { Answer, Mischief } from "./Gateway.ts"
import type { Platform } from "./platforms/Platform.ts"

/** What a wire server's own door is told. */
export interface Knock {
  readonly door: string
  readonly body: object
}

export interface Sabotage {
  /** For `--list`. */
  readonly what: string
  /** Put over the daemon's configuration. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Who enters the code that Alice's terminal shows. */
  readonly aliceIs?: "bob"
  /** A directory of `policies/` that Carol applies first. */
  readonly policies?: string
  /** What stands between the CLI and the daemon. It hears everything, and its mischief is done while the step plays. */
  readonly gateway?: (issuer: string) => Promise<Mischief>
  /** Sent to the wire server's own door first. */
  readonly wire?: ReadonlyArray<Knock>
  /** The same, when the right was granted and before it is taken back. */
  readonly wireBeforeEnd?: ReadonlyArray<Knock>
  /** Put over what Alice's environment has of her own sign-in at the platform. */
  readonly own?: Readonly<Record<string, string>>
  /** A module that every CLI process of the step loads first. */
  readonly cliLoads?: string
  /** What is done to the copy of the log beside the edit. */
  readonly forges?: (log: string) => string
  /** The signal that stops the daemon. */
  readonly stopsBy?: NodeJS.Signals
}

const isDecision = (method: string, target: string): boolean =>
  method === "POST" && /\/requests\/[^/]+\/approve$/u.test(target)

/** Presents Bob's token with every approval. */
const decidingAsBob = async (issuer: string): Promise<Mischief> => {
  const { accessToken } = await Effect.runPromise(DevLogin.tokenFor({ issuer, person: "bob" }))
  return {
    onCall: (call) =>
      isDecision(call.method, call.target)
        ? { ...call, headers: { ...call.headers, authorization: `Bearer ${Redacted.value(accessToken)}` } }
        : call
  }
}

/** Answers what it answered before: a request as it was when it was ACTIVE, and its credentials. */
const keepingEverything = async (): Promise<Mischief> => {
  const kept = new Map<string, Answer>()
  return {
    onAnswer: ({ method, target }, answer) => {
      if (method !== "GET" || !/\/requests\/req_/u.test(target)) return answer
      if (answer.status === 200 && (answer.body.includes('"ACTIVE"') || target.endsWith("/credentials"))) {
        kept.set(target, answer)
      }
      return kept.get(target) ?? answer
    }
  }
}

/** Shows a log in which somebody else did what Alice did. */
const editingTheLog = async (): Promise<Mischief> => ({
  onAnswer: ({ target }, answer) => ({
    ...answer,
    body: target.includes("/audit/export")
      ? answer.body.replaceAll("alice@example.test", "mallory@example.test")
      : answer.body
  })
})

/** The same on every platform. */
const everywhere: Readonly<Record<number, Sabotage>> = {
  1: {
    what: "the daemon's configuration has a key that there is not",
    config: { providrs: {} }
  },
  2: {
    what: "Bob enters the code that Alice's terminal shows",
    aliceIs: "bob"
  },
  3: {
    what: "an administrator applies a policy that lets production through without people",
    policies: "let-through"
  },
  4: {
    what: "a gateway in front of the daemon presents Bob's token with every approval, whoever sends it",
    gateway: decidingAsBob
  },
  5: {
    what: "an administrator applies a policy that admits administrators beside the leads",
    policies: "admins-approve"
  },
  9: {
    what: "an administrator applies a policy that asks people about read-only roles, too",
    policies: "ask-about-reading"
  },
  10: {
    what: "a cache in front of the daemon answers with what it answered while the grant was active",
    gateway: keepingEverything
  },
  11: {
    what: "no alert channel is configured",
    config: { alerts: [] }
  },
  12: {
    what: "something in front of the daemon puts another name for Alice's into the log on its way out",
    gateway: editingTheLog
  },
  13: {
    what: "whoever edits the copy makes every hash anew, and knows how",
    forges: Forgery.rehashed
  },
  14: {
    what: "the daemon is killed (SIGKILL) instead of being asked to stop",
    stopsBy: "SIGKILL"
  }
}

/** By the number of the step that they break. */
export const sabotagesOn = (platform: Platform): Readonly<Record<number, Sabotage>> => ({
  ...everywhere,
  ...platform.sabotages
})
