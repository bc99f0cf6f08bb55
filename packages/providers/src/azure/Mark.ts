/**
 * The mark that jitsudo leaves on what it grants: `jitsudo:<request id>[/<installation>]@<end>` for each request that
 * holds it, and `key:<hash>` of whom it was granted to. It stands in a role assignment's description, or in the
 * justification of a PIM request.
 *
 * 1. Azure has one assignment per role, principal and scope. Several requests for the same right hold the same
 *    assignment, so it carries a mark for each, and it goes when the last one goes.
 * 2. Names of assignments follow from the request that created them, so that they are known without having been read.
 * 3. What others wrote around the marks is not ours to keep: a description is rewritten from its marks.
 *
 * A mark is public to everybody who may read role assignments. It names no person.
 */
import { createHash } from "node:crypto"
import { Provider, Time } from "@jitsudo/core"

export interface Holder {
  readonly requestId: string
  /** Which jitsudo; null where the mark names none. */
  readonly installation: string | null
  /** Whole seconds. */
  readonly until: Time.Time
}

export interface Marks {
  readonly holders: ReadonlyArray<Holder>
  /** The hash of whom it was granted to; null where the text has none. */
  readonly key: string | null
}

/**
 * The longest text written. Azure does not document a limit for descriptions; PIM's forms take 500 characters for a
 * justification, and what is longer has not been tried.
 */
export const longest = { description: 1000, justification: 500 } as const

export const isRequestId = (text: unknown): text is string =>
  typeof text === "string" && /^req_[0-9A-HJKMNP-TV-Z]{26}$/u.test(text)

const compact = (time: Time.Time): string => Time.toRfc3339(time).replace(/\.\d{3}|[-:]/gu, "")

const timeIn = (text: string): Time.Time | null => {
  const found = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/u.exec(text)
  if (found === null) return null
  const [, year, month, day, hour, minute, second] = found
  const millis = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
  return Number.isNaN(millis) || millis < 0 ? null : Time.make(millis)
}

const pattern = /(?:^|\s)jitsudo:(req_[0-9A-Z]{26})(?:\/([a-z0-9-]{1,20}))?@(\d{8}T\d{6}Z)(?=\s|$)/gu

/** The marks in a text; none when it is not ours. */
export const read = (text: string | undefined): Marks => {
  const holders = new Map<string, Holder>()
  for (const [, requestId, installation, end = ""] of (text ?? "").matchAll(pattern)) {
    const until = timeIn(end)
    if (!isRequestId(requestId) || until === null) continue
    const named = installation !== undefined && Provider.isInstallation(installation) ? installation : null
    holders.set(requestId, { requestId, installation: named, until })
  }
  const key = /(?:^|\s)key:([0-9a-f]{16})(?=\s|$)/u.exec(text ?? "")?.[1] ?? null
  return { holders: [...holders.values()], key }
}

/** The text for these marks. */
export const write = ({ holders, key }: Marks): string =>
  [
    ...holders.map(
      ({ installation, requestId, until }) =>
        `jitsudo:${requestId}${installation === null ? "" : `/${installation}`}@${compact(until)}`
    ),
    ...(key === null ? [] : [`key:${key}`])
  ].join(" ")

const sha256 = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest()

/** A short hash of whom something is granted to. */
export const keyOf = (who: string): string => sha256(`jitsudo-azure-key:${who}`).toString("hex").slice(0, 16)

/** The GUID that follows from a request: a version 8 UUID (RFC 9562) of its SHA-256. */
export const guidOf = (requestId: string): string => {
  const bytes = sha256(`jitsudo-azure-assignment:${requestId}`).subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  const hex = bytes.toString("hex")
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-")
}
