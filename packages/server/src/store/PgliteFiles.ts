/**
 * PGlite's files on a real disk, with the flushes that it leaves out.
 *
 * As shipped, PGlite's Node file system has no `fsync`: a power cut loses acknowledged commits or the whole database.
 * `DurableFiles` puts it in and counts; whoever opens a database commits once and compares the count. The seam is not
 * documented, hence the pinned version and that test.
 */
import { NodeFS } from "@electric-sql/pglite/nodefs"
import { closeSync, fsyncSync, openSync } from "node:fs"
import { open, opendir } from "node:fs/promises"
import { join } from "node:path"

type Init = Parameters<NodeFS["init"]>
type Files = Awaited<ReturnType<NodeFS["init"]>>

const property = (of: unknown, name: string): unknown =>
  typeof of === "object" && of !== null ? Reflect.get(of, name) : undefined

export class DurableFiles extends NodeFS {
  private flushes = 0

  /** How often the disk was asked to keep what it has. */
  get flushed(): number {
    return this.flushes
  }

  override async init(...[database, options]: Init): Promise<Files> {
    const files = await super.init(database, options)
    const { emscriptenOpts } = files
    return {
      ...files,
      emscriptenOpts: {
        ...emscriptenOpts,
        preRun: [
          ...(emscriptenOpts.preRun ?? []),
          (module: unknown) => {
            const nodefs = property(module, "NODEFS")
            const operations = property(nodefs, "stream_ops")
            const realPath = property(nodefs, "realPath")
            if (typeof operations !== "object" || operations === null || typeof realPath !== "function") {
              throw new Error("this PGlite has no NODEFS as we know it: its files cannot be made durable")
            }
            Reflect.set(operations, "fsync", (stream: unknown) =>
              this.flush(property(stream, "nfd"), () => String(realPath.call(nodefs, property(stream, "node"))))
            )
          }
        ]
      }
    }
  }

  /** A directory has no descriptor of its own in there: it is opened where it stands on the disk. */
  private flush(descriptor: unknown, path: () => string): number {
    if (typeof descriptor === "number") {
      fsyncSync(descriptor)
    } else {
      const directory = openSync(path(), "r")
      try {
        fsyncSync(directory)
      } finally {
        closeSync(directory)
      }
    }
    this.flushes += 1
    return 0
  }
}

/** Flushes every file and directory below `directory` and itself: what `initdb` leaves is copied in without. */
export const flushTree = async (directory: string): Promise<void> => {
  for await (const one of await opendir(directory)) {
    const path = join(directory, one.name)
    if (one.isDirectory()) await flushTree(path)
    else if (one.isFile()) await flushOne(path)
  }
  await flushOne(directory)
}

export const flushOne = async (path: string): Promise<void> => {
  const handle = await open(path, "r")
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
