/**
 * Files that only their owner may read: written whole or not at all, and refused when others could read or change them.
 */
import * as Effect from "effect/Effect"
import { randomBytes } from "node:crypto"
import { chmod, lstat, mkdir, open, readFile, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"
import type { Failure } from "./Failure.ts"
import { failed, reasonOf } from "./Failure.ts"

const isAbsent = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT"

const attempt = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, Failure> =>
  Effect.tryPromise({ try: run, catch: (error) => failed(`cannot ${what}: ${reasonOf(error)}`) })

/** Our directory, for its owner alone. */
export const ensureDirectory = (directory: string): Effect.Effect<void, Failure> =>
  attempt(`make ${directory}`, async () => {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 })
    // What was there before may be wider; it is ours, so it is narrowed.
    if (made === undefined) await chmod(directory, 0o700)
  })

/** Replaces the file: a reader sees the old or the new one, and a crash leaves one of them. */
export const write = (file: string, text: string): Effect.Effect<void, Failure> =>
  Effect.andThen(
    ensureDirectory(dirname(file)),
    attempt(`write ${file}`, async () => {
      const draft = `${file}.${randomBytes(6).toString("hex")}.tmp`
      try {
        const handle = await open(draft, "wx", 0o600)
        try {
          await handle.writeFile(text)
          await handle.sync()
        } finally {
          await handle.close()
        }
        await rename(draft, file)
      } catch (error) {
        await rm(draft, { force: true })
        throw error
      }
    })
  )

/** The text of a file, or null where there is none. `secret`: others must not be able to read it. */
export const read = Effect.fn("PrivateFiles.read")(function* (file: string, options: { readonly secret: boolean }) {
  const stats = yield* attempt(`read ${file}`, async () => {
    try {
      return await lstat(file)
    } catch (error) {
      if (isAbsent(error)) return null
      throw error
    }
  })
  if (stats === null) return null
  if (options.secret && process.platform !== "win32") {
    if (!stats.isFile()) return yield* failed(`${file} is not a regular file`, "remove it and sign in again")
    const others = stats.mode & 0o077
    if (others !== 0) {
      return yield* failed(
        `${file} holds a secret, and others may read or change it (mode ${(stats.mode & 0o777).toString(8).padStart(4, "0")})`,
        `if nobody else has used it: chmod 600 ${file}; else remove it and sign in again`
      )
    }
    const me = process.getuid?.()
    if (me !== undefined && stats.uid !== me) {
      return yield* failed(`${file} holds a secret and belongs to another user`, "remove it and sign in again")
    }
  }
  return yield* attempt(`read ${file}`, () => readFile(file, "utf8"))
})

export const remove = (file: string): Effect.Effect<void, Failure> =>
  attempt(`remove ${file}`, () => rm(file, { force: true }))
