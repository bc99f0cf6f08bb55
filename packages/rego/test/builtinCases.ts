/**
 * Arguments for every host built-in: a fixed list of the awkward ones, and as many generated ones as asked for.
 *
 * Values are JSON text, because nanosecond timestamps are beyond what a JavaScript number can hold.
 */

export interface BuiltinCase {
  /** Of the arguments, in JSON. */
  readonly args: ReadonlyArray<string>
}

export interface BuiltinCases {
  readonly name: string
  readonly arity: number
  readonly cases: ReadonlyArray<BuiltinCase>
}

/** A small generator of numbers that gives the same ones for the same seed. */
export const random = (seed: number) => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return {
    below: (n: number): number => Math.floor(next() * n),
    pick: <A>(from: ReadonlyArray<A>): A => {
      const one = from[Math.floor(next() * from.length)]
      if (one === undefined) throw new Error("nothing to pick from")
      return one
    }
  }
}

type Random = ReturnType<typeof random>

const zones = [
  "",
  "UTC",
  "Local",
  "Europe/Berlin",
  "America/New_York",
  "America/St_Johns",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "Australia/Lord_Howe",
  "Pacific/Apia",
  "America/Sao_Paulo",
  "Europe/Dublin",
  "Africa/Casablanca",
  "Antarctica/Troll",
  "Etc/GMT+5",
  "EST",
  "US/Pacific",
  "Africa/Monrovia",
  "europe/berlin",
  "Nowhere/City",
  "../UTC"
]

const instants = [
  "0",
  "-1",
  "1",
  "1582977600000000000",
  "1582934400123456789",
  "1709164800000000000",
  "1711846800000000000",
  "1711846799999999999",
  "1729987200000000000",
  "1603587600000000000",
  "1699164000000000000",
  "951782400000000000",
  "-2208988800000000000",
  "-9223372036854775808",
  "9223372036854775807",
  "9223372036854775808",
  "4102444800000000000",
  "7258118400000000000",
  "1.5",
  "1.0",
  "1e18",
  "1700000000.5e9",
  '"1700000000000000000"',
  "null"
]

const nanosOf = (r: Random): string => {
  if (r.below(4) === 0) return r.pick(instants)
  const second = r.below(2) === 0 ? r.below(9_000_000_000) : 1_600_000_000 + r.below(400_000_000)
  return `${r.below(8) === 0 ? "-" : ""}${second}${String(r.below(1_000_000_000)).padStart(9, "0")}`
}

const layouts = [
  "",
  "RFC3339",
  "RFC3339Nano",
  "RFC1123",
  "RFC1123Z",
  "RFC822",
  "RFC822Z",
  "RFC850",
  "ANSIC",
  "UnixDate",
  "RubyDate",
  "2006-01-02",
  "Monday Jan _2 2006",
  "January 2, 2006 at 3:04pm (MST)",
  "02/01/06 15:04:05.000",
  "15:04:05,999999",
  "2006 002",
  "__2 2006",
  "Z0700 -07 Z07 -070000 -07:00:00 Z07:00:00 Z070000",
  "03:04:05PM",
  "5 4 3 2 1",
  "_2006 Mont Janus Mon",
  "literal \u00e9\u4e16 .9 .99x .09",
  "2006-01-02T15:04:05.000000000Z07:00",
  "Jan 2 15:04 -0700 MST"
]

const momentOf = (r: Random): string => {
  switch (r.below(5)) {
    case 0:
      return nanosOf(r)
    case 1:
      return `[${nanosOf(r)}]`
    case 2:
      return `[${nanosOf(r)},${JSON.stringify(r.pick(zones))},${JSON.stringify(r.pick(layouts))}]`
    case 3:
      return r.pick(["[]", '"x"', "{}", '["a"]', "[1,2]", '[1,"UTC",3]', "true"])
    default:
      return `[${nanosOf(r)},${JSON.stringify(r.pick(zones))}]`
  }
}

