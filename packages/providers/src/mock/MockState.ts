/**
 * The mock platform's truth: a log of what happened, folded.
 *
 * 1. One JSON object per line, appended with a single write to a file opened for appending, so that processes that
 *    share it need no lock and a killed one leaves whole lines.
 * 2. The first `granted` line of a request id wins; a later one while it lives changes nothing, one after `ended` brings
 *    the same right to life again, until the same `notAfter`.
 * 3. What counts is what stands in the file: after appending, a writer reads back what its line became.
 *
 * The file holds the mock's session tokens, which open nothing; it is created for its owner only all the same.
 */
import { closeSync, existsSync, openSync, readSync, writeSync } from "node:fs"
import type { Time } from "@jitsudo/core"

export interface MockGrant {
  readonly requestId: string
  readonly resourceKey: string
  readonly role: string
  readonly resourceScope: string
  readonly subject: string
  readonly issuedAt: Time.Time
  readonly notAfter: Time.Time
  readonly token: string
  /** Which jitsudo it was granted for; absent where none was named. */
  readonly installation?: string
  /** Null while nobody ended it. */
  readonly endedAt: Time.Time | null
  /** 2 or more: a grant took effect after an end. */
  readonly lives: number
}

export type MockEvent =
  | ({ readonly kind: "granted" } & Omit<MockGrant, "endedAt" | "lives">)
  | { readonly kind: "ended"; readonly requestId: string; readonly at: Time.Time }
  | { readonly kind: "fault"; readonly id: string }

const apply = (grants: Map<string, MockGrant>, faults: Map<string, number>, event: MockEvent): void => {
  switch (event.kind) {
    case "granted": {
      const old = grants.get(event.requestId)
      if (old === undefined) {
        const { kind: _, ...grant } = event
        grants.set(event.requestId, { ...grant, endedAt: null, lives: 1 })
      } else if (old.endedAt !== null) {
        grants.set(event.requestId, { ...old, endedAt: null, lives: old.lives + 1 })
      }
      return
    }
    case "ended": {
      const old = grants.get(event.requestId)
      if (old !== undefined && old.endedAt === null) grants.set(event.requestId, { ...old, endedAt: event.at })
      return
    }
    case "fault":
      faults.set(event.id, (faults.get(event.id) ?? 0) + 1)
  }
}

export interface MockState {
  readonly append: (event: MockEvent) => void
  readonly grants: () => ReadonlyMap<string, MockGrant>
  /** How often a fault of the control file was used. */
  readonly faultUses: (id: string) => number
}

/** The truth in memory, for one process. */
export const inMemory = (): MockState => {
  const grants = new Map<string, MockGrant>()
  const faults = new Map<string, number>()
  return {
    append: (event) => apply(grants, faults, event),
    grants: () => grants,
    faultUses: (id) => faults.get(id) ?? 0
  }
}

/** The truth in `file`, which is created when it is missing. */
export const inFile = (file: string): MockState => {
  const grants = new Map<string, MockGrant>()
  const faults = new Map<string, number>()
  let read = 0
  let rest = Buffer.alloc(0)

  const append = (event: MockEvent): void => {
    const descriptor = openSync(file, "a", 0o600)
    try {
      writeSync(descriptor, `${JSON.stringify(event)}\n`)
    } finally {
      closeSync(descriptor)
    }
  }

  const catchUp = (): void => {
    if (!existsSync(file)) return
    const descriptor = openSync(file, "r")
    try {
      const chunk = Buffer.alloc(65_536)
      for (let length = readSync(descriptor, chunk, 0, chunk.length, read); length > 0;) {
        read += length
        rest = Buffer.concat([rest, chunk.subarray(0, length)])
        length = readSync(descriptor, chunk, 0, chunk.length, read)
      }
    } finally {
      closeSync(descriptor)
    }
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      const event: MockEvent = JSON.parse(rest.subarray(0, end).toString("utf8"))
      rest = rest.subarray(end + 1)
      apply(grants, faults, event)
    }
  }

  return {
    append,
    grants: () => {
      catchUp()
      return grants
    },
    faultUses: (id) => {
      catchUp()
      return faults.get(id) ?? 0
    }
  }
}

/** Every grant in a state file: the truth with which a test compares what the daemon believes. */
export const readTruth = (file: string): ReadonlyArray<MockGrant> => [...inFile(file).grants().values()]

/** Whether the platform lets it through at `now`. */
export const isAlive = (grant: MockGrant, now: number, nativeExpiry = true): boolean =>
  grant.endedAt === null && (!nativeExpiry || now < grant.notAfter)
