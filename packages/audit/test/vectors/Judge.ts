/** What a verifier says of a case of `Evidence.ts`, in the words of the list. */
import { existsSync, readFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type * as library from "../../src/verify.ts"
import type { Case, Outcome } from "./Evidence.ts"
import { pathOf } from "./Evidence.ts"

const directory = new URL("evidence/", import.meta.url)
export const file = (path: string): Buffer => readFileSync(new URL(path, directory))
export const list: ReadonlyArray<Case> = JSON.parse(file("evidence.json").toString())

/** What is judged with: the library, or one with a fault. */
export type Verifier = Pick<
  typeof library,
  "Checkpoint" | "LogKey" | "Receipt" | "explain" | "verifyExport" | "verifyTiles"
>

const inWords = (verifier: Verifier, verdict: library.Verdict): Outcome =>
  verdict._tag === "Intact"
    ? { verdict: "intact", entries: verdict.entries, signed: verdict.tree?.signed ?? 0 }
    : { verdict: "broken", seq: verdict.seq, why: verdict.why, layer: verifier.explain(verdict).layer }

/** Judges one case, with an export read `size` bytes at a time. */
export const judge = Effect.fnUntraced(function* (verifier: Verifier, one: Case, size = 1 << 20) {
  const trust = { keys: Result.getOrThrow(verifier.LogKey.parse(file(one.keys).toString())) }
  const seen = one.seen === undefined ? [] : [yield* verifier.Checkpoint.verify(file(one.seen).toString(), trust)]
  const checkpoints = seen.length === 0 ? {} : { checkpoints: seen }
  if (one.kind === "receipt") {
    return yield* verifier.Receipt.verify(file(pathOf(one)).toString(), trust).pipe(
      Effect.match({
        onFailure: ({ reason }): Outcome => ({ verdict: "refused", reason }),
        onSuccess: ({ seq }): Outcome => ({ verdict: "proved", seq })
      })
    )
  }
  const bytes = one.kind === "export" ? file(pathOf(one)) : Buffer.alloc(0)
  const verdict =
    one.kind === "export"
      ? verifier.verifyExport(
          Stream.fromArray(
            Array.from({ length: Math.ceil(bytes.length / size) }, (_, at) =>
              bytes.subarray(at * size, (at + 1) * size)
            )
          ),
          { trust, ...checkpoints }
        )
      : verifier.verifyTiles(
          (path) =>
            Effect.sync(() => {
              const from = `${pathOf(one)}/${path}`
              return existsSync(new URL(from, directory)) ? file(from) : undefined
            }),
          { trust, ...checkpoints }
        )
  return yield* Effect.match(verdict, {
    onFailure: (): Outcome => ({ verdict: "notChecked" }),
    onSuccess: (found) => inWords(verifier, found)
  })
})
