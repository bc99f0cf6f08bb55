/**
 * What is particular to a platform in the tour: which server stands for it, how the daemon is told of it, what Alice asks
 * for, what her program does with it, and how the platform's own truth is read. Everything else is the same everywhere.
 *
 * The program under `jitsudo exec` loads this file, too, for `secrets` and `call`: what only one side needs is imported
 * where it is used.
 */
import type { Knock, Sabotage } from "../Sabotage.ts"

/** A role and where, as Alice asks for it. */
export interface Ask {
  readonly role: string
  readonly scope: string
}

/** A right at the platform, in its own words. */
export interface Right {
  /** The request whose mark it carries; null where it carries none. */
  readonly request: string | null
  /** Whether the platform lets it through now. */
  readonly live: boolean
  /** What it is, for people. */
  readonly shown: string
}

/** What became of a call with what jitsudo granted. */
export type Called =
  | { readonly allowed: true; readonly shown: string }
  /** `refused`: the platform said no, and it is not that nobody could be asked. */
  | { readonly allowed: false; readonly refused: boolean; readonly shown: string }

/** A wire server that runs. */
export interface Place {
  readonly url: string
  /** For people: `account 111122223333`. */
  readonly shown: string
  /** `providers.<name>` of the daemon's configuration. */
  readonly section: Readonly<Record<string, unknown>>
  /** The daemon's own identity at the platform, as its environment has it. */
  readonly daemon: Readonly<Record<string, string>>
  /** Alice's own sign-in at the platform, where rights are hers and not those of credentials handed out. */
  readonly alice: Readonly<Record<string, string>>
  /** What steps 3, 8 and 11 ask for. */
  readonly asks: {
    readonly first: Ask
    readonly second: Ask
    readonly emergency: Ask
  }
}

export interface Platform {
  /** `--provider NAME`, and `providers.NAME` of the configuration. */
  readonly name: string
  /** As people call it. */
  readonly title: string
  /** What a right is called there: a session, a role binding. */
  readonly right: { readonly one: string; readonly several: string }
  /** The wire server's program, below `packages/providers/src/testing`. */
  readonly server: string
  /** From the line of JSON that the wire server prints, and the demo's directory for files that the daemon reads. */
  readonly placeOf: (line: string, directory: string) => Place
  /** What `call` does, for people: `list roles (iam:ListRoles)`. */
  readonly does: string
  /** What of that which the program is given nobody else may know; empty where the right is Alice's own. */
  readonly secrets: {
    /** Where it is: a variable, or what a file says that a variable names. */
    readonly where: ReadonlyArray<string>
    /** What of it this process has. */
    readonly here: () => Promise<ReadonlyArray<string | undefined>>
    /** Variables that name a file which was made for the program. */
    readonly files: ReadonlyArray<string>
    /** Variables that the program is given where nothing is secret. */
    readonly plain: ReadonlyArray<string>
  }
  /** With what is in this process's environment: does the right that was asked for work? */
  readonly call: (asked: Ask) => Promise<Called>
  /** Rights of requests in the platform's truth (`GET /_wire/state`). */
  readonly rightsIn: (state: string) => ReadonlyArray<Right>
  /** How steps are broken here, where that differs from platform to platform. */
  readonly sabotages: Readonly<Record<number, Sabotage>>
}

/** For a sabotage: the wire server refuses an operation from now on. */
export const denying = (operation: string): Knock => ({
  door: "faults",
  body: { operation, fault: { kind: "deny" }, times: 1000 }
})

/** For a sabotage of step 7. */
export const leaking: Sabotage = {
  what: "a CLI that hands the credentials to its child on the command line",
  cliLoads: "leaking-spawn.mjs"
}
