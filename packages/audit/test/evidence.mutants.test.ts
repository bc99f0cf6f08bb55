/**
 * The verifier with one check taken out of its source, one at a time. The vectors, or a sweep over small trees, must tell
 * every one of them from the whole verifier: a check that can be taken out unnoticed protects nobody.
 *
 * The sources are stripped of their types and loaded by Node itself, each mutant as a module graph of its own.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { afterAll, assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as library from "../src/verify.ts"
import { treeOf } from "./NaiveTree.ts"
import { judge, list } from "./vectors/Judge.ts"
import { leafOf } from "../src/Chain.ts"
import * as Proofs from "../src/Proofs.ts"

const sources = fileURLToPath(new URL("../src", import.meta.url))
const cache = fileURLToPath(new URL("../../../node_modules/.cache", import.meta.url))
mkdirSync(cache, { recursive: true })
const root = mkdtempSync(join(cache, "jitsudo-mutants-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const stripped = new Map(
  readdirSync(sources).map((name) => {
    const text = stripTypeScriptTypes(readFileSync(join(sources, name), "utf8"))
    return [name.replace(/\.ts$/u, ".mjs"), text.replaceAll(/(from "\.\/\w+)\.ts"/gu, '$1.mjs"')] as const
  })
)
/** Without the last: the whole verifier. */
const load = async (name: string, file?: string, from = "", to = ""): Promise<typeof library> => {
  const directory = join(root, name)
  mkdirSync(directory)
  for (const [path, text] of stripped) {
    const mutated = path === `${file}.mjs` ? text.replace(from, () => to) : text
    writeFileSync(join(directory, path), mutated)
  }
  return import(pathToFileURL(join(directory, "verify.mjs")).href)
}

const leaves = Array.from({ length: 9 }, (_, at) => leafOf(`${at}`))
const read: Proofs.HashReader = (nodes) =>
  Effect.sync(() => nodes.map(({ index, level }) => treeOf(leaves.slice(index * 2 ** level, (index + 1) * 2 ** level))))
const head = (size: number) => ({ size, root: treeOf(leaves.slice(0, size)) })
const wrong = leafOf("wrong")

/** What the proofs of small trees, right and spoilt in every way, are taken for. */
const sweep = Effect.fnUntraced(function* ({ isConsistent, isIncluded }: typeof library.Merkle) {
  const answers: Array<boolean> = []
  for (let size = 0; size <= 8; size++) {
    for (let index = 0; index <= size; index++) {
      const proof = index === size ? [] : yield* Proofs.inclusion(index, size, read)
      const spoilt = [proof, [...proof, wrong], proof.slice(1), proof.slice(0, -1)]
      // A proof for the leaf at the same place of a larger tree begins like this one.
      if (size > 0) spoilt.push(yield* Proofs.inclusion(Math.min(index, size), size + 1, read))
      for (const one of spoilt) {
        for (const at of [index, index + 1, index + size, -1, 0.5]) {
          answers.push(isIncluded(at, head(size), leaves[index] ?? "", one))
        }
        for (const around of [
          [leaves[index] ?? "", ...one],
          [...one, leaves[index] ?? ""]
        ]) {
          answers.push(isIncluded(index, { size, root: treeOf(around) }, leaves[index] ?? "", one))
        }
      }
    }
    for (let older = 0; older <= 8; older++) {
      const proof = yield* Proofs.consistency(Math.min(older, size), Math.max(older, size), read)
      for (const one of [proof, [...proof, wrong], proof.slice(1), proof.slice(0, -1), [...proof, ...proof]]) {
        answers.push(isConsistent(head(older), head(size), one))
        answers.push(isConsistent({ size: older, root: wrong }, head(size), one))
        answers.push(isConsistent(head(older), { size, root: wrong }, one))
        const above = (of: number) => ({ size: of, root: treeOf([wrong, head(of).root]) })
        answers.push(isConsistent(above(older), above(size), [...one, wrong]))
        answers.push(isConsistent(head(older), { ...head(size), size: size * 2 }, one))
        answers.push(isConsistent({ size: older + 0.5, root: head(older).root }, head(size), one))
      }
    }
  }
  return answers
})

