/**
 * Checks a chain entry by entry, in constant memory.
 *
 * 1. Every byte of payload, hashes, position, texts and columns that is given to `push` is compared with something that
 *    the hashes fix; nothing given is ignored.
 * 2. The first thing that is wrong is the verdict; nothing after it is believed.
 * 3. What cannot be named at once (a gap may be a missing or a displaced entry; a wrong hash may be the fault of payload
 *    or hash) is named with the help of what follows. At most `lookAhead` entries are read for it, none is kept.
 *
 * A chain alone cannot show that its end was cut off, or that all of it was made anew: that takes a head seen earlier
 * (`known`), or a signed tree (`tree`), which the attacker could not change.
 */
import type { AuditChain } from "@jitsudo/core"
import { genesis, isHash, isSalt, leafOf, link, linkOf, textHashOf } from "./Chain.ts"
import * as Frontier from "./Frontier.ts"
import type { Head as Tree } from "./Merkle.ts"
import type { Payload } from "./Payload.ts"
import { disagreement, isCanonical, read } from "./Payload.ts"
import type { Broken, Layer, TreeFound, Verdict, Why } from "./Verdict.ts"

/** An entry as far as it is evidence. May be hostile. */
export type Evidence = Omit<AuditChain.Entry, "id">

export interface Options {
  /** The head before the first entry to check; the empty log if absent. What lies before is taken on trust. */
  readonly start?: AuditChain.Head
  /**
   * The entries given begin at `start.seq` or earlier: those before it are passed over, and the one at `start.seq` must
   * have `start.hash`. Otherwise they begin right behind it.
   */
  readonly startIncluded?: boolean
  /** Heads seen earlier, or anchored elsewhere: each at or behind `start` must be found. */
  readonly known?: ReadonlyArray<AuditChain.Head>
  /** Absent: no tree is computed. */
  readonly tree?: TreeOptions
  /** Whether each payload must be the canonical text of what it says. */
  readonly canonical?: boolean
}

export interface TreeOptions {
  /** The tree before the first entry that is given; the empty one if absent. Right only if a checkpoint then fits. */
  readonly before?: Frontier.State
  /** Trees that somebody trustworthy signed: each at or behind `before` must be found. */
  readonly known?: ReadonlyArray<Tree>
}

export interface ChainVerifier {
  /** The next entry. A verdict ends the verification: give no more. */
  readonly push: (entry: Evidence) => Broken | undefined
  /** In the place of the next entry stands something that is none, or the source ended where it must not. */
  readonly fail: (why: "malformed" | "truncated", expected: string, found: string) => Broken
  /** There is nothing more. `head` is what the source claims as its end. */
  readonly finish: (head?: AuditChain.Head) => Verdict
  /** The last entry that was checked. */
  readonly head: () => AuditChain.Head
  /** A checkpoint stands here among the entries, and says this of those before it. Not to be asked without `tree`. */
  readonly checkpoint: (tree: Tree) => Broken | undefined
  /** The log's key signed a checkpoint that `checkpoint` was told of. */
  readonly signed: () => void
}

/** How far a gap is followed to tell a displaced entry from a missing one. */
const lookAhead = 1_000

type Suspicion =
  /** Entries `from` to `to` were passed over; the first may still come. */
  | { readonly kind: "gap"; readonly to: number; looked: number }
  /** The hash at `seq` is not that of the payload. */
  | { readonly kind: "altered"; readonly seq: number; readonly computed: string; readonly stored: string }

