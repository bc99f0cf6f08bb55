/**
 * Checks a directory of tiles (c2sp.org/tlog-tiles), entry by entry, in constant memory, with the log's public key.
 *
 * 1. The checkpoint of the directory is believed first: its signature, its witnesses, and that it is no older than what
 *    is known. Everything else is held against its root.
 * 2. Tiles say which leaf stands where, so an entry that is wrong is found by its place, and by what the tree has around
 *    it: whether it was edited, taken out, put in or moved, or everything from it on was made anew.
 * 3. The chain's hash is computed along the way, so that heads seen earlier and exports can be held against it.
 *
 * Texts beside entries are not in tiles, and are not looked for.
 */
import type { AuditChain } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { genesis, leafOf, linkOf } from "./Chain.ts"
import type { Trust, Trusted } from "./Checkpoint.ts"
import * as Checkpoint from "./Checkpoint.ts"
import * as Frontier from "./Frontier.ts"
import type { Head as Tree } from "./Merkle.ts"
import { isCanonical, read as readPayload } from "./Payload.ts"
import { checkpointPath, fullWidth } from "./Tiles.ts"
import type { Broken, Layer, Verdict, Why } from "./Verdict.ts"
import { NotChecked } from "./Verdict.ts"
import type { Files, TileRefused } from "./VerifiedTiles.ts"
import * as VerifiedTiles from "./VerifiedTiles.ts"

export interface TilesOptions<E = never, R = never> {
  readonly trust: Trust
  /** Checkpoints seen earlier or anchored elsewhere, verified, of this log's origin: each must be found. */
  readonly checkpoints?: ReadonlyArray<Tree>
  /** Heads of the chain that must be found. */
  readonly known?: ReadonlyArray<AuditChain.Head>
  /** Called after every bundle. */
  readonly onProgress?: (progress: {
    readonly head: AuditChain.Head
    readonly bytes: number
  }) => Effect.Effect<void, E, R>
}

interface More {
  readonly layer?: Layer
  readonly since?: number
}

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true })

/** What was done to the entry at `at` of a bundle, from its leaves as the tree has them and as the entries make them. */
const kindOf = (at: number, expected: ReadonlyArray<string>, found: ReadonlyArray<string | undefined>): Why => {
  const here = found[at]
  if (here === undefined) return found.slice(at).every((one) => one === undefined) ? "missing" : "malformed"
  const wanted = expected[at] ?? ""
  const comesLater = found.indexOf(wanted, at + 1)
  const belongsLater = expected.indexOf(here, at + 1)
  if (comesLater === at + 1 && belongsLater === -1) return "inserted"
  if (belongsLater === at + 1 && comesLater === -1) return "missing"
  if (comesLater !== -1 || belongsLater !== -1) return "reordered"
  const others = expected.slice(at + 1)
  return others.length > 0 && others.every((leaf, index) => found[at + 1 + index] !== leaf)
    ? "rewritten"
    : "payload-edited"
}

/** Verify the log in the files of `read`. Fails with `NotChecked` when there is no checkpoint among them. */
export const verifyTiles = <E, R, E2 = never, R2 = never>(
  read: Files<E, R>,
  options: TilesOptions<E2, R2>
): Effect.Effect<Verdict, E | E2 | NotChecked, R | R2> =>
  Effect.gen(function* () {
    const note = yield* read(checkpointPath)
    if (note === undefined) {
      return yield* new NotChecked({ reason: "format", message: `no file named ${checkpointPath}: not a log in tiles` })
    }
    const checkpoint = yield* Effect.result(Checkpoint.verify(utf8.decode(note), options.trust))
    if (Result.isFailure(checkpoint)) {
      return broken(1, "checkpoint-refused", "a checkpoint that the log's key signed", checkpoint.failure.message, 0)
    }
    const older = [...(options.checkpoints ?? [])]
    return (
      contradictionOf(checkpoint.success, older) ?? (yield* verifyBundles(read, checkpoint.success, older, options))
    )
  })

const broken = (seq: number, why: Why, expected: string, found: string, entries: number, more: More = {}): Broken => ({
  _tag: "Broken",
  seq,
  why,
  expected: expected.slice(0, 200),
  found: found.slice(0, 200),
  entries,
  ...more
})

