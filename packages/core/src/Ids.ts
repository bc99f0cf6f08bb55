/**
 * Ids: a prefix that says what it is, and a ULID (https://github.com/ulid/spec): 48 bits of milliseconds and 80 random
 * bits, Crockford base 32, so that ids sort by time and cannot be guessed.
 */
import * as Context from "effect/Context"
import type { Time } from "./Time.ts"

export type IdPrefix = "req" | "pol" | "stp" | "lck" | "job" | "ent"

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

const encodeTime = (time: number): string => {
  let rest = time
  let out = ""
  for (let i = 0; i < 10; i++) {
    out = alphabet.charAt(rest % 32) + out
    rest = Math.floor(rest / 32)
  }
  return out
}

const encodeRandom = (bytes: Uint8Array): string => Array.from(bytes, (byte) => alphabet.charAt(byte & 31)).join("")

/** Where ids' random bits come from; a test can put a counter here. */
export const RandomBytes = Context.Reference<(size: number) => Uint8Array>("@jitsudo/core/Ids/RandomBytes", {
  defaultValue: () => (size) => globalThis.crypto.getRandomValues(new Uint8Array(size))
})

/** A new id, for example `req_01J8KZ4F2EMNQZ3V7XKQYBD4WR`. */
export const make = (prefix: IdPrefix, now: Time, randomBytes: (size: number) => Uint8Array): string =>
  `${prefix}_${encodeTime(now)}${encodeRandom(randomBytes(16))}`

const pattern = /^(?:req|pol|stp|lck|job|ent)_[0-9A-HJKMNP-TV-Z]{26}$/u

export const isId = (text: string, prefix: IdPrefix): boolean => text.startsWith(`${prefix}_`) && pattern.test(text)