const parsable: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  [
    "RFC3339",
    [
      "2024-02-29T12:00:00Z",
      "2023-02-29T12:00:00Z",
      "2024-06-30T23:59:60Z",
      "2024-01-01T00:00:00,5Z",
      "2024-1-01T00:00:00Z"
    ]
  ],
  [
    "RFC3339Nano",
    [
      "2024-02-29T12:00:00.123456789123+24:60",
      "1677-09-21T00:12:43Z",
      "2262-04-11T23:47:16.854775808Z",
      "0000-01-01T00:00:00Z"
    ]
  ],
  [
    "RFC1123",
    [
      "Thu, 29 Feb 2024 12:00:00 GMT",
      "Thu, 29 Feb 2024 12:00:00 CEST",
      "thu, 29 feb 2024 12:00:00 UTC",
      "Xyz, 29 Feb 2024 12:00:00 UTC"
    ]
  ],
  ["RFC1123Z", ["Thu, 29 Feb 2024 12:00:00 -0730", "Thu, 29 Feb 2024 12:00:00 0730"]],
  ["RFC822", ["29 Feb 24 12:00 MST", "29 Feb 69 12:00 GMT+3", "29 Feb 68 12:00 GMT-24", "31 Apr 24 12:00 MST"]],
  [
    "RFC850",
    ["Thursday, 29-Feb-24 12:00:00 WITA", "Thursday, 29-Feb-24 12:00:00 ABCDE", "Thursday, 29-Feb-24 12:00:00 ABCDT"]
  ],
  ["ANSIC", ["Thu Feb 29 12:00:00 2024", "Thu Feb  9 12:00:00 2024", "Thu Feb   9 12:00:00 2024"]],
  ["UnixDate", ["Thu Feb 29 12:00:00 ChST 2024", "Thu Feb 29 12:00:00 +03 2024", "Thu Feb 29 12:00:00 +99 2024"]],
  ["2006-01-02", ["2024-02-30", "2024-12-31", "2024-13-01", "2024-00-10", "+024-01-01", "2024-01-01 "]],
  ["3:04PM", ["12:00AM", "12:00PM", "1:30PM", "13:00PM", "1:60AM", "1:30pm"]],
  ["3:04pm Jan 2 2006", ["12:00am Jan 1 2024", "9:15pm feb 29 2024", "9:15PM Feb 29 2024"]],
  ["2006 002", ["2024 060", "2024 366", "2023 366", "2023 000", "2024 60"]],
  ["2006 __2", ["2024   1", "2024  60", "2024 366"]],
  ["2006-01-02 002", ["2024-02-29 060", "2024-02-28 060", "2024-03-01 060"]],
  ["15:04:05.000", ["12:00:00.123", "12:00:00.12", "12:00:00,123", "12:00:00.1234"]],
  ["15:04:05.999", ["12:00:00", "12:00:00.123456", "12:00:00."]],
  [
    "2006-01-02 15:04:05 -07:00:00",
    ["2024-02-29 12:00:00 +01:02:03", "2024-02-29 12:00:00 -00:00:01", "2024-02-29 12:00:00.25 +01:02:03"]
  ],
  ["2006-01-02 15:04:05 Z0700", ["2024-02-29 12:00:00 Z", "2024-02-29 12:00:00 +0100", "2024-02-29 12:00:00 z"]],
  ["Monday January _2 2006", ["monday february  9 2024", "Monday May 1 2024", "Monday Mayo 1 2024"]],
  ["Jan 2 06", ["Jan 2 -5", "Jan 2 +5", "Jan 2 7", "Jan 2 70"]]
]

const mutated = (r: Random, text: string): string => {
  const at = r.below(text.length + 1)
  switch (r.below(4)) {
    case 0:
      return text.slice(0, at) + text.slice(at + 1)
    case 1:
      return text.slice(0, at) + r.pick(["0", "9", " ", "-", ":", "Z", "x", "."]) + text.slice(at)
    case 2:
      return text.slice(0, at) + String(r.below(10)) + text.slice(at + 1)
    default:
      return text
  }
}

