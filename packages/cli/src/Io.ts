/**
 * The edge to the process: its streams, environment and terminal. Commands use this and nothing of `process`, so that
 * a test can be a terminal.
 *
 * Results go to `out`, everything that is said about them to `err`.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as NodeStream from "@effect/platform-node/NodeStream"
import { once } from "node:events"
import { createInterface } from "node:readline"
import { homedir } from "node:os"
import { failed, reasonOf } from "./Failure.ts"
import type { Failure } from "./Failure.ts"

export class Io extends Context.Service<
  Io,
  {
    readonly env: Readonly<Record<string, string | undefined>>
    readonly home: string
    readonly out: (text: string) => Effect.Effect<void>
    /** The same for what is no text, as fast as it is taken. */
    readonly outBytes: (bytes: Uint8Array) => Effect.Effect<void>
    readonly err: (text: string) => Effect.Effect<void>
    /** Whether somebody sits there. */
    readonly isTty: { readonly stdin: boolean; readonly stdout: boolean; readonly stderr: boolean }
    /** Width of the terminal; undefined where there is none, and nothing may be cut off. */
    readonly columns: number | undefined
    /** One line that somebody types; null when they close the input instead. */
    readonly readLine: Effect.Effect<string | null>
    /** Standard input to its end. */
    readonly input: Stream.Stream<Uint8Array, Failure>
  }
>()("@jitsudo/cli/Io") {
  static readonly layer: Layer.Layer<Io> = Layer.sync(Io, () => {
    const write = (stream: NodeJS.WriteStream) => (text: string) =>
      Effect.sync(() => {
        stream.write(text)
      })
    return Io.of({
      env: process.env,
      home: homedir(),
      out: write(process.stdout),
      outBytes: (bytes) =>
        Effect.promise(async () => {
          if (!process.stdout.write(bytes)) await once(process.stdout, "drain")
        }),
      err: write(process.stderr),
      isTty: { stdin: process.stdin.isTTY, stdout: process.stdout.isTTY, stderr: process.stderr.isTTY },
      // A terminal that does not know its width says 0.
      columns: process.stdout.isTTY && process.stdout.columns > 0 ? process.stdout.columns : undefined,
      readLine: Effect.callback<string | null>((resume) => {
        const lines = createInterface({ input: process.stdin, terminal: false })
        lines.once("line", (line) => {
          resume(Effect.succeed(line))
          lines.close()
        })
        lines.once("close", () => resume(Effect.succeed(null)))
        return Effect.sync(() => lines.close())
      }),
      input: NodeStream.fromReadable({
        evaluate: () => process.stdin,
        onError: (error) => failed(`cannot read standard input: ${reasonOf(error)}`)
      }).pipe(Stream.map((chunk: Uint8Array) => chunk))
    })
  })
}
