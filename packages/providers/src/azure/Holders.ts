/**
 * Who holds a right, from the marks at Azure and from the neighbours that the engine names.
 *
 * 1. The marks are the truth about what was written. A neighbour that has ended, or is being ended, holds nothing.
 * 2. A neighbour that is active and has a reference holds the right even where somebody removed its mark: ending one
 *    grant must not cut another off.
 * 3. A mark that no neighbour stands for (another installation's, a forgotten request's) counts until its own end.
 */
import type { Provider, Time } from "@jitsudo/core"
import * as Mark from "./Mark.ts"
import * as Right from "./Right.ts"

export interface Asking {
  readonly requestId: string
  readonly now: Time.Time
  readonly neighbours: ReadonlyArray<Provider.Neighbour>
}

/** Everybody but the asking request that still holds the right. */
export const others = (
  { neighbours, now, requestId }: Asking,
  right: Right.Right,
  marks: Mark.Marks
): ReadonlyArray<Mark.Holder> => {
  const states = new Map(neighbours.map((one) => [one.requestId, one.state]))
  const kept = new Map<string, Mark.Holder>()
  for (const holder of marks.holders) {
    const state = states.get(holder.requestId) ?? "active"
    if (holder.requestId !== requestId && state === "active" && now < holder.until) kept.set(holder.requestId, holder)
  }
  for (const one of neighbours) {
    if (one.state !== "active" || one.requestId === requestId || kept.has(one.requestId)) continue
    const reference = Right.fromReference(one.requestId, one.reference)
    if (reference === null || !Right.isSame(reference.right, right) || reference.until <= now) continue
    kept.set(one.requestId, { requestId: one.requestId, installation: null, until: reference.until })
  }
  return [...kept.values()]
}

/** The names that the right's assignment may have, the one that follows from this request first. */
export const names = (
  { neighbours, requestId }: Asking,
  right: Right.Right,
  own: Right.Reference | null
): ReadonlyArray<string> => {
  const known = neighbours.flatMap((one) => {
    const reference = Right.fromReference(one.requestId, one.reference)
    return reference !== null && Right.isSame(reference.right, right) ? [reference.assignment] : []
  })
  return [...new Set([Mark.guidOf(requestId), ...(own === null ? [] : [own.assignment]), ...known])]
}