const durations = [
  "0",
  "",
  "-",
  "1",
  "1h",
  "1.5h",
  "-1.5h",
  "+2h45m",
  "300ms",
  "1us",
  "1\u00b5s",
  "1\u03bcs",
  "1ns",
  ".5s",
  "1.s",
  ".s",
  "1d",
  "1.5d",
  "1w2d3h",
  "1y",
  "-1d",
  "1d-1h",
  "1000000000000d",
  "9223372036854775807ns",
  "9223372036854775808ns",
  "-9223372036854775808ns",
  "0.9999999999999999999999h",
  "1h1h",
  "1x",
  "1 h",
  "1dx",
  "3.1.4d",
  "1e3s",
  "1.0000000001w",
  "d",
  "0.1y",
  "106751d",
  "106752d"
]

const durationOf = (r: Random): string => {
  if (r.below(3) === 0) return mutated(r, r.pick(durations))
  let text = r.pick(["", "", "-", "+"])
  for (let i = r.below(3); i >= 0; i--) {
    text += `${r.below(2000)}${r.pick(["", "", `.${r.below(100_000)}`])}${r.pick(["ns", "us", "ms", "s", "m", "h", "d", "w"])}`
  }
  return text
}

const versions = [
  "1.0.0",
  "v1.0.0",
  "1.0",
  "1.0.0.0",
  "01.0.0",
  "1.0.0-alpha",
  "1.0.0-alpha.1",
  "1.0.0-alpha.beta",
  "1.0.0-beta.2",
  "1.0.0-beta.11",
  "1.0.0-rc.1",
  "1.0.0+build",
  "1.0.0-01",
  "1.0.0-0a",
  "1.0.0-",
  "1.0.0+",
  "1.0.0-a..b",
  "1.0.0+a.b-c",
  "9223372036854775807.0.0",
  "9223372036854775808.0.0",
  "",
  "vv1.0.0",
  "1.0.-1",
  "1.0.0-99999999999999999999",
  "1.0.0-\u00e9",
  "1.0.0\n",
  " 1.0.0",
  "1.0.0-A",
  "1.0.0-a"
]

const versionOf = (r: Random): string => {
  if (r.below(2) === 0) return r.pick(versions)
  return `${r.pick(["", "", "v"])}${r.below(3)}.${r.below(3)}.${r.below(12)}${r.pick(["", "", `-${r.pick(["a", "b", "rc"])}.${r.below(12)}`, `-${r.below(12)}.${r.pick(["x", "1", "10"])}`])}${r.pick(["", "", "+m"])}`
}

const values = [
  "0",
  "1",
  "-1",
  "42",
  "-7",
  "255",
  "8364",
  "128512",
  "1114112",
  "-9223372036854775808",
  "9223372036854775807",
  "9223372036854775808",
  "-123456789012345678901234567890",
  "1.0",
  "1.5",
  "-0.0",
  "0.5",
  "2.5",
  "100000.0",
  "123456789.125",
  "1e6",
  "1e21",
  "1e-7",
  "3.14159265358979",
  "5e-324",
  "1.7976931348623157e308",
  "1e400",
  '"text"',
  '"\u00e9\u4e16\ud83d\ude00"',
  '"tab\\tnew\\nquote\\"back\\\\slash\\u0007\\u00a0"',
  '""',
  "null",
  "true",
  "false",
  "[]",
  '[1,"a",[null]]',
  "{}",
  '{"b":1,"a":[true]}',
  '"` backquote"'
]

/** Of a big integer Go prints the inside for some verbs; those are refused. */
const isBig = (value: string): boolean => /^-?\d{19,}$/.test(value)

const verbs = [
  "v",
  "d",
  "s",
  "q",
  "x",
  "X",
  "o",
  "O",
  "b",
  "c",
  "U",
  "e",
  "E",
  "f",
  "F",
  "g",
  "G",
  "t",
  "T",
  "w",
  "z",
  "%",
  "\u00e9"
]

