/** One line at the bottom of the terminal that is written over; where nobody looks, a line for each news. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Ref from "effect/Ref"
import { Invocation } from "./Invocation.ts"
import { Io } from "./Io.ts"
import type { Paint } from "./Terminal.ts"
import { cut, paintFor, safe } from "./Terminal.ts"

/** What the line says at a point in time (a countdown changes by itself), in parts, the first of them coloured. */
export type Saying = (now: number) => ReadonlyArray<string>

export interface LiveLine {
  /** Whether it is written over. Elsewhere every news is a line that stays. */
  readonly isLive: boolean
  readonly show: (saying: Saying) => Effect.Effect<void>
  /** Makes room for a line of the answer. */
  readonly clear: Effect.Effect<void>
}

const hideCursor = "\u001b[?25l"
const showCursor = "\u001b[?25h"
const clearLine = "\r\u001b[2K"

const render = (parts: ReadonlyArray<string>, paint: Paint, columns: number): string => {
  const [head = "", ...rest] = parts.filter((part) => part !== "").map(safe)
  const tail = rest.map((part) => `  ${part}`).join("")
  return paint(head, "bold") + cut(tail, Math.max(1, columns - head.length - 1))
}

/** Cleans up however its scope ends: the line is gone and the cursor back. */
export const make = Effect.gen(function* () {
  const io = yield* Io
  const { quiet } = yield* Invocation
  const paint = paintFor(io, "stderr")
  const saying = yield* Ref.make<Saying>(() => [])

  if (quiet) return { isLive: false, show: () => Effect.void, clear: Effect.void } satisfies LiveLine
  if (!io.isTty.stderr || io.env["TERM"] === "dumb") {
    const said = yield* Ref.make("")
    return {
      isLive: false,
      clear: Effect.void,
      // A countdown is no news: only the first part and what people must do.
      show: (next) =>
        Effect.gen(function* () {
          const line = next(yield* Clock.currentTimeMillis)
            .slice(0, 2)
            .filter((part) => part !== "")
            .map(safe)
            .join("  ")
          if ((yield* Ref.getAndSet(said, line)) !== line) yield* io.err(`${line}\n`)
        })
    } satisfies LiveLine
  }

  const draw = Effect.gen(function* () {
    const parts = (yield* Ref.get(saying))(yield* Clock.currentTimeMillis)
    if (parts.length > 0) yield* io.err(clearLine + render(parts, paint, io.columns ?? 80))
  })
  yield* Effect.acquireRelease(io.err(hideCursor), () => io.err(clearLine + showCursor))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(Effect.sleep("1 second"), draw)))
  return {
    isLive: true,
    show: (next) => Effect.andThen(Ref.set(saying, next), draw),
    clear: io.err(clearLine)
  } satisfies LiveLine
})
