/**
 * Writes src/TimeZoneData.ts from Go's own copy of the IANA time zone database, which is what OPA's interpreter uses.
 *
 * Usage: node scripts/time-zones.mjs PATH_TO_ZONEINFO_ZIP   ($(go env GOROOT)/lib/time/zoneinfo.zip)
 *
 * The result is one line of JSON ({ name: [offset, length] }) and the 64-bit halves of the TZif files, each file once,
 * compressed with Brotli. The database is in the public domain. The archive is stored, not deflated.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { brotliCompressSync, constants } from "node:zlib"

const [path] = process.argv.slice(2)
if (path === undefined) throw new Error("give the path of zoneinfo.zip")
const zip = readFileSync(path)

/** The entries of the archive, from its central directory. */
const entries = () => {
  const end = zip.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"))
  const count = zip.readUInt16LE(end + 10)
  let at = zip.readUInt32LE(end + 16)
  const found = []
  for (let i = 0; i < count; i++) {
    const size = zip.readUInt32LE(at + 24)
    const method = zip.readUInt16LE(at + 10)
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => zip.readUInt16LE(at + offset))
    const local = zip.readUInt32LE(at + 42)
    const name = zip.toString("utf8", at + 46, at + 46 + nameLength)
    if (method !== 0) throw new Error(`${name} is compressed`)
    const start = local + 30 + zip.readUInt16LE(local + 26) + zip.readUInt16LE(local + 28)
    if (!name.endsWith("/")) found.push([name, zip.subarray(start, start + size)])
    at += 46 + nameLength + extra + comment
  }
  return found.sort(([a], [b]) => (a < b ? -1 : 1))
}

/** What follows the 32-bit block: the block that covers all dates, with its header. */
const wide = (file) => {
  if (file.toString("latin1", 0, 4) !== "TZif" || file[4] < 0x32) throw new Error("not a TZif file of version 2")
  const [utc, std, leap, times, types, chars] = [0, 4, 8, 12, 16, 20].map((offset) => file.readUInt32BE(20 + offset))
  return file.subarray(44 + times * 5 + types * 6 + chars + leap * 8 + std + utc)
}

const index = {}
const blobs = []
const seen = new Map()
let length = 0
for (const [name, file] of entries()) {
  const blob = wide(file)
  const key = blob.toString("latin1")
  const place = seen.get(key) ?? [length, blob.length]
  if (!seen.has(key)) {
    seen.set(key, place)
    blobs.push(blob)
    length += blob.length
  }
  index[name] = place
}
const packed = brotliCompressSync(Buffer.concat([Buffer.from(`${JSON.stringify(index)}\n`), ...blobs]), {
  params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_LGWIN]: 22 }
})
writeFileSync(
  new URL("../src/TimeZoneData.ts", import.meta.url),
  `/** The IANA time zone database as OPA has it, packed. Written by scripts/time-zones.mjs; do not edit. */
export const packed =
  "${packed.toString("base64")}"
`
)
console.log(`${Object.keys(index).length} names, ${seen.size} zones, ${packed.length} bytes packed`)