const verbOf = (r: Random): string => {
  const flags = ["", "", "", "+", "-", "#", " ", "0", "+#", "-0", "# ", "+0"]
  const width = ["", "", "", "5", "12", "1"]
  const precision = ["", "", "", ".0", ".3", ".", ".12"]
  return `%${r.pick(flags)}${r.pick(width)}${r.pick(precision)}${r.pick(verbs)}`
}

const formats = [
  "",
  "plain",
  "100%",
  "%",
  "%!",
  "%d %d",
  "%[2]d %[1]d",
  "%[3]d",
  "%[1]d %d",
  "%[x]d",
  "%[1",
  "%[2]*[1]d",
  "%*d",
  "%-*d|",
  "%.*f",
  "%*.*f",
  "%[1]2d",
  "%[1].2d",
  "%6.2f%%",
  "%1000001d",
  "%.1000001d",
  "%s",
  "%s %s %s",
  "%v",
  "%+v",
  "%#v",
  "%05s|",
  "%-05d|",
  "%x",
  "% x",
  "%# x",
  "%08.3f",
  "%+08.3f",
  "% 08d",
  "%08d",
  "%x%X",
  "\u00e9%s\u4e16",
  "%.2s|",
  "%5.1q",
  "%6U",
  "%#U",
  "%#q",
  "%+q",
  "%p"
]

const formatArguments = (r: Random): BuiltinCase => {
  const format =
    r.below(3) === 0
      ? r.pick(formats)
      : Array.from({ length: 1 + r.below(2) }, () => verbOf(r)).join(r.pick(["", " ", "|"]))
  const fitting = /[wp]/.test(format) ? values.filter((value) => !isBig(value)) : values
  const list = Array.from({ length: r.below(3) + (r.below(6) === 0 ? 0 : 1) }, () => r.pick(fitting))
  return { args: [JSON.stringify(format), r.below(40) === 0 ? '"no list"' : `[${list.join(",")}]`] }
}

const allFormats: ReadonlyArray<BuiltinCase> = [
  ...formats.flatMap((format) =>
    ["[]", "[5]", "[7,42]", '["ab",3,1.25]', "[6,2,3.14159]"].map((list) => ({ args: [JSON.stringify(format), list] }))
  ),
  ...verbs.flatMap((verb) =>
    values
      .filter((value) => verb !== "w" || !isBig(value))
      .map((value) => ({ args: [JSON.stringify(`%${verb}`), `[${value}]`] }))
  )
]

const repeat = (count: number, make: () => BuiltinCase): ReadonlyArray<BuiltinCase> =>
  Array.from({ length: count }, make)

const strings = (texts: ReadonlyArray<string>): ReadonlyArray<BuiltinCase> => [
  ...texts.map((text) => ({ args: [JSON.stringify(text)] })),
  ...["1", "null", "[]", "{}", "true"].map((value) => ({ args: [value] }))
]

