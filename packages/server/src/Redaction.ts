/**
 * Cuts out of text whatever looks like a credential.
 *
 * The last line of defence, not the first: secrets are `Redacted` values and stay out of messages. But a fault's text can
 * come from anywhere, so every line passes through here. It would rather cut out too much.
 */

/** Longest text that is looked at; what is behind is dropped. */
const longest = 64 * 1024
/** Longest text that is kept. */
const kept = 16 * 1024

const secretWord = "secret|token|passw(?:or)?d|passphrase|api[_-]?key|access[_-]?key|private[_-]?key|credential|cookie"

/** Quantifiers are bounded and names begin at a boundary, so that hostile text takes no more than linear time. */
const patterns: ReadonlyArray<readonly [RegExp, string]> = [
  [/-----BEGIN [A-Z0-9 ]{1,40}-----[\s\S]{0,20000}?(?:-----END [A-Z0-9 ]{1,40}-----|$)/gu, "[key]"],
  [/\bey[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]*/gu, "[token]"],
  [/\b(bearer|basic|digest|negotiate)\s{1,4}[A-Za-z0-9._~+/=-]{8,}/giu, "$1 [token]"],
  [/\/\/[^\s"'@/]{0,256}:[^\s"']{0,1024}@/gu, "//[secret]@"],
  [/\/\/[^\s"'@/:?#]{8,256}@/gu, "//[secret]@"],
  [
    new RegExp(
      `(?<![A-Za-z0-9_.-])([A-Za-z0-9_.-]{0,64}(?:${secretWord})[A-Za-z0-9_.-]{0,64}\\\\*["']?\\s{0,4}[=:]\\s{0,4})` +
        `(?:\\\\*"(?:[^"\\\\]|\\\\[^"]){0,8192}\\\\*"|'[^']{0,8192}'|[^\\s"',;&})\\]]{1,8192})`,
      "giu"
    ),
    "$1[secret]"
  ],
  [/\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/gu, "[key]"],
  [/\b(?:gh[pousr]_[A-Za-z0-9]{20,}|xox[abprs]-[A-Za-z0-9-]{10,}|glpat-[\w-]{16,})/gu, "[token]"]
]

/** The text without anything that looks like a credential, bounded. */
export const redact = (text: string): string => {
  const clean = patterns.reduce((rest, [pattern, by]) => rest.replace(pattern, by), text.slice(0, longest))
  return clean.length > kept ? `${clean.slice(0, kept)} [cut]` : clean
}

const secretName = new RegExp(`(?:${secretWord}|authorization)`, "iu")

/** Most levels and members of a value that are logged. */
const mostLevels = 8
const mostMembers = 1000

/** A value for JSON, with every text in it redacted, and those texts left out whose names say that they are secret. */
export const scrub = (value: unknown): unknown => {
  let members = 0
  const walk = (one: unknown, level: number): unknown => {
    if (typeof one === "string") return redact(one)
    if (typeof one === "bigint") return String(one)
    if (typeof one !== "object" || one === null) return typeof one === "function" ? undefined : one
    if (level > mostLevels || ++members > mostMembers) return "[cut]"
    if ("toJSON" in one && typeof one.toJSON === "function") return walk(one.toJSON(), level + 1)
    if (one instanceof Error) return redact(`${one.name}: ${one.message}`)
    if (Array.isArray(one)) return one.slice(0, mostMembers).map((item) => walk(item, level + 1))
    return Object.fromEntries(
      Object.entries(one)
        .slice(0, mostMembers)
        .map(([name, member]) => [
          redact(name),
          secretName.test(name) && typeof member === "string" ? "[secret]" : walk(member, level + 1)
        ])
    )
  }
  return walk(value, 0)
}
