/**
 * Closed-loop load: each client does one thing after the other until the time is over.
 *
 * Floors and what is compared with them are measured in turns (`inTurns`), so that a machine that slows down slows
 * both. Rates are medians over the turns; latencies are taken over all of them.
 */
import * as Effect from "effect/Effect"

export interface Load {
  readonly perSecond: number
  /** Milliseconds, in the order in which they were measured. */
  readonly latencies: ReadonlyArray<number>
}

export const percentile = (values: ReadonlyArray<number>, part: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const at = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
  if (at === undefined) throw new Error("nothing was measured")
  return at
}

export const median = (values: ReadonlyArray<number>): number => percentile(values, 0.5)

/** `once` gets the number of its client. A failure ends the measurement. */
export const closedLoop = Effect.fnUntraced(function* <E, R>(
  clients: number,
  millis: number,
  once: (client: number) => Effect.Effect<unknown, E, R>
) {
  const latencies: Array<number> = []
  const start = performance.now()
  const end = start + millis
  const client = Effect.fnUntraced(function* (number: number) {
    for (let now = performance.now(); now < end;) {
      yield* once(number)
      const done = performance.now()
      latencies.push(done - now)
      now = done
    }
  })
  yield* Effect.all(
    Array.from({ length: clients }, (_, number) => client(number)),
    { concurrency: "unbounded", discard: true }
  )
  const load: Load = { perSecond: latencies.length / ((performance.now() - start) / 1_000), latencies }
  return load
})

export interface Summary {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly count: number
}

export const summary = (loads: ReadonlyArray<Load>): Summary => {
  const latencies = loads.flatMap((load) => load.latencies)
  return {
    perSecond: median(loads.map((load) => load.perSecond)),
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    count: latencies.length
  }
}

/** Measures two things one after the other, `turns` times: the median of each is of the same minutes. */
export const inTurns = Effect.fnUntraced(function* <E1, R1, E2, R2>(
  turns: number,
  floor: Effect.Effect<Load, E1, R1>,
  subject: Effect.Effect<Load, E2, R2>
) {
  const floors: Array<Load> = []
  const subjects: Array<Load> = []
  for (let turn = 0; turn < turns; turn++) {
    floors.push(yield* floor)
    subjects.push(yield* subject)
  }
  return { floor: summary(floors), subject: summary(subjects) }
})

/** Something synchronous, as fast as it goes, in operations per second: the median of `turns` turns. */
export const hotLoop = (turns: number, millis: number, once: () => void): number => {
  const warm = performance.now() + millis / 2
  while (performance.now() < warm) for (let i = 0; i < 100; i++) once()
  return median(
    Array.from({ length: turns }, () => {
      const start = performance.now()
      let count = 0
      while (performance.now() < start + millis) {
        for (let i = 0; i < 100; i++) once()
        count += 100
      }
      return count / ((performance.now() - start) / 1_000)
    })
  )
}