/** At least `count` arguments for each built-in. */
export const builtinCases = (seed: number, count: number): ReadonlyArray<BuiltinCases> => {
  const r = random(seed)
  const moments = (name: string): BuiltinCases => ({
    name,
    arity: 1,
    cases: [
      ...zones.flatMap((zone) => instants.map((instant) => ({ args: [`[${instant},${JSON.stringify(zone)}]`] }))),
      ...repeat(count, () => ({ args: [momentOf(r)] }))
    ]
  })
  const shift = () =>
    r.pick(["0", "1", "-1", "12", "-13", "31", "400", "-1000", "1.0", "1.5", '"1"', "100000", String(r.below(40))])
  return [
    { name: "sprintf", arity: 2, cases: [...allFormats, ...repeat(count, () => formatArguments(r))] },
    {
      name: "semver.is_valid",
      arity: 1,
      cases: [...strings(versions), ...repeat(count, () => ({ args: [JSON.stringify(versionOf(r))] }))]
    },
    {
      name: "semver.compare",
      arity: 2,
      cases: [
        ...versions.flatMap((a) => versions.map((b) => ({ args: [JSON.stringify(a), JSON.stringify(b)] }))),
        { args: ["1", '"1.0.0"'] },
        ...repeat(count, () => ({ args: [JSON.stringify(versionOf(r)), JSON.stringify(versionOf(r))] }))
      ]
    },
    { name: "time.now_ns", arity: 0, cases: [{ args: [] }] },
    {
      name: "time.parse_rfc3339_ns",
      arity: 1,
      cases: [
        ...strings([
          ...(parsable[0]?.[1] ?? []),
          ...(parsable[1]?.[1] ?? []),
          "2024-02-29T12:00:00+05:30",
          "2024-02-29 12:00:00Z",
          "2024-02-29T24:00:00Z"
        ]),
        ...repeat(count, () => ({
          args: [
            JSON.stringify(
              mutated(
                r,
                `${1600 + r.below(700)}-${String(1 + r.below(12)).padStart(2, "0")}-${String(1 + r.below(31)).padStart(2, "0")}T${String(r.below(25)).padStart(2, "0")}:${String(r.below(61)).padStart(2, "0")}:59${r.pick(["", ".5", ".123456789"])}${r.pick(["Z", "+02:00", "-11:30"])}`
              )
            )
          ]
        }))
      ]
    },
    {
      name: "time.parse_ns",
      arity: 2,
      cases: [
        ...parsable.flatMap(([layout, texts]) =>
          texts.map((text) => ({ args: [JSON.stringify(layout), JSON.stringify(text)] }))
        ),
        ...repeat(count, () => {
          const [layout, texts] = r.pick(parsable)
          return { args: [JSON.stringify(layout), JSON.stringify(mutated(r, r.pick(texts)))] }
        })
      ]
    },
    {
      name: "time.parse_duration_ns",
      arity: 1,
      cases: [...strings(durations), ...repeat(count, () => ({ args: [JSON.stringify(durationOf(r))] }))]
    },
    {
      name: "time.format",
      arity: 1,
      cases: [
        ...layouts.flatMap((layout) =>
          zones.map((zone) => ({ args: [`[1711846799123456789,${JSON.stringify(zone)},${JSON.stringify(layout)}]`] }))
        ),
        ...repeat(count, () => ({ args: [momentOf(r)] }))
      ]
    },
    moments("time.clock"),
    moments("time.date"),
    moments("time.weekday"),
    {
      name: "time.add_date",
      arity: 4,
      cases: [
        { args: ["1582934400000000000", "1", "0", "0"] },
        { args: ["1582934400000000000", "0", "12", "0"] },
        { args: ["1580428800000000000", "0", "1", "0"] },
        { args: ['[1711846799123456789,"Europe/Berlin"]', "0", "0", "1"] },
        { args: ['[1711760399123456789,"Europe/Berlin"]', "0", "0", "1"] },
        ...repeat(count, () => ({ args: [momentOf(r), shift(), shift(), shift()] }))
      ]
    },
    {
      name: "time.diff",
      arity: 2,
      cases: [
        ...repeat(count, () => ({ args: [momentOf(r), momentOf(r)] })),
        ...instants.flatMap((a) => instants.map((b) => ({ args: [a, b] })))
      ]
    }
  ]
}

/**
 * A policy that applies the built-in to each case; what is undefined is missing from the answer. Numbers come as text,
 * because nanoseconds are beyond what a JavaScript number can hold.
 */
export const policyOf = ({ arity, name }: BuiltinCases): string => {
  const args = Array.from({ length: arity }, (_, i) => `c[${i}]`).join(", ")
  const value = /^(?:time\.(?:now_ns|parse_|add_date)|semver\.compare)/u.test(name) ? 'sprintf("%d", [value])' : "value"
  return `package probe\n\nanswers[i] := ${value} if {\n\tsome i, c in input\n\tvalue := ${name}(${args})\n}\n`
}

/** The cases as one input document. */
export const inputOf = ({ cases }: BuiltinCases): string =>
  `[${cases.map((one) => `[${one.args.join(",")}]`).join(",")}]`
