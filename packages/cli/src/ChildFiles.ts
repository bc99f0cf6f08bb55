/**
 * Files for one program: in a directory of its own that only the user may enter, and gone with the scope.
 *
 * In `XDG_RUNTIME_DIR` where there is one (memory that ends with the session), else in the directory for temporary files.
 * A CLI that is killed leaves them; what they hold ends with its grant.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { existsSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Failure, failed, reasonOf } from "./Failure.ts"
import { Io } from "./Io.ts"

/** Writes each text, and gives the paths by the same names. */
export const written = (
  texts: Readonly<Record<string, string>>
): Effect.Effect<Readonly<Record<string, string>>, Failure, Io | Scope.Scope> =>
  Effect.gen(function* () {
    if (Object.keys(texts).length === 0) return {}
    const { env } = yield* Io
    const runtime = env["XDG_RUNTIME_DIR"] ?? ""
    const parent = runtime !== "" && existsSync(runtime) ? runtime : env["TMPDIR"] || tmpdir()
    const attempt = <A>(run: () => Promise<A>) =>
      Effect.tryPromise({
        try: run,
        catch: (error) => failed(`cannot write the program's files below ${parent}: ${reasonOf(error)}`)
      })
    const directory = yield* Effect.acquireRelease(
      attempt(() => mkdtemp(join(parent, "jitsudo-"))),
      (made) => Effect.promise(() => rm(made, { recursive: true, force: true }))
    )
    const paths: Record<string, string> = {}
    for (const [name, text] of Object.entries(texts)) {
      const path = join(directory, name.toLowerCase())
      yield* attempt(() => writeFile(path, text, { flag: "wx", mode: 0o600 }))
      paths[name] = path
    }
    return paths
  })
