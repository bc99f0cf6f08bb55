/**
 * Lines of UTF-8 text from chunks of bytes, in constant memory.
 *
 * Strict, because every byte is evidence: bytes that are no UTF-8 end the reading instead of becoming U+FFFD, a byte
 * order mark is a character, only a line feed ends a line, and a line without one is told apart.
 */

/** Far more than an entry with all its texts. */
const longest = 16 * 1024 * 1024

/** What some bytes completed. `spoilt`: behind these lines stands what is no text, or too long a line. */
export interface Complete {
  readonly lines: ReadonlyArray<string>
  readonly spoilt: boolean
}

export interface Lines {
  /** The lines that `bytes` completes. Give no more after `spoilt`. */
  readonly push: (bytes: Uint8Array) => Complete
  /** How many bytes stand behind the last line feed. */
  readonly rest: () => number
}

const lineFeed = 10

export const make = (): Lines => {
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
  let held: ReadonlyArray<Uint8Array> = []
  let size = 0

  const decode = (bytes: Uint8Array): string | undefined => {
    try {
      return decoder.decode(bytes)
    } catch {
      return undefined
    }
  }

  /** The lines of a block that cannot be decoded as a whole, up to the one at fault. */
  const upToFault = (block: Uint8Array): ReadonlyArray<string> => {
    const lines: Array<string> = []
    for (let from = 0; from <= block.length;) {
      const feed = block.indexOf(lineFeed, from)
      const end = feed === -1 ? block.length : feed
      const line = decode(block.subarray(from, end))
      if (line === undefined) break
      lines.push(line)
      from = end + 1
    }
    return lines
  }

  return {
    push: (bytes) => {
      const end = bytes.lastIndexOf(lineFeed)
      if (end === -1) {
        // Copied: the source may use its buffer again.
        held = [...held, bytes.slice()]
        size += bytes.length
        return { lines: [], spoilt: size > longest }
      }
      const first = bytes.subarray(0, end)
      const block = held.length === 0 ? first : Buffer.concat([...held, first])
      held = end + 1 < bytes.length ? [bytes.slice(end + 1)] : []
      size = bytes.length - end - 1
      const text = decode(block)
      return text === undefined
        ? { lines: upToFault(block), spoilt: true }
        : { lines: text.split("\n"), spoilt: size > longest }
    },
    rest: () => size
  }
}
