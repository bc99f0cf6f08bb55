/** Semantic Versions 2.0.0 as OPA reads them: a leading `v` is allowed, leading zeros are not. */

export interface Version {
  readonly core: readonly [bigint, bigint, bigint]
  readonly preRelease: string
}

const identifiers = /^[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*$/
const numeric = /^(0|[1-9][0-9]*)$/
const most = 2n ** 63n - 1n

const cut = (text: string, at: string): readonly [string, string | undefined] => {
  const index = text.indexOf(at)
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + 1)]
}

export const parse = (text: string): Version | undefined => {
  const [withoutMetadata, metadata] = cut(text.replace(/^v/, ""), "+")
  if (metadata !== undefined && !identifiers.test(metadata)) return undefined
  const [core, preRelease] = cut(withoutMetadata, "-")
  if (preRelease !== undefined) {
    if (!identifiers.test(preRelease)) return undefined
    if (preRelease.split(".").some((one) => /^0[0-9]+$/.test(one))) return undefined
  }
  const parts = core.split(".")
  if (parts.length !== 3 || parts.some((part) => !numeric.test(part))) return undefined
  const [major = 0n, minor = 0n, patch = 0n] = parts.map(BigInt)
  if (major > most || minor > most || patch > most) return undefined
  return { core: [major, minor, patch], preRelease: preRelease ?? "" }
}

/** A numeric identifier as Go's `Atoi` reads it: beyond 64 bits it is the largest one. */
const clamped = (text: string): bigint => {
  const value = BigInt(text)
  return value > most ? most : value
}

export const compare = (a: Version, b: Version): -1 | 0 | 1 => {
  for (const i of [0, 1, 2] as const) {
    if (a.core[i] !== b.core[i]) return a.core[i] < b.core[i] ? -1 : 1
  }
  if (a.preRelease === b.preRelease) return 0
  if (a.preRelease === "") return 1
  if (b.preRelease === "") return -1
  const [x, y] = [a.preRelease.split("."), b.preRelease.split(".")]
  for (let i = 0; ; i++) {
    const [left, right] = [x[i], y[i]]
    if (left === undefined) return -1
    if (right === undefined) return 1
    const [leftNumber, rightNumber] = [/^[0-9]+$/.test(left), /^[0-9]+$/.test(right)]
    if (leftNumber !== rightNumber) return leftNumber ? -1 : 1
    if (leftNumber) {
      const [m, n] = [clamped(left), clamped(right)]
      if (m !== n) return m < n ? -1 : 1
    } else if (left !== right) return left < right ? -1 : 1
    if (x.length !== y.length && (i + 1 === x.length || i + 1 === y.length)) return x.length < y.length ? -1 : 1
  }
}
