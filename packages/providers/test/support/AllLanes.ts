/**
 * Every lane of every provider: what the `*Lanes.ts` files beside this one export. Nobody is on a list, so nobody can be
 * forgotten on one.
 */
import { readdirSync } from "node:fs"
import type { Lane } from "./Lane.ts"

const isLanes = (file: string): boolean => /^[A-Z]\w+Lanes\.ts$/u.test(file) && file !== "AllLanes.ts"

const lanesOf = (file: string, module: { readonly lanes?: ReadonlyArray<Lane> }): ReadonlyArray<Lane> => {
  if (module.lanes === undefined || module.lanes.length === 0) throw new Error(`${file} exports no lanes`)
  return module.lanes
}

/** In the order of the files' names. */
export const allLanes = async (): Promise<ReadonlyArray<Lane>> => {
  const directory = new URL(".", import.meta.url)
  const found: Array<Lane> = []
  for (const file of readdirSync(directory).filter(isLanes).sort()) {
    found.push(...lanesOf(file, await import(new URL(file, directory).href)))
  }
  return found
}