export const make = (options: Options = {}): ChainVerifier => {
  const start = options.start ?? { seq: 0, hash: genesis }
  if (!Number.isSafeInteger(start.seq) || start.seq < 0 || !isHash(start.hash)) {
    throw new RangeError(`no head to start from: ${start.seq} ${start.hash}`)
  }
  const known = new Map<number, string>()
  let contradiction: AuditChain.Head | undefined
  for (const head of options.known ?? []) {
    if (head.seq < start.seq) continue
    if ((known.get(head.seq) ?? head.hash) !== head.hash) contradiction ??= head
    known.set(head.seq, head.hash)
  }

  let passing = options.startIncluded === true && start.seq > 0
  let seq = start.seq
  let hash = start.hash
  let entries = 0
  let texts = 0
  let redacted = 0
  let heads = 0
  let suspicion: Suspicion | undefined

  const before = options.tree?.before ?? Frontier.empty
  const tree = options.tree === undefined ? undefined : Frontier.make(before)
  const trees = new Map<number, string>()
  let fork: Tree | undefined
  for (const one of options.tree?.known ?? []) {
    if (one.size < before.size) continue
    if ((trees.get(one.size) ?? one.root) !== one.root) fork ??= one
    trees.set(one.size, one.root)
  }
  let fitting = before.size
  let treesFound = 0
  let checkpoints = 0
  let signed = 0
  let leaf = ""

  const broken = (
    at: number,
    why: Why,
    expected: string,
    found: string,
    more: { readonly layer?: Layer; readonly since?: number } = {}
  ): Broken => ({
    _tag: "Broken",
    seq: at,
    why,
    expected: expected.slice(0, 200),
    found: found.slice(0, 200),
    entries,
    ...more
  })

  /** Why the tree as it is cannot be the one with `root`. */
  const otherTree = (root: string, layer: Layer): Broken | undefined => {
    const head = tree?.head()
    if (head === undefined || head.root === root) {
      fitting = head?.size ?? fitting
      return undefined
    }
    const since = { layer, since: Math.min(fitting + 1, head.size) }
    return broken(head.size, "root-mismatch", `the tree of ${head.size} entries with root ${root}`, head.root, since)
  }

  const checkTree = (): Broken | undefined => {
    const size = tree?.size()
    const root = size === undefined ? undefined : trees.get(size)
    if (size === undefined || root === undefined) return undefined
    trees.delete(size)
    treesFound++
    return otherTree(root, "consistency")
  }

  /** The next leaf of the tree, which an entry that is passed over has too. */
  const grow = (at: number, next: string): Broken | undefined => {
    if (tree === undefined || at <= before.size) return undefined
    if (at !== tree.size() + 1) return broken(tree.size() + 1, "missing", `entry ${tree.size() + 1}`, `entry ${at}`)
    tree.append(next)
    return checkTree()
  }

  const checkKnown = (at: number, is: string): Broken | undefined => {
    const expected = known.get(at)
    if (expected === undefined) return undefined
    known.delete(at)
    heads++
    return expected === is ? undefined : broken(at, "head-mismatch", expected, is)
  }

  /** Nothing is passed over to reach it, so `start` itself is held against the known heads before anything else. */
  const atStart = (passing ? undefined : checkKnown(start.seq, start.hash)) ?? checkTree()

  const checkTexts = (at: number, payload: Payload, given: Evidence["texts"]): Broken | undefined => {
    const open = new Set(payload.textHashes)
    for (const { hash: textHash, salt, text } of given) {
      if (!isSalt(salt) || !text.isWellFormed()) {
        return broken(at, "text-edited", "a salt of 32 hexadecimal digits and well-formed text", JSON.stringify(salt))
      }
      const computed = textHashOf(salt, text)
      if (computed !== textHash) return broken(at, "text-edited", `the text with hash ${textHash}`, `hash ${computed}`)
      if (!open.delete(textHash)) return broken(at, "text-edited", "a text of this entry", `the text ${textHash}`)
      texts++
    }
    redacted += open.size
    return undefined
  }

  /** What follows the link: the entry hangs together, is it also one? */
  const checkContent = (entry: Evidence): Broken | undefined => {
    const payload = read(entry.payload)
    if ("why" in payload) return broken(entry.seq, "malformed", "a payload of format 1", payload.why)
    if (options.canonical === true && !isCanonical(entry.payload)) {
      return broken(entry.seq, "malformed", "the canonical text (RFC 8785) of what it says", entry.payload)
    }
    if (entry.columns !== undefined) {
      const differ = disagreement(payload, entry.columns)
      if (differ !== null) return broken(entry.seq, "columns-disagree", differ.expected, differ.found)
    }
    return payload.textHashes.length === 0 && entry.texts.length === 0
      ? undefined
      : checkTexts(entry.seq, payload, entry.texts)
  }

  /** With `next`, the entry after it if there is one, and `head`, what the source claims as its end. */
  const resolve = (is: Suspicion, next: Evidence | undefined, head?: AuditChain.Head): Broken | undefined => {
    if (is.kind === "altered") {
      const followed = next === undefined ? head?.seq === is.seq && head.hash : next.seq === is.seq + 1 && next.prevHash
      return followed === is.computed
        ? broken(is.seq, "hash-edited", is.computed, is.stored)
        : broken(is.seq, "payload-edited", `the payload with hash ${is.stored}`, `hash ${is.computed}`)
    }
    if (next !== undefined && next.seq > seq && next.seq <= is.to) {
      return broken(next.seq, "reordered", `entry ${seq + 1} behind entry ${seq}`, `entry ${is.to + 1}`)
    }
    if (next !== undefined && is.looked++ < lookAhead) return undefined
    return broken(seq + 1, "missing", `entry ${seq + 1}`, `entry ${is.to + 1}`)
  }

  const checkLink = (entry: Evidence): Broken | undefined => {
    if (entry.prevHash !== hash) return broken(entry.seq, "prev-mismatch", hash, entry.prevHash)
    if (!entry.payload.isWellFormed()) {
      // UTF-8 would put U+FFFD in its place, and the hash might fit.
      return broken(entry.seq, "payload-edited", `the payload with hash ${entry.hash}`, "a lone surrogate")
    }
    leaf = tree === undefined ? "" : leafOf(entry.payload)
    const computed = tree === undefined ? link(hash, entry.seq, entry.payload) : linkOf(hash, entry.seq, leaf)
    if (entry.hash !== computed) suspicion = { kind: "altered", seq: entry.seq, computed, stored: entry.hash }
    return undefined
  }

  const pass = (entry: Evidence): Broken | undefined => {
    if (entry.seq > start.seq) {
      passing = false
      return broken(start.seq, "missing", `entry ${start.seq}`, `entry ${entry.seq}`)
    }
    const grown = tree === undefined ? undefined : grow(entry.seq, leafOf(entry.payload))
    if (grown !== undefined || entry.seq < start.seq) return grown
    passing = false
    if (entry.hash !== start.hash) return broken(start.seq, "head-mismatch", start.hash, entry.hash)
    return checkKnown(start.seq, entry.hash)
  }

  const push = (entry: Evidence): Broken | undefined => {
    if (!Number.isSafeInteger(entry.seq) || entry.seq < 1) {
      return fail("malformed", "a sequence number from 1", `${entry.seq}`)
    }
    if (suspicion !== undefined) return resolve(suspicion, entry)
    if (passing) return pass(entry)
    if (atStart !== undefined) return atStart
    if (entry.seq <= start.seq) return broken(entry.seq, "reordered", `entry ${seq + 1}`, `entry ${entry.seq}`)
    if (entry.seq <= seq) return broken(entry.seq, "duplicate", `entry ${seq + 1}`, `entry ${entry.seq}`)
    if (entry.seq > seq + 1) {
      suspicion = { kind: "gap", to: entry.seq - 1, looked: 0 }
      return undefined
    }
    const unlinked = checkLink(entry)
    if (unlinked !== undefined || suspicion !== undefined) return unlinked
    const wrong = checkKnown(entry.seq, entry.hash) ?? checkContent(entry)
    if (wrong !== undefined) return wrong
    const grown = grow(entry.seq, leaf)
    if (grown !== undefined) return grown
    seq = entry.seq
    hash = entry.hash
    entries++
    return undefined
  }

  const checkpoint = (of: Tree): Broken | undefined => {
    // An entry is in doubt, and what follows it says how: this says nothing any more.
    if (suspicion !== undefined) return undefined
    const head = tree?.head()
    if (head === undefined || of.size !== head.size) {
      return fail("malformed", `a checkpoint of the ${head?.size ?? 0} entries before it`, `one of size ${of.size}`)
    }
    checkpoints++
    return otherTree(of.root, "tree")
  }

  const treeFound = (): { readonly tree?: TreeFound } =>
    tree === undefined
      ? {}
      : { tree: { head: tree.head(), frontier: tree.state(), known: treesFound, checkpoints, signed } }

  const fail = (why: "malformed" | "truncated", expected: string, found: string): Broken =>
    (suspicion === undefined ? atStart : resolve(suspicion, undefined)) ?? broken(seq + 1, why, expected, found)

  const finish = (head?: AuditChain.Head): Verdict => {
    const doubted = suspicion === undefined ? undefined : resolve(suspicion, undefined, head)
    if (doubted !== undefined) return doubted
    if (passing) return broken(start.seq, "truncated", `entry ${start.seq}`, "the end")
    if (atStart !== undefined) return atStart
    if (contradiction !== undefined) {
      return broken(contradiction.seq, "head-mismatch", contradiction.hash, "another known head of the same size")
    }
    if (head !== undefined) {
      if (head.seq > seq) return broken(seq + 1, "truncated", `entries up to ${head.seq}`, `the end at ${seq}`)
      if (head.seq < seq) return broken(seq, "head-mismatch", `the end at ${head.seq}`, `entry ${seq}`)
      if (head.hash !== hash) return broken(seq, "head-mismatch", head.hash, hash)
    }
    if (fork !== undefined) {
      return broken(fork.size, "forked", `the tree with root ${fork.root}`, "another known tree of the same size")
    }
    const treeBeyond = Math.max(...trees.keys(), tree?.size() ?? 0)
    if (tree !== undefined && treeBeyond > tree.size()) {
      const cut = `the end at ${tree.size()}`
      return broken(tree.size() + 1, "truncated", `entries up to ${treeBeyond}`, cut, { layer: "consistency" })
    }
    const beyond = Math.max(...known.keys(), seq)
    if (beyond > seq) return broken(seq + 1, "truncated", `entries up to ${beyond}`, `the end at ${seq}`)
    return {
      _tag: "Intact",
      from: start.seq + 1,
      to: seq,
      head: { seq, hash },
      entries,
      texts,
      redacted,
      heads,
      ...treeFound()
    }
  }

  return {
    push,
    fail,
    finish,
    head: () => ({ seq, hash }),
    checkpoint,
    signed: () => {
      signed++
    }
  }
}
