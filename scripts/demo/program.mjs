// The program that `jitsudo exec` runs in the demo: it calls AWS with the credentials in its environment, and looks
// for them where they must not be. It never prints them.
//
// One command a line on standard input, one line of JSON on standard output:
//   call        iam:ListRoles by the official SDK
//   look DIR    command lines of all processes, environment of the parent, every file below DIR
//   exit N      ends with exit code N

import { IAMClient, ListRolesCommand } from "@aws-sdk/client-iam"
import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"

const names = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
const secrets = names.map((name) => process.env[name] ?? "").filter((secret) => secret !== "")
const holdsSecret = (text) => secrets.some((secret) => text.includes(secret))

const client = new IAMClient({ maxAttempts: 1 })

const call = async () => {
  try {
    const { Roles } = await client.send(new ListRolesCommand({}))
    return { allowed: true, roles: (Roles ?? []).map(({ RoleName }) => RoleName) }
  } catch (error) {
    return { allowed: false, code: error instanceof Error ? error.name : String(error) }
  }
}

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

const parentEnvironment = () =>
  onLinux
    ? readOrEmpty(`/proc/${process.ppid}/environ`)
    : execFileSync("ps", ["-Eww", "-o", "command=", "-p", String(process.ppid)], { encoding: "utf8" })

const look = (directory) => {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  return {
    secrets: secrets.length,
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
  const answer = command === "look" ? look(rest.join(" ")) : await call()
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
