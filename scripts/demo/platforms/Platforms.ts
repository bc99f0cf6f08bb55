/** The platforms that the tour is played on. Each is loaded when it is chosen. */
import type { Platform } from "./Platform.ts"

const all: Readonly<Record<string, () => Promise<{ readonly platform: Platform }>>> = {
  aws: () => import("./Aws.ts"),
  azure: () => import("./Azure.ts"),
  gcp: () => import("./Gcp.ts"),
  kubernetes: () => import("./Kubernetes.ts")
}

export const names: ReadonlyArray<string> = Object.keys(all)

/** Undefined when there is none of that name. */
export const load = async (name: string): Promise<Platform | undefined> => (await all[name]?.())?.platform
