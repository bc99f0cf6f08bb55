/**
 * Things by name, of which lists show what was true some calls ago: Azure's lists run behind its writes
 * (https://learn.microsoft.com/azure/role-based-access-control/troubleshooting, "Role assignment changes are not being
 * detected"). A read by name shows what is true.
 */
export interface Lagged<V> {
  readonly get: (name: string) => V | undefined
  readonly set: (name: string, value: V) => void
  readonly remove: (name: string) => void
  /** What is true. */
  readonly all: () => ReadonlyArray<V>
  /** What a list shows now. */
  readonly shown: () => ReadonlyArray<V>
}

interface Change<V> {
  readonly name: string
  readonly value: V | undefined
  /** The call from which on lists show it. */
  readonly from: number
}

/** `call` counts the calls so far; `lag` is how many more a change made now stays unseen. */
export const make = <V>(call: () => number, lag: () => number): Lagged<V> => {
  const truth = new Map<string, V>()
  const seen = new Map<string, V>()
  let waiting: ReadonlyArray<Change<V>> = []

  const settle = (): void => {
    const now = call()
    for (const { name, value } of waiting.filter(({ from }) => from <= now)) {
      if (value === undefined) seen.delete(name)
      else seen.set(name, value)
    }
    waiting = waiting.filter(({ from }) => from > now)
  }

  const change = (name: string, value: V | undefined): void => {
    waiting = [...waiting, { name, value, from: lag() === 0 ? call() : call() + lag() }]
    settle()
  }

  return {
    get: (name) => truth.get(name),
    set: (name, value) => {
      truth.set(name, value)
      change(name, value)
    },
    remove: (name) => {
      truth.delete(name)
      change(name, undefined)
    },
    all: () => [...truth.values()],
    shown: () => {
      settle()
      return [...seen.values()]
    }
  }
}
