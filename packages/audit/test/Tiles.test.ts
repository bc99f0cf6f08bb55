/** Tiles: names, geometry, writing and reading back, and what a spoilt directory is told by. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { leafOf } from "../src/Chain.ts"
import { isConsistent, isIncluded } from "../src/Merkle.ts"
import * as Proofs from "../src/Proofs.ts"
import * as Tiles from "../src/Tiles.ts"
import * as TileWriter from "../src/TileWriter.ts"
import type { Files } from "../src/VerifiedTiles.ts"
import * as VerifiedTiles from "../src/VerifiedTiles.ts"
import { treeOf } from "./NaiveTree.ts"

const payloads = (size: number, from = 0) => Array.from({ length: size }, (_, at) => `entry ${from + at}`)

type Directory = Map<string, Uint8Array>

const into = (directory: Directory, writer: TileWriter.TileWriter, of: ReadonlyArray<string>) =>
  Stream.runForEach(TileWriter.files(writer, Stream.fromArray(of)), ({ bytes, path }) =>
    Effect.sync(() => {
      const there = directory.get(path)
      // What is full never changes; what is partial has its width in its name.
      if (there !== undefined) assert.isTrue(Buffer.from(there).equals(bytes), `${path} was written twice, differently`)
      directory.set(path, bytes)
    })
  )

const filesOf =
  (directory: Directory): Files =>
  (path) =>
    Effect.sync(() => directory.get(path))

const written = Effect.fnUntraced(function* (size: number) {
  const directory: Directory = new Map()
  const writer = TileWriter.make()
  yield* into(directory, writer, payloads(size))
  return { directory, head: writer.head() }
})

describe("a tile's path", () => {
  // The examples of c2sp.org/tlog-tiles.
  for (const [tile, path] of [
    [{ level: 0, index: 1_234_067, width: 256 }, "tile/0/x001/x234/067"],
    [{ level: "entries", index: 1_234_067, width: 8 }, "tile/entries/x001/x234/067.p/8"],
    [{ level: 0, index: 0, width: 256 }, "tile/0/000"],
    [{ level: 63, index: 999, width: 255 }, "tile/63/999.p/255"],
    [{ level: 1, index: 1000, width: 1 }, "tile/1/x001/000.p/1"],
    [{ level: 2, index: Number.MAX_SAFE_INTEGER, width: 256 }, "tile/2/x009/x007/x199/x254/x740/991"]
  ] as const) {
    it(`is ${path}`, () => {
      assert.strictEqual(Tiles.pathOf(tile), path)
      assert.deepStrictEqual(Tiles.parsePath(path), tile)
    })
  }

  for (const path of [
    "",
    "checkpoint",
    "tile/0/0",
    "tile/00/000",
    "tile/64/000",
    "tile/-1/000",
    "tile/0/000/000",
    "tile/0/x000/000",
    "tile/0/x000/x001/000",
    "tile/0/001/x000",
    "tile/0/000.p/0",
    "tile/0/000.p/256",
    "tile/0/000.p/07",
    "tile/0/000.p/",
    "tile/0/000 ",
    "/tile/0/000",
    "tile/data/000",
    "tile/0/x999/x999/x999/x999/x999/x999/999"
  ]) {
    it(`is not ${path || "empty"}`, () => assert.isUndefined(Tiles.parsePath(path)))
  }
})

describe("the tiles of a tree", () => {
  it("are those of the specification's examples", () => {
    const edge = (size: number) => Tiles.edgeOf(size).map(Tiles.pathOf)
    // 70,000: 273 full tiles and one of 112; one full and one of 17; one of 1.
    assert.deepStrictEqual(edge(70_000), ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"])
    assert.deepStrictEqual(edge(256), ["tile/1/000.p/1"])
    assert.deepStrictEqual(edge(0), [])
    assert.strictEqual(Tiles.widthIn(0, 272, 70_000), 256)
    assert.strictEqual(Tiles.widthIn(0, 274, 70_000), 0)
    assert.strictEqual(Tiles.levelsOf(70_000), 3)
  })

  it.effect("of any size are whole, and their hashes make the root", () =>
    Effect.gen(function* () {
      for (const size of [0, 1, 2, 255, 256, 257, 511, 512, 700]) {
        const { directory, head } = yield* written(size)
        const leaves = payloads(size).map(leafOf)
        assert.strictEqual(head.root, treeOf(leaves))
        const tiles = VerifiedTiles.make(head, filesOf(directory))
        assert.strictEqual(yield* Proofs.root(size, tiles.hashes), head.root)
        for (let bundle = 0; bundle * 256 < size; bundle++) {
          const part = payloads(size).slice(bundle * 256, bundle * 256 + 256)
          assert.deepStrictEqual(yield* tiles.entries(bundle), part)
          assert.deepStrictEqual(yield* tiles.leaves(bundle), part.map(leafOf))
        }
        for (const [path, bytes] of directory) {
          const tile = Tiles.parsePath(path)
          if (tile === undefined) return assert.fail(path)
          if (tile.level !== "entries") assert.strictEqual(bytes.length, tile.width * 32)
        }
      }
    })
  )

  it.effect("give the proofs of the tree, between any sizes that were there", () =>
    Effect.gen(function* () {
      const size = 66_000
      const { directory, head } = yield* written(size)
      assert.isTrue(directory.has("tile/1/001.p/1"))
      assert.isTrue(directory.has("tile/2/000.p/1"))
      const tiles = VerifiedTiles.make(head, filesOf(directory))
      for (const index of [0, 255, 256, 65_535, 65_536, size - 1]) {
        const proof = yield* Proofs.inclusion(index, size, tiles.hashes)
        assert.isTrue(isIncluded(index, head, leafOf(`entry ${index}`), proof), `${index}`)
      }
      for (const older of [1, 256, 300, 65_536, 65_999]) {
        const before = { size: older, root: yield* Proofs.root(older, tiles.hashes) }
        assert.isTrue(isConsistent(before, head, yield* Proofs.consistency(older, size, tiles.hashes)), `${older}`)
      }
    })
  )
})

describe("a writer", () => {
  it.effect("that goes on writes what one that never stopped would have written", () =>
    Effect.gen(function* () {
      const all = yield* written(900)
      const directory: Directory = new Map()
      let writer = TileWriter.make()
      let size = 0
      for (const next of [3, 256, 257, 400, 511, 512, 513, 900]) {
        yield* into(directory, writer, payloads(next - size, size))
        writer = yield* TileWriter.resume(writer.head(), filesOf(directory))
        size = next
      }
      assert.deepStrictEqual(writer.head(), all.head)
      for (const [path, bytes] of all.directory) {
        assert.isTrue(Buffer.from(directory.get(path) ?? []).equals(bytes), path)
      }
    })
  )

  it.effect("does not go on from files that are not the tree's", () =>
    Effect.gen(function* () {
      const { directory, head } = yield* written(300)
      for (const path of directory.keys()) {
        const spoilt = new Map(directory)
        const bytes = Buffer.from(directory.get(path) ?? [])
        bytes.writeUInt8((bytes[5] ?? 0) ^ 1, 5)
        spoilt.set(path, bytes)
        const result = yield* Effect.result(TileWriter.resume(head, filesOf(spoilt)))
        // What is full and not at the edge is not needed, so it is not looked at.
        if (path === "tile/0/000" || path === "tile/entries/000") assert.isTrue(Result.isSuccess(result), path)
        else assert.isTrue(Result.isFailure(result), path)
      }
    })
  )

  it("refuses an entry that no bundle can hold, and goes on", () => {
    const writer = TileWriter.make()
    const longest = "a".repeat(Tiles.longestEntry)
    assert.isTrue(Result.isSuccess(writer.append(longest)))
    for (const text of [`${longest}a`, `${"a".repeat(65_534)}\u00e9`]) {
      const refused = writer.append(text)
      if (Result.isSuccess(refused)) return assert.fail("written")
      assert.deepInclude(refused.failure, { seq: 2, length: 65_536 })
    }
    assert.strictEqual(writer.head().size, 1)
    const [bundle] = writer.edge()
    assert.deepStrictEqual(Tiles.entriesIn(bundle?.bytes ?? new Uint8Array()), [longest])
  })
})

describe("a bundle", () => {
  const bundle = Buffer.concat(["a", "", "b\u00e9"].map((text) => Result.getOrThrow(Tiles.encodeEntry(1, text))))

  it("is lengths and texts", () => {
    assert.strictEqual(bundle.toString("hex"), "0001610000000362c3a9")
    assert.deepStrictEqual(Tiles.entriesIn(bundle), ["a", "", "b\u00e9"])
  })

  it("that is cut off or no text ends there", () => {
    assert.deepStrictEqual(Tiles.entriesIn(bundle.subarray(0, -1)), ["a", "", undefined])
    assert.deepStrictEqual(Tiles.entriesIn(bundle.subarray(0, 4)), ["a", undefined])
    const spoilt = Buffer.from(bundle)
    spoilt.writeUInt8(0x29, 9)
    assert.deepStrictEqual(Tiles.entriesIn(spoilt), ["a", "", undefined])
  })
})

describe("a reader that holds tiles against the root", () => {
  const refusalOf = Effect.fnUntraced(function* (directory: Directory, size: number, root: string, index = 0) {
    const tiles = VerifiedTiles.make({ size, root }, filesOf(directory))
    return yield* tiles
      .leaves(index)
      .pipe(
        Effect.andThen(tiles.entries(index)),
        Effect.match({ onFailure: ({ path, reason }) => `${reason} ${path}`, onSuccess: () => "used" })
      )
  })

  it.effect("uses none that was changed, is missing or has another width", () =>
    Effect.gen(function* () {
      const { directory, head } = yield* written(70_000)
      const changed = (path: string, change: (bytes: Buffer) => Uint8Array | undefined) => {
        const bytes = change(Buffer.from(directory.get(path) ?? assert.fail(path)))
        const copy = new Map(directory)
        if (bytes === undefined) copy.delete(path)
        else copy.set(path, bytes)
        return copy
      }
      const nudge = (at: number) => (bytes: Buffer) => {
        bytes.writeUInt8((bytes[at] ?? 0) ^ 1, at)
        return bytes
      }
      const refusal = (of: Directory, index?: number) => refusalOf(of, head.size, head.root, index)
      assert.strictEqual(yield* refusal(directory), "used")
      assert.strictEqual(yield* refusal(changed("tile/0/000", nudge(0))), "hash tile/0/000")
      assert.strictEqual(yield* refusal(changed("tile/0/000", nudge(8191))), "hash tile/0/000")
      assert.strictEqual(yield* refusal(changed("tile/1/000", nudge(0))), "hash tile/1/000")
      // The edge is held against the root as one.
      for (const path of ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]) {
        assert.strictEqual(yield* refusal(changed(path, nudge(5))), "hash tile/0/273.p/112")
        assert.strictEqual(yield* refusal(changed(path, () => undefined)), `missing ${path}`)
        assert.strictEqual(yield* refusal(changed(path, (bytes) => bytes.subarray(1))), `width ${path}`)
      }
      assert.strictEqual(yield* refusal(changed("tile/0/000", () => undefined)), "missing tile/0/000")
      assert.strictEqual(yield* refusal(changed("tile/0/000", (b) => Buffer.concat([b, b]))), "width tile/0/000")
      assert.strictEqual(yield* refusal(changed("tile/entries/000", () => undefined)), "missing tile/entries/000")
      const more = changed("tile/entries/000", (b) => Buffer.concat([b, Buffer.of(0, 0)]))
      assert.strictEqual(yield* refusal(more), "width tile/entries/000")
      // A tile that is not on the way to what is asked for is not read.
      assert.strictEqual(yield* refusal(changed("tile/0/001", nudge(0))), "used")
      assert.strictEqual(yield* refusal(changed("tile/0/001", nudge(0)), 1), "hash tile/0/001")
    })
  )

  it.effect("reads a partial tile from the full one that replaced it", () =>
    Effect.gen(function* () {
      const older = yield* written(300)
      const { directory } = yield* written(600)
      assert.isFalse(directory.has("tile/0/001.p/44"))
      directory.set("tile/1/000.p/1", older.directory.get("tile/1/000.p/1") ?? assert.fail("no tile"))
      const tiles = VerifiedTiles.make(older.head, filesOf(directory))
      assert.deepStrictEqual(yield* tiles.leaves(1), payloads(44, 256).map(leafOf))
      assert.deepStrictEqual(yield* tiles.entries(1), payloads(44, 256))
    })
  )

  it.effect("keeps no more than a few tiles, and is right all the same", () =>
    Effect.gen(function* () {
      const { directory, head } = yield* written(256 * 150)
      let reads = 0
      const tiles = VerifiedTiles.make(head, (path) => {
        reads++
        return filesOf(directory)(path)
      })
      const leaves = yield* Effect.forEach([0, 149, 75], tiles.leaves)
      assert.strictEqual(leaves[2]?.[0], leafOf(`entry ${75 * 256}`))
      yield* tiles.leaves(75)
      assert.strictEqual(reads, 4)
      yield* Effect.forEach(
        Array.from({ length: 150 }, (_, at) => at),
        tiles.leaves
      )
      const before = reads
      yield* tiles.leaves(0)
      assert.strictEqual(reads, before + 1)
    })
  )
})
