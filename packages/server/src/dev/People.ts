/**
 * Who can sign in at the development issuer.
 */

export interface Person {
  /** The `sub` of their tokens. */
  readonly id: string
  readonly name: string
  readonly email: string
  readonly groups: ReadonlyArray<string>
  /** What they are in the tour. */
  readonly role: string
}

export const people = [
  { id: "alice", name: "Alice", email: "alice@example.test", groups: ["sre"], role: "on call, asks for access" },
  { id: "bob", name: "Bob", email: "bob@example.test", groups: ["sre-leads"], role: "leads the team, approves" },
  { id: "carol", name: "Carol", email: "carol@example.test", groups: ["jitsudo-admins"], role: "administers jitsudo" }
] as const satisfies ReadonlyArray<Person>

export type PersonId = (typeof people)[number]["id"]

export const personById = (id: string): Person | undefined => people.find((person) => person.id === id)

/** The groups in the tokens of the agent. */
export const agentGroups: ReadonlyArray<string> = ["agents"]
