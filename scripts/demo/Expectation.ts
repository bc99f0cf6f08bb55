/** What a step expects, said beside what was seen; the first that does not hold ends the demo. */

export class StepFailed extends Error {
  readonly expected: string
  readonly seen: string

  constructor(expected: string, seen: string) {
    super(`expected ${expected}; saw ${seen}`)
    this.name = "StepFailed"
    this.expected = expected
    this.seen = seen
  }
}

/** The value when it is there; otherwise the step has failed. */
export const present = <A>(value: A | undefined | null, expected: string, seen: string): A => {
  if (value === undefined || value === null) throw new StepFailed(expected, seen)
  return value
}
