/**
 * Code in our documents is a region of a file that is tested: `<!-- snippet: path#region -->`, then a fence.
 * `node scripts/snippets.mjs` pastes the regions; `test/docs-snippets.test.ts` fails when one differs.
 */
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const marker = /<!-- snippet: (\S+)#(\S+) -->\n(?:\n?```[^\n]*\n[\s\S]*?\n```\n)?/gu
const languages = { ts: "ts", mjs: "js", sh: "sh", rego: "rego", py: "python", yaml: "yaml" }

/** The lines between `#region name` and `#endregion name`, without them and without common indentation. */
export const regionOf = (text, name) => {
  const lines = text.split("\n")
  const start = lines.findIndex((line) => new RegExp(`#region ${name}$`, "u").test(line.trimEnd()))
  const end = lines.findIndex((line) => new RegExp(`#endregion ${name}$`, "u").test(line.trimEnd()))
  if (start < 0 || end < start) return undefined
  const body = lines.slice(start + 1, end)
  const indent = Math.min(
    ...body.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length)
  )
  return body.map((line) => line.slice(indent)).join("\n")
}

/** The document with every snippet as its file has it now. Throws for a region that is not there. */
export const pasted = (document, read = (path) => readFileSync(join(root, path), "utf8")) =>
  document.replace(marker, (_all, path, name) => {
    const region = regionOf(read(path), name)
    if (region === undefined) throw new Error(`${path} has no region ${name}`)
    return `<!-- snippet: ${path}#${name} -->\n\n\`\`\`${languages[path.split(".").pop()] ?? ""}\n${region}\n\`\`\`\n`
  })

/** Every Markdown file that git tracks or would. */
export const documents = () =>
  execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard", "*.md"], {
    cwd: root,
    encoding: "utf8"
  })
    .split("\n")
    .filter((path) => path !== "")

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  for (const path of documents()) {
    const before = readFileSync(join(root, path), "utf8")
    const after = pasted(before)
    if (after !== before) {
      writeFileSync(join(root, path), after)
      console.log(`pasted into ${path}`)
    }
  }
}
