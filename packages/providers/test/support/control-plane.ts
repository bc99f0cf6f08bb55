/**
 * A real API server with its etcd, as a process of its own: `control-plane.ts DIRECTORY` with the directory of both
 * binaries. It prints one line of JSON when the server is ready, and ends both, by their ids, when its standard input
 * ends: whoever started it may die in any way.
 *
 * Everything listens on the loopback interface, on ports that were free a moment ago (neither program can say which it
 * took for port 0), and lives in a directory that goes with it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { generateKeyPairSync, randomBytes } from "node:crypto"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { request } from "node:https"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as wait } from "node:timers/promises"

const assets = process.argv[2] ?? ""
const directory = mkdtempSync(join(tmpdir(), "jitsudo-control-plane-"))
const children: Array<ChildProcess> = []

const stop = (code: number): void => {
  for (const child of children) if (child.exitCode === null) child.kill("SIGKILL")
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
  process.exit(code)
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.once("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() =>
        address === null || typeof address === "string" ? reject(new Error("no port")) : resolve(address.port)
      )
    })
  })

const run = (program: string, args: ReadonlyArray<string>): void => {
  const log = join(directory, `${program}.log`)
  const child = spawn(join(assets, program), [...args], { stdio: ["ignore", "ignore", "pipe"], cwd: directory })
  let said = ""
  child.stderr?.on("data", (data) => {
    said = (said + String(data)).slice(-4000)
    writeFileSync(log, said)
  })
  child.once("error", (error) => {
    process.stderr.write(`${program} cannot be started: ${error.message}\n`)
    stop(1)
  })
  child.once("exit", (code) => {
    process.stderr.write(`${program} ended with ${code}:\n${said}\n`)
    stop(1)
  })
  children.push(child)
}

process.stdin.once("end", () => stop(0)).resume()
process.once("SIGTERM", () => stop(0))
process.once("SIGINT", () => stop(0))

const file = (name: string, text: string): string => {
  const path = join(directory, name)
  writeFileSync(path, text, { mode: 0o600 })
  return path
}

const secret = (): string => randomBytes(24).toString("hex")
const tokens = { admin: secret(), daemon: secret(), alice: secret(), maker: secret() }
const keys = generateKeyPairSync("rsa", {
  modulusLength: 2048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" }
})
const [client, peer, secure] = [await freePort(), await freePort(), await freePort()]

run("etcd", [
  `--data-dir=${join(directory, "etcd")}`,
  `--listen-client-urls=http://127.0.0.1:${client}`,
  `--advertise-client-urls=http://127.0.0.1:${client}`,
  `--listen-peer-urls=http://127.0.0.1:${peer}`,
  `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
  `--initial-cluster=default=http://127.0.0.1:${peer}`,
  "--unsafe-no-fsync",
  "--log-level=error"
])
run("kube-apiserver", [
  `--etcd-servers=http://127.0.0.1:${client}`,
  "--bind-address=127.0.0.1",
  `--secure-port=${secure}`,
  `--cert-dir=${join(directory, "certificates")}`,
  "--authorization-mode=RBAC",
  `--token-auth-file=${file(
    "tokens.csv",
    [
      `${tokens.admin},admin,1,system:masters`,
      `${tokens.daemon},system:serviceaccount:jitsudo:jitsudod,2`,
      `${tokens.alice},oidc:alice@example.com,3`,
      `${tokens.maker},maker,4`,
      ""
    ].join("\n")
  )}`,
  "--service-account-issuer=https://127.0.0.1",
  `--service-account-key-file=${file("accounts.pub", keys.publicKey)}`,
  `--service-account-signing-key-file=${file("accounts.key", keys.privateKey)}`,
  "--service-cluster-ip-range=10.0.0.0/24",
  "--endpoint-reconciler-type=none",
  "--profiling=false"
])

const url = `https://127.0.0.1:${secure}`
const ca = join(directory, "certificates", "apiserver.crt")

const isReady = (): Promise<boolean> =>
  new Promise((resolve) => {
    if (!existsSync(ca)) {
      resolve(false)
      return
    }
    const asking = request(
      `${url}/readyz`,
      { ca: readFileSync(ca), headers: { authorization: `Bearer ${tokens.admin}` } },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode === 200)
      }
    )
    asking.once("error", () => resolve(false))
    asking.end()
  })

while (!(await isReady())) await wait(100)
process.stdout.write(`${JSON.stringify({ url, ca, tokens })}\n`)
