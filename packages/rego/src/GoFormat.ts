/**
 * Go's `fmt.Sprintf` for what Rego's `sprintf` can pass to it: strings, 64-bit and big integers, floating point.
 *
 * OPA's own implementation calls Go; a message or a comparison built in a policy must come out the same here, errors
 * such as `%!d(string=x)` included. Widths and precisions are bounded as in Go, so that no format can ask for more
 * memory than a million characters per verb; `limit` bounds the whole.
 */
import { isPrintable, quote } from "./RegoValue.ts"

export type Argument =
  | { readonly type: "string"; readonly value: string }
  | { readonly type: "int64"; readonly value: bigint }
  | { readonly type: "*big.Int"; readonly value: bigint }
  | { readonly type: "float64"; readonly value: number }

/** The longest text that a policy may format. */
const limit = 4_000_000

export class FormatTooLong extends Error {
  constructor() {
    super(`sprintf: the text is longer than ${limit} characters`)
  }
}

/** What Go prints depends on its memory; a policy that asks for it fails. */
export class FormatUnsupported extends Error {
  constructor(what: string) {
    super(`sprintf: ${what} is not supported`)
  }
}

interface Flags {
  sharp: boolean
  zero: boolean
  plus: boolean
  minus: boolean
  space: boolean
  sharpV: boolean
  plusV: boolean
  width: number | undefined
  precision: number | undefined
}

const noFlags = (): Flags => ({
  sharp: false,
  zero: false,
  plus: false,
  minus: false,
  space: false,
  sharpV: false,
  plusV: false,
  width: undefined,
  precision: undefined
})

const runes = (text: string): number => {
  let n = 0
  for (const _ of text) n++
  return n
}

const pad = (text: string, flags: Flags, zero = flags.zero): string => {
  const missing = (flags.width ?? 0) - runes(text)
  if (missing <= 0) return text
  if (flags.minus) return text + " ".repeat(missing)
  return (zero ? "0" : " ").repeat(missing) + text
}

const truncate = (text: string, flags: Flags): string =>
  flags.precision === undefined ? text : [...text].slice(0, flags.precision).join("")

const integer = (value: bigint, base: 2 | 8 | 10 | 16, verb: string, flags: Flags): string => {
  const negative = value < 0n
  let digits = (negative ? -value : value).toString(base)
  if (verb === "X") digits = digits.toUpperCase()
  let least = 0
  if (flags.precision !== undefined) {
    least = flags.precision
    if (least === 0 && value === 0n) return " ".repeat(flags.width ?? 0)
  } else if (flags.zero && !flags.minus && flags.width !== undefined) {
    least = flags.width - (negative || flags.plus || flags.space ? 1 : 0)
  }
  digits = digits.padStart(least, "0")
  if (flags.sharp) {
    if (base === 2) digits = `0b${digits}`
    else if (base === 8 && !digits.startsWith("0")) digits = `0${digits}`
    else if (base === 16) digits = (verb === "X" ? "0X" : "0x") + digits
  }
  if (verb === "O") digits = `0o${digits}`
  const sign = negative ? "-" : flags.plus ? "+" : flags.space ? " " : ""
  return pad(sign + digits, flags, false)
}

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value)

const rune = (value: bigint): string => {
  const code = unsigned(value)
  if (code > 0x10ffffn || (code >= 0xd800n && code < 0xe000n)) return "\ufffd"
  return String.fromCodePoint(Number(code))
}

const unicode = (value: bigint, flags: Flags): string => {
  const code = unsigned(value)
  let text = `U+${code
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(4, flags.precision ?? 0), "0")}`
  if (flags.sharp && code <= 0x10ffffn && isPrintable(rune(value))) text += ` '${rune(value)}'`
  return pad(text, flags, false)
}

const hexOfText = (text: string, upper: boolean, flags: Flags): string => {
  const bytes = [...new TextEncoder().encode(text)].slice(0, flags.precision)
  const prefix = flags.sharp ? (upper ? "0X" : "0x") : ""
  const shown = bytes.map((byte) => {
    const two = byte.toString(16).padStart(2, "0")
    return upper ? two.toUpperCase() : two
  })
  if (shown.length === 0) return pad("", flags)
  return pad(flags.space ? shown.map((two) => prefix + two).join(" ") : prefix + shown.join(""), flags)
}

/** Digits without trailing zeros; the decimal point stands before digit `point` (0.digits x 10^point). */
interface Decimal {
  readonly digits: string
  readonly point: number
}

const trimmed = (digits: string, point: number): Decimal => {
  const end = digits.replace(/0+$/, "")
  return end === "" ? { digits: "", point: 0 } : { digits: end, point }
}

