/** `context`: the named servers and sign-ins. */
import * as Effect from "effect/Effect"
import * as ContextsFile from "../Contexts.ts"
import * as Credentials from "../Credentials.ts"
import { failed, misused } from "../Failure.ts"
import { answerList, say } from "../Output.ts"

/** The context must be there. */
const known = Effect.fn("context.known")(function* (name: string) {
  const { named } = yield* ContextsFile.load
  if (Object.hasOwn(named, name)) return
  const names = Object.keys(named)
  return yield* misused(
    `there is no context ${JSON.stringify(name)}`,
    names.length === 0 ? "`jitsudo login --server URL` makes one" : `there are: ${names.join(", ")}`
  )
})

export const list = Effect.fn("context.list")(function* () {
  const { current, named } = yield* ContextsFile.load
  const rows = yield* Effect.forEach(Object.entries(named), ([name, { server }]) =>
    Effect.map(Credentials.load(name), (credentials) => ({
      name,
      server,
      current: name === current,
      signedIn: credentials !== null
    }))
  )
  yield* answerList(rows, {
    id: ({ name }) => name,
    columns: () => [
      { title: "", cell: (row) => (row.current ? "*" : "") },
      { title: "CONTEXT", cell: ({ name }) => name },
      { title: "SERVER", cell: ({ server }) => server },
      { title: "SIGNED IN", cell: ({ signedIn }) => (signedIn ? "yes" : "no") }
    ],
    none: "there are no contexts; `jitsudo login --server URL` makes one"
  })
})

export const use = Effect.fn("context.use")(function* (name: string) {
  yield* known(name)
  yield* ContextsFile.change((contexts) => ({ ...contexts, current: name }))
  yield* say(`context ${name} is used from now on`)
})

export const remove = Effect.fn("context.remove")(function* (name: string) {
  yield* known(name)
  if ((yield* Credentials.load(name)) !== null) {
    return yield* failed(`somebody is signed in in context ${name}`, `run \`jitsudo logout --context ${name}\` first`)
  }
  yield* ContextsFile.change(({ current, named }) => {
    const { [name]: _gone, ...rest } = named
    return { current: current === name ? undefined : current, named: rest }
  })
  yield* say(`context ${name} is gone`)
})
