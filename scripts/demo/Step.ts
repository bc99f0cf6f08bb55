import type { World } from "./World.ts"

/** One step of the tour. */
export interface Step {
  readonly number: number
  readonly title: string
  /** Steps that it stands on. */
  readonly needs: ReadonlyArray<number>
  readonly run: (world: World) => Promise<void>
}

/** What the CLI tells about a request in JSON, as far as the steps read it. */
export interface RequestSeen {
  readonly id: string
  readonly state: string
  readonly tier: string
  readonly missing: ReadonlyArray<string>
  readonly review: { readonly closed: { readonly by: { readonly email: string } } | null } | null
}
