/**
 * What a signer remembers outside the database: origin, size and root of the largest tree that it signed or saw signed.
 *
 * 1. The file is on disk before a checkpoint of that size is committed, so nothing is ever published that it does not
 *    know. A signature that did not come to be committed does no harm: the tree still grows from what the file says.
 * 2. It is replaced whole. Nobody writes a smaller size but `accept`.
 *
 * A daemon whose file is gone trusts its database once more and says so; that is why it belongs on a disk that whoever
 * administers the database cannot write.
 */
import { Chain, VerifierKey } from "@jitsudo/audit"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { randomUUID } from "node:crypto"
import { mkdir, open, readFile, rename, rm } from "node:fs/promises"
import { dirname } from "node:path"

const State = Schema.Struct({
  v: Schema.Literal(1),
  origin: Schema.String.check(Schema.makeFilter((name: string) => VerifierKey.isKeyName(name))),
  size: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
  root: Schema.String.check(Schema.makeFilter((hash: string) => Chain.isHash(hash)))
})

export interface SignerState {
  readonly origin: string
  readonly size: number
  /** 64 lower-case hexadecimal digits. */
  readonly root: string
}

/** The file cannot be read or written, or holds something else. */
export class StateFailed extends Data.TaggedError("StateFailed")<{
  readonly file: string
  readonly message: string
}> {}

const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "failed"

const failed = (file: string, what: string) => (error: unknown) =>
  new StateFailed({ file, message: `cannot ${what} ${file} (${codeOf(error)}): check audit.state_file and its owner` })

const decode = Schema.decodeEffect(Schema.fromJsonString(State))

/** What the file says; none where there is no file. */
export const read = Effect.fnUntraced(function* (file: string) {
  const text = yield* Effect.tryPromise({
    try: () =>
      readFile(file, "utf8").catch((error: unknown) => {
        if (codeOf(error) === "ENOENT") return undefined
        throw error
      }),
    catch: failed(file, "read")
  })
  if (text === undefined) return Option.none<SignerState>()
  const { origin, size, root } = yield* Effect.mapError(
    decode(text),
    () =>
      new StateFailed({
        file,
        message: `${file} does not hold what a signer remembers: restore it from a copy; without one, remove it and the database is trusted once more`
      })
  )
  return Option.some<SignerState>({ origin, size, root })
})

/** Replaces the file; when this succeeds, it is on disk. */
export const write = (file: string, { origin, size, root }: SignerState): Effect.Effect<void, StateFailed> =>
  Effect.tryPromise({
    try: async () => {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      const draft = `${file}.${randomUUID()}.tmp`
      try {
        const handle = await open(draft, "wx", 0o600)
        try {
          await handle.writeFile(`${JSON.stringify({ v: 1, origin, size, root })}\n`)
          await handle.sync()
        } finally {
          await handle.close()
        }
        await rename(draft, file)
        const directory = await open(dirname(file), "r")
        try {
          await directory.sync()
        } finally {
          await directory.close()
        }
      } catch (error) {
        await rm(draft, { force: true })
        throw error
      }
    },
    catch: failed(file, "write")
  })
