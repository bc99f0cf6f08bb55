/**
 * Faults for a mock in another process: a JSON file that is read before each call.
 *
 * A fault is due for the first `times` calls of its operation (and of its request, where it names one), counted over
 * all processes in the state file under the fault's `id`. `holdBefore` and `holdAfter` last while the file names them.
 * A crash test kills or stops a process at a chosen point with `kill…` and `stop…`, or holds it there and does so from
 * outside.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const MockFault = Schema.Struct({
  id: Schema.NonEmptyString,
  operation: Schema.Literals(["check", "grant", "end", "inspect", "list"]),
  kind: Schema.Literals([
    /** Refused, nothing happened. */
    "failBefore",
    /** Performed, then an error. */
    "failAfter",
    /** Performed, then the connection breaks. */
    "loseAnswer",
    /** Never performed, never answered. */
    "hangBefore",
    /** Performed, never answered. */
    "hangAfter",
    "throttle",
    /** Waits while the file names it, then is performed. */
    "holdBefore",
    /** Performed, answers when the file no longer names it. */
    "holdAfter",
    /** SIGKILL to its own process. */
    "killBefore",
    "killAfter",
    /** SIGSTOP to its own process; goes on when somebody sends SIGCONT. */
    "stopBefore",
    "stopAfter"
  ]),
  times: Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(1))),
  requestId: Schema.optionalKey(Schema.String)
})
export type MockFault = typeof MockFault.Type

export const MockControl = Schema.Struct({
  latencyMillis: Schema.Int.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(0))),
  faults: Schema.Array(MockFault).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed([])))
})
export type MockControl = typeof MockControl.Type

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(MockControl), { onExcessProperty: "error" })

const none: MockControl = { latencyMillis: 0, faults: [] }

/** What the file says now; nothing when there is no file. Throws when it is not a control file. */
export const readControl = (file: string): MockControl => (existsSync(file) ? decode(readFileSync(file, "utf8")) : none)

/** Replace the file in one step, so that no call reads half of it. */
export const writeControl = (file: string, control: Partial<MockControl>): void => {
  const next = `${file}.next`
  writeFileSync(next, `${JSON.stringify({ ...none, ...control })}\n`, { mode: 0o600 })
  renameSync(next, file)
}
