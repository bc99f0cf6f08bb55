/** Editing a copy of the audit log: crudely, and as a forger would who knows how the chain is made (docs/spec/audit.md). */
import { createHash } from "node:crypto"

interface Line {
  readonly seq: number
  readonly payload: string
  readonly prevHash: string
  readonly hash: string
  readonly texts: ReadonlyArray<unknown>
}

const sha256 = (...parts: ReadonlyArray<Uint8Array>): Buffer =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest()

const hashOf = ({ payload, seq }: Line, prevHash: string): string => {
  const position = Buffer.alloc(8)
  position.writeBigUInt64BE(BigInt(seq))
  const leaf = sha256(Buffer.from([0]), Buffer.from(payload))
  return sha256(Buffer.from([1]), Buffer.from(prevHash, "hex"), position, leaf).toString("hex")
}

const isEntry = (line: string): boolean => line.startsWith('{"seq":')

/** The export with the payload of one entry replaced, everything else as it was. */
export const edited = (log: string, seq: number, change: (payload: string) => string): string =>
  log
    .split("\n")
    .map((text) => {
      if (!isEntry(text)) return text
      const line: Line = JSON.parse(text)
      return line.seq === seq ? JSON.stringify({ ...line, payload: change(line.payload) }) : text
    })
    .join("\n")

/** The export with every hash made again from the payloads, so that all of it fits. */
export const rehashed = (log: string): string => {
  let head: { readonly seq: number; readonly hash: string } | undefined
  return log
    .split("\n")
    .map((text) => {
      if (isEntry(text)) {
        const line: Line = JSON.parse(text)
        const prevHash = head?.hash ?? line.prevHash
        head = { seq: line.seq, hash: hashOf(line, prevHash) }
        return JSON.stringify({ seq: line.seq, payload: line.payload, prevHash, hash: head.hash, texts: line.texts })
      }
      if (!text.startsWith('{"head":') || head === undefined) return text
      const { count }: { count: number } = JSON.parse(text)
      return JSON.stringify({ head, count })
    })
    .join("\n")
}
