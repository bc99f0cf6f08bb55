/** Random games against the rule book: what must hold, holds after every move; and a broken rule book is seen. */
import { assert, describe, it } from "@effect/vitest"
import { sound, Game, type Move, type RuleBook } from "./support/RuleBook.ts"
import { violations, type Violation } from "./support/RuleBookInvariants.ts"
import { mutants } from "./support/RuleBookMutants.ts"
import { states, terminal, type State } from "../src/Request.ts"

const full = process.env["JITSUDO_TEST_FULL"] === "1"
const games = full ? 40_000 : 3_000
const movesPerGame = 40
/** A request that is over stays over: a few moves show it. */
const movesAfterTheEnd = 10

interface Found {
  /** All that the move broke. */
  readonly broken: ReadonlyArray<Violation>
  readonly seed: number
  readonly step: number
  readonly command: string
  readonly move: Move
}

interface Played {
  readonly moves: number
  readonly reached: ReadonlyMap<State, number>
  readonly events: ReadonlyMap<string, number>
  readonly found: Found | undefined
}

/** Plays until something breaks, or all games are over. */
const play = (book: RuleBook, seeds: number, first = 1): Played => {
  const reached = new Map<State, number>()
  const events = new Map<string, number>()
  let moves = 0
  for (let seed = first; seed < first + seeds; seed++) {
    const game = new Game(book, seed)
    const seen = new Set<State>()
    let over = 0
    for (let step = 0; step < movesPerGame && over < movesAfterTheEnd; step++) {
      const move = game.move()
      moves += 1
      for (const event of move.events) events.set(event.type, (events.get(event.type) ?? 0) + 1)
      if (move.after !== undefined) {
        seen.add(move.after.state)
        if (terminal.has(move.after.state)) over += 1
      }
      const broken = violations(move)
      if (broken.length > 0) {
        return { moves, reached, events, found: { broken, seed, step, command: move.command.type, move } }
      }
    }
    for (const state of seen) reached.set(state, (reached.get(state) ?? 0) + 1)
  }
  return { moves, reached, events, found: undefined }
}

const told = (found: Found | undefined): string =>
  found === undefined
    ? ""
    : `seed ${found.seed}, move ${found.step}, ${found.command}: ` +
      `${found.broken.map((one) => `${one.invariant}: ${one.why}`).join("; ")}\n` +
      JSON.stringify({ before: found.move.before, events: found.move.events }, null, 1)

describe("the rule book", () => {
  it("keeps every invariant over random sequences of commands", () => {
    const { events, found, moves, reached } = play(sound, games)
    // oxlint-disable-next-line no-console -- the count is part of the result
    console.log(`rule book: ${games} sequences, ${moves} commands`)
    assert.isUndefined(found, told(found))
    assert.isAtLeast(games, full ? 10_000 : 1_500)
    assert.isAtLeast(moves, games * 10)
    for (const state of states)
      assert.isAtLeast(reached.get(state) ?? 0, games / 200, `${state} was hardly ever reached`)
    for (const type of [
      "Rerouted",
      "DecisionStruck",
      "Waiting",
      "Escalated",
      "GrantArrivedLate",
      "SweptAgain",
      "ReviewClosed"
    ]) {
      assert.isAtLeast(events.get(type) ?? 0, 10, `${type} hardly ever happened`)
    }
  })
})

describe("a rule book that", () => {
  for (const { book, caughtBy, name } of mutants) {
    it(`${name} is caught by "${caughtBy}"`, () => {
      const { found } = play(book, 8_000)
      assert.isDefined(found, "nothing noticed")
      assert.include(
        found.broken.map((one) => one.invariant),
        caughtBy,
        told(found)
      )
    })
  }
})