/** What a case, or the sweep, is answered; a verifier that breaks answers with its defect. */
const answerOf = (verifier: typeof library, shown: string): Effect.Effect<string> => {
  const one = list.find(({ name }) => name === shown)
  if (one === undefined && shown !== "the sweep") return assert.fail(`no case ${shown}`)
  const answer: Effect.Effect<unknown, unknown> = one === undefined ? sweep(verifier.Merkle) : judge(verifier, one)
  return Effect.exit(answer).pipe(Effect.map((exit) => JSON.stringify(exit)))
}

/** What it does wrong, where, what stands there and what is put there, and what must show it. */
const mutants: ReadonlyArray<readonly [string, string, string, string, string]> = [
  ["hashes nodes like leaves", "Merkle", "space[0] = 1", "space[0] = 0", "covered"],
  ["includes what is behind the end", "Merkle", "|| index >= size)", ")", "the sweep"],
  ["goes on above the root", "Merkle", "if (last === 0) return undefined", "", "the sweep"],
  ["stops below the root", "Merkle", "return last === 0 ? root : undefined", "return root", "the sweep"],
  [
    "takes any tree for itself",
    "Merkle",
    "proof.length === 0 && older.root === newer.root",
    "proof.length === 0",
    "the sweep"
  ],
  [
    "takes any proof between equals",
    "Merkle",
    "proof.length === 0 && older.root === newer.root",
    "older.root === newer.root",
    "the sweep"
  ],
  [
    "takes any root for nothing",
    "Merkle",
    "proof.length === 0 && older.root === emptyRoot",
    "proof.length === 0",
    "the sweep"
  ],
  [
    "takes any proof from nothing",
    "Merkle",
    "proof.length === 0 && older.root === emptyRoot",
    "older.root === emptyRoot",
    "the sweep"
  ],
  ["grows above the root", "Merkle", "if (last === 0) return false", "", "the sweep"],
  ["grows from below the root", "Merkle", "return last === 0 && before", "return before", "the sweep"],
  ["forgets the older root", "Merkle", "before === older.root && ", "", "the sweep"],
  ["forgets the newer root", "Merkle", " && after === newer.root", "", "the sweep"],
  ["takes parts of leaves", "Merkle", "Number.isSafeInteger(size) && ", "", "the sweep"],

  [
    "believes every signature",
    "SignedNote",
    "if (yield* Ed25519.verify(key.publicKey, message, bytes)) continue",
    "continue",
    "receipt-root"
  ],
  [
    "knows keys by name only",
    "SignedNote",
    "name === key.name && id === key.id",
    "name === key.name",
    "receipt-stranger"
  ],
  ["needs no known key", "SignedNote", "if (signed.length > 0) return signed", "return signed", "receipt-stranger"],
  [
    "reads base64 loosely",
    "StrictBase64",
    'return bytes.toString("base64") === text ? bytes : undefined',
    "return bytes",
    "receipt-base64"
  ],
  ["believes any log", "Checkpoint", "if (!origins.has(checkpoint.origin))", "if (false)", "receipt-foreign"],
  [
    "lets keys speak for any size",
    "Checkpoint",
    "signed.includes(one.key) && covers(one, checkpoint.size)",
    "signed.includes(one.key)",
    "receipt-retired"
  ],
  ["lets keys speak before their time", "LogKey", "size >= from && ", "", "covered-premature"],
  ["lets keys speak after their time", "LogKey", " && (to === undefined || size <= to)", "", "covered-retired"],

  ["never compares a root", "ChainVerifier", "head === undefined || head.root === root", "true", "covered-rewritten"],
  [
    "never looks for a known tree",
    "ChainVerifier",
    "tree.append(next)\n    return checkTree()",
    "tree.append(next)",
    "covered-rewritten-insider"
  ],
  ["needs no known tree at the end", "ChainVerifier", "treeBeyond > tree.size()", "false", "covered-truncated"],
  ["takes a checkpoint of any size", "ChainVerifier", " || of.size !== head.size", "", "covered-misplaced"],
  ["adds no entry to the tree", "ChainVerifier", "tree.append(next)", "", "covered"],
  [
    "takes checkpoints where none may be",
    "ExportVerifier",
    "covered ? decodeCheckpoint(line) : undefined",
    "decodeCheckpoint(line)",
    "covered-undeclared"
  ],
  [
    "believes the tree before a stretch",
    "ExportVerifier",
    "const hashes = header.tree ??",
    "const hashes = undefined ??",
    "covered-range"
  ],
  [
    "holds nothing against a stretch without a tree",
    "ExportVerifier",
    "if (!wanted) return {}",
    "return {}",
    "uncovered-range"
  ],
  [
    "never verifies the checkpoints of an export",
    "verify",
    "if (trust === undefined) return undefined",
    "return undefined",
    "covered-rewritten-stranger"
  ],

  ["believes every receipt", "Receipt", "if (found !== checkpoint.root)", "if (false)", "receipt-payload"],
  [
    "compares the length of a proof only",
    "Receipt",
    "if (found !== checkpoint.root)",
    "if (found === undefined)",
    "receipt-proof"
  ],
  ["takes any number for a place", "Receipt", "(0|[1-9]\\d*)", "(\\d+)", "receipt-zero"],

  ["believes any edge", "VerifiedTiles", "root !== head.root && ", "false && ", "tiles-rehashed"],
  [
    "makes no difference between leaves",
    "TilesVerifier",
    "payload === undefined || found[at] !== leaf",
    "payload === undefined",
    "tiles-edited"
  ],
  [
    "takes what is not there for right",
    "TilesVerifier",
    "if (payload === undefined || found[at] !== leaf)",
    "if (payload === undefined) continue\nif (found[at] !== leaf)",
    "tiles-cut"
  ],
  ["believes any checkpoint", "TilesVerifier", "if (Result.isFailure(checkpoint))", "if (false)", "tiles-stranger"],
  ["lets a log shrink", "TilesVerifier", "if (size > now.size)", "if (false)", "tiles-rolled-back"],
  [
    "lets a log fork at its end",
    "TilesVerifier",
    "if (size === now.size && root !== now.root)",
    "if (false)",
    "tiles-insider-same"
  ],
  ["lets a log fork before its end", "TilesVerifier", "if (is.root !== root)", "if (false)", "tiles-insider"],
  [
    "takes what was taken out for edited",
    "TilesVerifier",
    "if (belongsLater === at + 1 && comesLater === -1)",
    "if (false)",
    "tiles-removed"
  ],
  [
    "takes what was put in for edited",
    "TilesVerifier",
    "if (comesLater === at + 1 && belongsLater === -1)",
    "if (false)",
    "tiles-inserted"
  ],
  [
    "takes what was moved for edited",
    "TilesVerifier",
    "if (comesLater !== -1 || belongsLater !== -1)",
    "if (false)",
    "tiles-reordered"
  ]
]

const whole = await load("whole")

describe("the verifier as Node loads it", () => {
  for (const one of list) {
    it.effect(one.name, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* judge(whole, one), one.expected)
      })
    )
  }
})

describe("a verifier that", () => {
  for (const [index, [name, file, from, to, shown]] of mutants.entries()) {
    it.effect(`${name} is caught by ${shown}`, () =>
      Effect.gen(function* () {
        const text = stripped.get(`${file}.mjs`) ?? assert.fail(`no source ${file}`)
        assert.strictEqual(text.split(from).length - 1 > 0, true, `${file} does not say ${from}`)
        const mutant = yield* Effect.promise(() => load(`mutant-${index}`, file, from, to))
        // Compared as a claim: the answers of the sweep are too long to be shown.
        assert.isTrue((yield* answerOf(mutant, shown)) !== (yield* answerOf(whole, shown)), `${shown} does not show it`)
      })
    )
  }
})
