/**
 * Every call that reached the mock platform, for tests and drills: when, which, for which request, and how far it came.
 * It never carries credentials, reasons or metadata.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs"

export interface MockCall {
  /** Wall clock of the process, RFC 3339. */
  readonly at: string
  /** The `now` that the call carried, epoch milliseconds; null where it carries none. */
  readonly now: number | null
  readonly pid: number
  readonly operation: "check" | "grant" | "end" | "inspect" | "list"
  readonly phase: "received" | "performed" | "answered" | "failed"
  readonly requestId: string | null
  /** The reason of a failed call. */
  readonly reason?: string
}

export interface MockJournal {
  readonly write: (wallClock: number, call: Omit<MockCall, "at" | "pid">) => void
  readonly calls: () => ReadonlyArray<MockCall>
}

/** The calls in a journal file, in the order in which they reached the platform. */
export const readJournal = (file: string): ReadonlyArray<MockCall> =>
  existsSync(file)
    ? readFileSync(file, "utf8")
        .split("\n")
        .filter((line) => line !== "")
        .map((line): MockCall => JSON.parse(line))
    : []

/** A journal in `file`, or in memory when there is none. */
export const make = (file: string | undefined): MockJournal => {
  const kept: Array<MockCall> = []
  return {
    write: (wallClock, call) => {
      const line: MockCall = { at: new Date(wallClock).toISOString(), pid: process.pid, ...call }
      if (file === undefined) kept.push(line)
      else appendFileSync(file, `${JSON.stringify(line)}\n`, { mode: 0o600 })
    },
    calls: () => (file === undefined ? [...kept] : readJournal(file))
  }
}
