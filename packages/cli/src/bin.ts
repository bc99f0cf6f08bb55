/** `jitsudo`. What answers without doing anything does so before anything is loaded. */
import { version } from "./Version.ts"

const args = process.argv.slice(2)
// `jitsudo ... | head` ends when nobody reads any more.
process.stdout.on("error", (error) => {
  if ("code" in error && error.code === "EPIPE") process.exit(0)
  throw error
})
if (args.length === 1 && (args[0] === "--version" || args[0] === "-v")) process.stdout.write(`${version}\n`)
else await import("./Run.ts").then(({ run }) => run(args))