const shortest = (value: number): Decimal => {
  if (value === 0) return { digits: "", point: 0 }
  const [mantissa = "", exponent = "0"] = value.toExponential().split("e")
  return trimmed(mantissa.replace(".", ""), Number(exponent) + 1)
}

const bits = (value: number): { readonly fraction: bigint; readonly exponent: number } => {
  const raw = new DataView(new ArrayBuffer(8))
  raw.setFloat64(0, value)
  const all = raw.getBigUint64(0)
  const fraction = all & 0xfffffffffffffn
  const exponent = Number((all >> 52n) & 0x7ffn)
  return exponent === 0
    ? { fraction, exponent: -1074 }
    : { fraction: fraction | (1n << 52n), exponent: exponent - 1075 }
}

const exact = (value: number): Decimal => {
  const { fraction, exponent } = bits(value)
  if (fraction === 0n) return { digits: "", point: 0 }
  if (exponent >= 0) {
    const whole = (fraction << BigInt(exponent)).toString()
    return trimmed(whole, whole.length)
  }
  const scaled = (fraction * 5n ** BigInt(-exponent)).toString()
  return trimmed(scaled, scaled.length + exponent)
}

/** Round to `count` digits, halves to even. */
const round = (decimal: Decimal, count: number): Decimal => {
  const { digits, point } = decimal
  if (count >= digits.length) return decimal
  if (count < 0) return { digits: "", point: 0 }
  const rest = digits.slice(count)
  const last = count > 0 ? Number(digits[count - 1]) : 0
  const up = rest === "5" ? count > 0 && last % 2 === 1 : (rest[0] ?? "0") >= "5"
  const kept = digits.slice(0, count)
  if (!up) return trimmed(kept, point)
  const raised = (BigInt(kept === "" ? "0" : kept) + 1n).toString()
  return raised.length > count ? trimmed(raised, point + 1) : trimmed(raised.padStart(count, "0"), point)
}

const exponentOf = (exponent: number): string =>
  (exponent < 0 ? "-" : "+") + String(Math.abs(exponent)).padStart(2, "0")

const scientific = ({ digits, point }: Decimal, precision: number, letter: string): string => {
  const first = digits[0] ?? "0"
  const rest = precision > 0 ? `.${digits.slice(1, 1 + precision).padEnd(precision, "0")}` : ""
  return first + rest + letter + exponentOf(digits === "" ? 0 : point - 1)
}

const fixed = ({ digits, point }: Decimal, precision: number): string => {
  const whole = point > 0 ? digits.slice(0, point).padEnd(point, "0") : "0"
  if (precision <= 0) return whole
  const after = point >= 0 ? digits.slice(point) : "0".repeat(-point) + digits
  return `${whole}.${after.slice(0, precision).padEnd(precision, "0")}`
}

const hexFloat = (value: number, precision: number | undefined, upper: boolean): string => {
  let { fraction: mantissa, exponent } = bits(value)
  exponent = mantissa === 0n ? 0 : exponent + 52
  mantissa <<= 8n
  while (mantissa !== 0n && (mantissa & (1n << 60n)) === 0n) {
    mantissa <<= 1n
    exponent--
  }
  if (precision !== undefined && precision < 15) {
    const shift = BigInt(precision * 4)
    const extra = (mantissa << shift) & ((1n << 60n) - 1n)
    mantissa >>= 60n - shift
    if ((extra | (mantissa & 1n)) > 1n << 59n) mantissa++
    mantissa <<= 60n - shift
    if ((mantissa & (1n << 61n)) !== 0n) {
      mantissa >>= 1n
      exponent++
    }
  }
  let text = `0x${(mantissa >> 60n) & 1n}`
  let rest = BigInt.asUintN(64, mantissa << 4n)
  const digit = () => {
    const one = ((rest >> 60n) & 15n).toString(16)
    rest = BigInt.asUintN(64, rest << 4n)
    return one
  }
  if (precision === undefined) {
    if (rest !== 0n) text += "."
    while (rest !== 0n) text += digit()
  } else if (precision > 0) {
    text += "."
    for (let i = 0; i < precision; i++) text += digit()
  }
  text += `p${exponentOf(exponent)}`
  return upper ? text.toUpperCase() : text
}

const generalFloat = (value: number, precision: number | undefined, letter: string): string => {
  const wanted = precision === 0 ? 1 : precision
  const decimal = wanted === undefined ? shortest(value) : round(exact(value), wanted)
  const { digits, point } = decimal
  let threshold = wanted ?? 6
  if (wanted !== undefined && threshold > digits.length && digits.length >= point) threshold = digits.length
  const exponent = point - 1
  if (digits !== "" && (exponent < -4 || exponent >= threshold)) return scientific(decimal, digits.length - 1, letter)
  return fixed(decimal, Math.max(digits.length - point, 0))
}

