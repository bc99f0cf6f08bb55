/**
 * The providers that come with jitsudo, by the name under which a section configures them. Each is loaded when its
 * section is there, and loads its cloud's SDK when it is made: nobody needs an SDK of a cloud that they do not use.
 */
import type { OpenPlugin } from "./PluginSection.ts"
import { open } from "./PluginSection.ts"

export const builtIns: ReadonlyMap<string, () => Promise<OpenPlugin>> = new Map([
  ["aws", async () => open((await import("@jitsudo/providers/aws")).plugin)],
  ["azure", async () => open((await import("@jitsudo/providers/azure")).plugin)],
  ["azure", async () => open((await import("@jitsudo/providers/azure")).plugin)],
  ["gcp", async () => open((await import("@jitsudo/providers/gcp")).plugin)],
  ["kubernetes", async () => open((await import("@jitsudo/providers/kubernetes")).plugin)],
  ["mock", async () => open((await import("@jitsudo/providers/mock")).plugin)]
])
