/**
 * What `JSON.parse` does not object to in a body from outside: nesting without end, and a name that stands twice in one
 * object, of which two readers may take different ones (RFC 8259, section 4).
 */

/** Deepest nesting that is read. The API's own shapes need 6. */
export const mostLevels = 64

/** Whether brackets nest deeper than `mostLevels`. Looks at any text, JSON or not, without recursion. */
export const isTooDeep = (text: string): boolean => {
  let level = 0
  let inString = false
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (inString) {
      if (character === "\\") at++
      else if (character === '"') inString = false
    } else if (character === '"') inString = true
    else if (character === "{" || character === "[") {
      if (++level > mostLevels) return true
    } else if (character === "}" || character === "]") level--
  }
  return false
}

interface Level {
  /** Names seen; null in an array. */
  readonly names: Set<string> | null
  /** The member or element that is being read. */
  current: string
  index: number
}

/** Paths of names that stand more than once in their object, at most `most`. `text` is well-formed JSON. */
export const repeatedNames = (text: string, most = 50): ReadonlyArray<string> => {
  const found: Array<string> = []
  const levels: Array<Level> = []
  let expectsName = false
  for (let at = 0; at < text.length && found.length < most; at++) {
    const level = levels.at(-1)
    switch (text[at]) {
      case '"': {
        const start = at
        for (at++; text[at] !== '"' && at < text.length; at++) if (text[at] === "\\") at++
        if (!expectsName || level === undefined || level.names === null) break
        const name: unknown = JSON.parse(text.slice(start, at + 1))
        level.current = String(name)
        if (level.names.has(level.current)) found.push(levels.map((one) => one.current.slice(0, 64)).join("."))
        level.names.add(level.current)
        expectsName = false
        break
      }
      case "{":
        levels.push({ names: new Set(), current: "", index: 0 })
        expectsName = true
        break
      case "[":
        levels.push({ names: null, current: "0", index: 0 })
        expectsName = false
        break
      case "}":
      case "]":
        levels.pop()
        expectsName = false
        break
      case ",":
        if (level === undefined) break
        if (level.names === null) level.current = String(++level.index)
        else expectsName = true
        break
      default:
    }
  }
  return found
}
