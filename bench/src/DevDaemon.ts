/** `jitsudod dev` on ports that nobody else has. */
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import * as DaemonProcess from "./DaemonProcess.ts"

/** Starts it on what `directory` keeps, or begins there. Ended with the scope. */
export const start = Effect.fnUntraced(function* (program: string, directory: string) {
  const port = yield* DaemonProcess.freePort
  const issuerPort = yield* DaemonProcess.freePort
  const config = join(directory, "dev.yaml")
  // JSON is YAML.
  writeFileSync(
    config,
    JSON.stringify({
      server: { http_addr: `127.0.0.1:${port}` },
      dev: { issuer_addr: `127.0.0.1:${issuerPort}` }
    })
  )
  const daemon = yield* DaemonProcess.start({
    program,
    args: ["dev", "--data-dir", join(directory, "dev"), "--config", config, "--quiet"],
    url: `http://127.0.0.1:${port}`,
    logFile: join(directory, "dev.log")
  })
  return { ...daemon, issuerPort }
})
