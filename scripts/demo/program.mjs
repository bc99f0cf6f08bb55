// The program that `jitsudo exec` runs in the demo: it uses the right that it was given at the platform, and looks for
// credentials where they must not be. It never prints them.
//
// Arguments: the platform's name, and the role and scope that were asked for. One command a line on standard input, one line of JSON on standard
// output:
//   call        what the platform's file says that proves the right
//   look DIR    command lines of all processes, environment of the parent, every file below DIR
//   exit N      ends with exit code N

import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { load } from "./platforms/Platforms.ts"

const [, , name, role, scope] = process.argv
const platform = await load(name)

const secrets = (await platform.secrets.here()).filter((secret) => secret !== undefined && secret !== "")
const holdsSecret = (text) => secrets.some((secret) => text.includes(secret))

/** A file of a process that may end while it is read. */
const readOrEmpty = (file) => {
  try {
    return readFileSync(file, "utf8")
  } catch (error) {
    if (["ENOENT", "ESRCH", "EACCES", "EPERM"].includes(error.code)) return ""
    throw error
  }
}

const onLinux = existsSync("/proc/self/environ")

const commandLines = () =>
  onLinux
    ? readdirSync("/proc")
        .filter((entry) => /^\d+$/.test(entry))
        .map((pid) => readOrEmpty(`/proc/${pid}/cmdline`))
    : execFileSync("ps", ["-axww", "-o", "command="], { encoding: "utf8" }).split("\n")

/** What the parent does not have: the variables that the program was given. */
const given = () => {
  const before = new Set([...parentEnvironment().matchAll(/(?:^|[\0\s])([A-Za-z_]\w*)=/g)].map(([, name]) => name))
  return Object.keys(process.env).filter((name) => !before.has(name))
}

const parentEnvironment = () =>
  onLinux
    ? readOrEmpty(`/proc/${process.ppid}/environ`)
    : execFileSync("ps", ["-Eww", "-o", "command=", "-p", String(process.ppid)], { encoding: "utf8" })

const look = (directory) => {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return {
    secrets: secrets.length,
    given: given(),
    handed: platform.secrets.files.map((name) => ({
      path: process.env[name],
      isPrivate: (statSync(process.env[name]).mode & 0o077) === 0
    })),
    inCommandLines: commandLines().some(holdsSecret),
    inParent: holdsSecret(parentEnvironment()),
    files: files.length,
    inFiles: files
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => existsSync(file) && holdsSecret(readFileSync(file, "latin1")))
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...rest] = line.split(" ")
  if (command === "exit") process.exit(Number(rest[0]))
  const answer = command === "look" ? look(rest.join(" ")) : await platform.call({ role, scope })
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
