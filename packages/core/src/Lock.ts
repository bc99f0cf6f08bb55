/** Locks stop everything new on a target and end what is active. */
import type { PrincipalKey } from "./Principal.ts"
import { keyOf } from "./Principal.ts"
import type { Time } from "./Time.ts"

export type LockTarget =
  | { readonly kind: "principal"; readonly principal: PrincipalKey }
  | { readonly kind: "provider"; readonly provider: string }
  /** `*` matches any run of characters, in role and scope. */
  | { readonly kind: "role"; readonly provider: string; readonly role: string; readonly resourceScope: string }
  | { readonly kind: "everything" }

export interface Lock {
  /** `lck_` + ULID. */
  readonly id: string
  readonly target: LockTarget
  readonly reason: string
  readonly by: PrincipalKey & { readonly email: string | null }
  readonly since: Time
}

/** All locks and their one revision, which every step that could grant guards. */
export interface Locks {
  readonly revision: number
  readonly active: ReadonlyArray<Lock>
}

/** What a lock is compared with. `party` holds the marks of the requester and their owners. */
export interface Lockable {
  readonly party: ReadonlyArray<string>
  readonly provider: string
  readonly role: string
  readonly resourceScope: string
}

/** `*` matches any run of characters, everything else itself. Linear time whatever the pattern. */
export const globMatches = (pattern: string, text: string): boolean => {
  let p = 0
  let t = 0
  let star = -1
  let mark = 0
  while (t < text.length) {
    if (pattern[p] === "*") {
      star = p++
      mark = t
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++mark
    } else {
      return false
    }
  }
  while (pattern[p] === "*") p++
  return p === pattern.length
}

export const lockApplies = (lock: Lock, to: Lockable): boolean => {
  switch (lock.target.kind) {
    case "everything":
      return true
    case "principal":
      return to.party.includes(`key:${keyOf(lock.target.principal)}`)
    case "provider":
      return lock.target.provider === to.provider
    case "role":
      return (
        lock.target.provider === to.provider &&
        globMatches(lock.target.role, to.role) &&
        globMatches(lock.target.resourceScope, to.resourceScope)
      )
  }
}

/** The first lock that stands in the way, if any. */
export const lockOn = (locks: Locks, target: Lockable): Lock | undefined =>
  locks.active.find((lock) => lockApplies(lock, target))