const floatText = (size: number, verb: string, precision: number | undefined): string => {
  switch (verb) {
    case "b": {
      const { fraction, exponent } = bits(size)
      return `${fraction}p${exponent < 0 ? "-" : "+"}${Math.abs(exponent)}`
    }
    case "x":
    case "X":
      return hexFloat(size, precision, verb === "X")
    case "e":
    case "E": {
      const count = precision ?? 6
      return scientific(round(exact(size), count + 1), count, verb)
    }
    case "f":
    case "F": {
      const count = precision ?? 6
      const all = exact(size)
      return fixed(round(all, all.point + count), count)
    }
    default:
      return generalFloat(size, precision, verb === "G" ? "E" : "e")
  }
}

const sharpened = (text: string, verb: string, precision: number | undefined): string => {
  let digits = verb === "g" || verb === "G" || verb === "v" || verb === "x" ? (precision ?? 6) : 0
  let head = ""
  let tail = ""
  let hasPoint = false
  let seen = false
  for (let i = 0; i < text.length; i++) {
    const one = text[i] ?? ""
    if (one === "p" || one === "P" || ((one === "e" || one === "E") && verb !== "x" && verb !== "X")) {
      tail = text.slice(i)
      break
    }
    head += one
    if (one === ".") {
      hasPoint = true
      continue
    }
    if (one !== "0") seen = true
    if (seen) digits--
  }
  if (!hasPoint) {
    if (head === "0") digits--
    head += "."
  }
  return head + "0".repeat(Math.max(digits, 0)) + tail
}

const float = (value: number, verb: string, flags: Flags): string => {
  const negative = value < 0 || Object.is(value, -0)
  let text = floatText(Math.abs(value), verb, flags.precision)
  if (flags.sharp && verb !== "b") text = sharpened(text, verb === "v" ? "g" : verb, flags.precision)
  const sign = negative ? "-" : flags.plus ? "+" : flags.space ? " " : ""
  if (sign !== "" && flags.zero && !flags.minus && flags.width !== undefined && flags.width > text.length + 1) {
    return sign + text.padStart(flags.width - 1, "0")
  }
  return pad(sign + text, flags)
}

const bigInteger = (value: bigint, verb: string, flags: Flags): string => {
  const base = ({ b: 2, o: 8, O: 8, d: 10, s: 10, v: 10, x: 16, X: 16 } as const)[verb]
  if (base === undefined) return `%!${verb}(big.Int=${value})`
  const sign = value < 0n ? "-" : flags.plus || flags.plusV ? "+" : flags.space ? " " : ""
  const sharp = flags.sharp || flags.sharpV
  const prefix =
    verb === "O" ? "0o" : sharp ? (({ b: "0b", o: "0", x: "0x", X: "0X" } as Record<string, string>)[verb] ?? "") : ""
  let digits = (value < 0n ? -value : value).toString(base)
  if (verb === "X") digits = digits.toUpperCase()
  if (flags.precision !== undefined) digits = digits.padStart(flags.precision, "0")
  const missing = (flags.width ?? 0) - sign.length - prefix.length - digits.length
  if (missing <= 0) return sign + prefix + digits
  if (flags.minus) return sign + prefix + digits + " ".repeat(missing)
  if (flags.zero && flags.precision === undefined) return sign + prefix + "0".repeat(missing) + digits
  return " ".repeat(missing) + sign + prefix + digits
}

const canBackquote = (text: string): boolean =>
  [...text].every((one) => one === "\t" || (one >= " " && one !== "`" && one !== "\u007f" && one !== "\ufeff"))

const quoted = (text: string, flags: Flags): string => {
  const kept = truncate(text, flags)
  if (flags.sharp && canBackquote(kept)) return pad(`\`${kept}\``, flags)
  return pad(quote(kept, '"', flags.plus), flags)
}

const badVerb = (verb: string, argument: Argument, flags: Flags): string =>
  `%!${verb}(${argument.type}=${one(argument, "v", flags)})`

const one = (argument: Argument, verb: string, flags: Flags): string => {
  if (verb === "T") return pad(truncate(argument.type, flags), flags)
  if (verb === "p" && argument.type === "*big.Int") throw new FormatUnsupported("%p of a big integer")
  if (verb === "p") return badVerb(verb, argument, flags)
  switch (argument.type) {
    case "string":
      if (verb === "s" || (verb === "v" && !flags.sharpV)) return pad(truncate(argument.value, flags), flags)
      if (verb === "q" || verb === "v") return quoted(argument.value, flags)
      if (verb === "x" || verb === "X") return hexOfText(argument.value, verb === "X", flags)
      return badVerb(verb, argument, flags)
    case "int64":
      switch (verb) {
        case "v":
        case "d":
          return integer(argument.value, 10, verb, flags)
        case "b":
          return integer(argument.value, 2, verb, flags)
        case "o":
        case "O":
          return integer(argument.value, 8, verb, flags)
        case "x":
        case "X":
          return integer(argument.value, 16, verb, flags)
        case "c":
          return pad(rune(argument.value), flags)
        case "q":
          return pad(quote(rune(argument.value), "'", flags.plus), flags)
        case "U":
          return unicode(argument.value, flags)
        default:
          return badVerb(verb, argument, flags)
      }
    case "*big.Int":
      // Go prints the inside of the number here, which is nobody's contract.
      if (verb === "w") throw new FormatUnsupported("%w of a big integer")
      return bigInteger(argument.value, verb, flags)
    case "float64":
      return "vbgGxXfFeE".includes(verb) ? float(argument.value, verb, flags) : badVerb(verb, argument, flags)
  }
}

