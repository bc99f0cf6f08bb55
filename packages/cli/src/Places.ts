/** Where things are kept, as XDG says: configuration, and state (credentials, heads that were seen). */
import * as Effect from "effect/Effect"
import { isAbsolute, join } from "node:path"
import { Io } from "./Io.ts"

export interface Places {
  /** Named contexts; nothing secret. */
  readonly config: string
  readonly configLock: string
  readonly credentials: (context: string) => string
  readonly credentialsLock: (context: string) => string
  /** The newest audit head seen of a server. */
  readonly head: (server: string) => string
  readonly state: string
}

export const places: Effect.Effect<Places, never, Io> = Effect.map(Io, ({ env, home }) => {
  // As the specification wants, relative paths do not count.
  const under = (name: string, otherwise: string): string => {
    const set = env[name] ?? ""
    return join(isAbsolute(set) ? set : join(home, otherwise), "jitsudo")
  }
  const config = under("XDG_CONFIG_HOME", ".config")
  const state = under("XDG_STATE_HOME", join(".local", "state"))
  const credentials = join(state, "credentials")
  return {
    config: join(config, "config.yaml"),
    configLock: join(config, "config.lock"),
    credentials: (context) => join(credentials, `${context}.json`),
    credentialsLock: (context) => join(credentials, `${context}.lock`),
    head: (server) => join(state, "heads", `${encodeURIComponent(server)}.json`),
    state
  }
})
