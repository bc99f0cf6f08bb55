/** Base64 (RFC 4648, section 4) in its one spelling: padded, no white space, no bits left over. */

export const textFor = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("base64")

/** The bytes of `text`; undefined for every other spelling. */
export const bytesIn = (text: string): Uint8Array | undefined => {
  const bytes = Buffer.from(text, "base64")
  return bytes.toString("base64") === text ? bytes : undefined
}

/** The hash (hexadecimal) that `text` spells; undefined for anything else. */
export const hashIn = (text: string): string | undefined => {
  const bytes = bytesIn(text)
  return bytes?.length === 32 ? Buffer.from(bytes).toString("hex") : undefined
}

/** A hash from hexadecimal to base64. */
export const hashText = (hash: string): string => Buffer.from(hash, "hex").toString("base64")