const most = 1e6

/** Go's `fmt.Sprintf(format, ...arguments)`. */
export const sprintf = (format: string, given: ReadonlyArray<Argument>): string => {
  let out = ""
  let at = 0
  let next = 0
  let reordered = false
  let good = true
  let afterIndex = false

  const write = (text: string) => {
    out += text
    if (out.length > limit) throw new FormatTooLong()
  }
  const digitsAt = (from: number, to: number): { readonly value: number | undefined; readonly end: number } => {
    let value: number | undefined
    let end = from
    while (end < to && /[0-9]/.test(format[end] ?? "")) {
      if ((value ?? 0) > most) return { value: undefined, end: to }
      value = (value ?? 0) * 10 + Number(format[end])
      end++
    }
    return { value, end }
  }
  const index = () => {
    afterIndex = false
    if (format[at] !== "[") return
    reordered = true
    const close = format.indexOf("]", at + 1)
    if (format.length - at < 3 || close < 0) {
      good = false
      at += 1
      return
    }
    const { value, end } = digitsAt(at + 1, close)
    at = close + 1
    if (value === undefined || end !== close) {
      good = false
      return
    }
    afterIndex = true
    if (value >= 1 && value <= given.length) next = value - 1
    else good = false
  }
  const star = (): number | undefined => {
    const argument = given[next]
    if (argument === undefined) return undefined
    next++
    if (argument.type !== "int64" || argument.value > BigInt(most) || argument.value < -BigInt(most)) return undefined
    return Number(argument.value)
  }

  while (at < format.length) {
    good = true
    const percent = format.indexOf("%", at)
    if (percent < 0) {
      write(format.slice(at))
      break
    }
    write(format.slice(at, percent))
    at = percent + 1
    const flags = noFlags()
    afterIndex = false
    for (; at < format.length; at++) {
      const flag = format[at]
      if (flag === "#") flags.sharp = true
      else if (flag === "0") flags.zero = true
      else if (flag === "+") flags.plus = true
      else if (flag === "-") flags.minus = true
      else if (flag === " ") flags.space = true
      else break
    }
    index()
    if (format[at] === "*") {
      at++
      flags.width = star()
      if (flags.width === undefined) write("%!(BADWIDTH)")
      else if (flags.width < 0) {
        flags.width = -flags.width
        flags.minus = true
        flags.zero = false
      }
      afterIndex = false
    } else {
      const { value, end } = digitsAt(at, format.length)
      flags.width = value
      at = end
      if (afterIndex && value !== undefined) good = false
    }
    if (format[at] === "." && at + 1 < format.length) {
      at++
      if (afterIndex) good = false
      index()
      if (format[at] === "*") {
        at++
        const value = star()
        flags.precision = value === undefined || value < 0 ? undefined : value
        if (flags.precision === undefined) write("%!(BADPREC)")
        afterIndex = false
      } else {
        const { value, end } = digitsAt(at, format.length)
        flags.precision = value ?? 0
        at = end
      }
    }
    if (!afterIndex) index()
    if (at >= format.length) {
      write("%!(NOVERB)")
      break
    }
    const verb = String.fromCodePoint(format.codePointAt(at) ?? 0)
    at += verb.length
    if (verb === "%") {
      write("%")
      continue
    }
    if (!good) {
      write(`%!${verb}(BADINDEX)`)
      continue
    }
    const argument = given[next]
    if (argument === undefined) {
      write(`%!${verb}(MISSING)`)
      continue
    }
    if (verb === "v" || verb === "w") {
      flags.sharpV = flags.sharp
      flags.sharp = false
      flags.plusV = flags.plus
      flags.plus = false
    }
    write(one(argument, verb, flags))
    next++
  }
  if (!reordered && next < given.length) {
    const extra = given.slice(next).map((argument) => `${argument.type}=${one(argument, "v", noFlags())}`)
    write(`%!(EXTRA ${extra.join(", ")})`)
  }
  return out
}