/** What can be said of a checkpoint without any tile. */
const contradictionOf = (now: Trusted, known: ReadonlyArray<Tree>): Broken | undefined => {
  for (const { root, size } of known) {
    const expected = `the tree of ${size} entries with root ${root}`
    if (size > now.size) {
      return broken(now.size + 1, "truncated", expected, `a checkpoint of ${now.size}`, 0, { layer: "consistency" })
    }
    if (size === now.size && root !== now.root) return broken(size, "forked", expected, now.root, 0, { since: 1 })
  }
  return undefined
}

const ofTile = ({ expected, found, leaf, path }: TileRefused, entries: number): Broken =>
  broken(leaf + 1, "tile-mismatch", `${path}: ${expected}`, found, entries)

const verifyBundles = Effect.fnUntraced(function* <E, R, E2, R2>(
  read: Files<E, R>,
  now: Trusted,
  older: ReadonlyArray<Tree>,
  options: TilesOptions<E2, R2>
) {
  let bytes = 0
  const counted: Files<E, R> = (path) =>
    Effect.tap(read(path), (file) =>
      Effect.sync(() => {
        bytes += file?.length ?? 0
      })
    )
  const tiles = VerifiedTiles.make(now, counted)
  const tree = Frontier.make()
  const trees = new Map(older.map(({ root, size }) => [size, root]))
  const known = new Map((options.known ?? []).map(({ hash, seq }) => [seq, hash]))
  let fitting = 0
  let head: AuditChain.Head = { seq: 0, hash: genesis }
  let knownTrees = 0
  let heads = 0

  /** What is known of the log as it is after some entry. */
  const checkKnown = (): Broken | undefined => {
    const is = trees.has(head.seq) ? tree.head() : undefined
    const root = trees.get(head.seq)
    if (is !== undefined && root !== undefined) {
      if (is.root !== root) return broken(head.seq, "forked", root, is.root, head.seq, { since: fitting + 1 })
      fitting = head.seq
      knownTrees++
    }
    const hash = known.get(head.seq)
    if (hash === undefined) return undefined
    heads++
    return hash === head.hash ? undefined : broken(head.seq, "head-mismatch", hash, head.hash, head.seq)
  }

  const checkBundle = (
    expected: ReadonlyArray<string>,
    payloads: ReadonlyArray<string | undefined>
  ): Broken | undefined => {
    const found = payloads.map((payload) => (payload === undefined ? undefined : leafOf(payload)))
    for (const [at, leaf] of expected.entries()) {
      const seq = head.seq + 1
      const payload = payloads[at]
      if (payload === undefined || found[at] !== leaf) {
        const is = found[at] === undefined ? "no entry" : `leaf ${found[at]}`
        return broken(seq, kindOf(at, expected, found), `the entry with leaf ${leaf}`, is, head.seq, { layer: "leaf" })
      }
      const entry = readPayload(payload)
      if ("why" in entry) return broken(seq, "malformed", "a payload of format 1", entry.why, head.seq)
      if (!isCanonical(payload)) {
        return broken(seq, "malformed", "the canonical text (RFC 8785) of what it says", payload, head.seq)
      }
      tree.append(leaf)
      head = { seq, hash: linkOf(head.hash, seq, leaf) }
      const wrong = checkKnown()
      if (wrong !== undefined) return wrong
    }
    return undefined
  }

  const atStart = checkKnown()
  if (atStart !== undefined) return atStart
  for (let bundle = 0; bundle * fullWidth < now.size; bundle++) {
    const both = yield* Effect.all([tiles.leaves(bundle), tiles.entries(bundle)]).pipe(
      Effect.map(([leaves, entries]) => ({ leaves, entries })),
      Effect.catch((error) =>
        error instanceof VerifiedTiles.TileRefused ? Effect.succeed(ofTile(error, head.seq)) : Effect.fail(error)
      )
    )
    const wrong = "_tag" in both ? both : checkBundle(both.leaves, both.entries)
    if (wrong !== undefined) return wrong
    if (options.onProgress !== undefined) yield* options.onProgress({ head, bytes })
  }
  const beyond = Math.max(...known.keys(), head.seq)
  if (beyond > head.seq) {
    return broken(head.seq + 1, "truncated", `entries up to ${beyond}`, `the end at ${head.seq}`, head.seq)
  }
  const verdict: Verdict = {
    _tag: "Intact",
    from: 1,
    to: head.seq,
    head,
    entries: head.seq,
    texts: 0,
    redacted: 0,
    heads,
    tree: { head: tree.head(), frontier: tree.state(), known: knownTrees, checkpoints: 1, signed: 1 }
  }
  return verdict
})
