/**
 * PostgreSQL's wire protocol spoken to PGlite in the same process: `@effect/sql-pg` takes a stream, this gives it one.
 *
 * PGlite has one session. Each stream is a virtual connection on it:
 * 1. What a client sends up to a Sync runs as one piece, never interleaved with another's.
 * 2. A client inside a transaction keeps the session until it ends; a client that goes away inside one is rolled back.
 * 3. Notifications go to all connections; the driver drops channels that it does not listen to.
 *
 * Settings and prepared names are shared by all: the client must not prepare.
 */
import type { PGlite } from "@electric-sql/pglite"
import { Duplex } from "node:stream"

const sslRequest = 80877103
const cancelRequest = 80877102
const code = { sync: 0x53, flush: 0x48, query: 0x51, terminate: 0x58, notification: 0x41, ready: 0x5a } as const

interface Piece {
  readonly from: Connection
  readonly bytes: Buffer
  /** Ends with Sync: the session is free afterwards unless a transaction is open. */
  readonly complete: boolean
}

const message = (type: string, body: Buffer): Buffer => {
  const out = Buffer.alloc(5 + body.length)
  out.write(type, 0, "latin1")
  out.writeInt32BE(4 + body.length, 1)
  body.copy(out, 5)
  return out
}

const parameter = (name: string, value: string) => message("S", Buffer.from(`${name}\0${value}\0`))

/** What a server says after a start-up packet: come in, these settings, no key for cancelling, ready. */
const greeting = (version: string): Buffer =>
  Buffer.concat([
    message("R", Buffer.alloc(4)),
    parameter("server_version", version),
    parameter("client_encoding", "UTF8"),
    parameter("integer_datetimes", "on"),
    parameter("standard_conforming_strings", "on"),
    parameter("TimeZone", "UTC"),
    message("K", Buffer.alloc(8)),
    message("Z", Buffer.from("I"))
  ])

/** The answer without notifications, the notifications, and the last transaction status. */
const split = (bytes: Buffer) => {
  const own: Array<Buffer> = []
  const notifications: Array<Buffer> = []
  let status = ""
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + bytes.readInt32BE(at + 1)
    const frame = bytes.subarray(at, end)
    if (bytes[at] === code.ready) status = String.fromCharCode(frame[5] ?? 0)
    if (bytes[at] === code.notification) notifications.push(frame)
    else own.push(frame)
    at = end
  }
  return { own: Buffer.concat(own), notifications: Buffer.concat(notifications), status }
}

export class PgliteBridge {
  private readonly waiting: Array<Piece> = []
  private readonly connections = new Set<Connection>()
  /** Inside a transaction, or before its Sync. */
  private owner: Connection | undefined
  private running = false
  private broken: Error | undefined
  private readonly database: PGlite
  private readonly greets: Buffer

  constructor(database: PGlite, version: string) {
    this.database = database
    this.greets = greeting(version)
  }

  /** A new virtual connection. */
  readonly connect = (): Duplex => {
    const connection = new Connection(this, this.greets)
    if (this.broken !== undefined) connection.destroy(this.broken)
    else this.connections.add(connection)
    return connection
  }

  enqueue(piece: Piece): void {
    this.waiting.push(piece)
    void this.pump()
  }

  gone(connection: Connection): void {
    this.connections.delete(connection)
    const left = this.waiting.filter((piece) => piece.from !== connection)
    this.waiting.splice(0, this.waiting.length, ...left)
    if (this.owner === connection) {
      this.enqueue({ from: connection, bytes: message("Q", Buffer.from("ROLLBACK\0")), complete: true })
    }
  }

  private next(): Piece | undefined {
    const index = this.owner === undefined ? 0 : this.waiting.findIndex((piece) => piece.from === this.owner)
    return index < 0 ? undefined : this.waiting.splice(index, 1)[0]
  }

  private async pump(): Promise<void> {
    if (this.running) return
    this.running = true
    try {
      for (let piece = this.next(); piece !== undefined; piece = this.next()) {
        const parts: Array<Buffer> = []
        const { bytes, complete, from } = piece
        await this.database.runExclusive(() =>
          this.database.execProtocolRawStream(bytes, { onRawData: (data) => parts.push(Buffer.from(data)) })
        )
        const { notifications, own, status } = split(Buffer.concat(parts))
        this.owner = complete && status === "I" ? undefined : from
        if (!from.destroyed) from.push(own)
        if (notifications.length > 0) for (const one of this.connections) one.push(notifications)
      }
    } catch (failure) {
      // The database inside this process is no more: every connection, present and future, says so.
      this.broken = failure instanceof Error ? failure : new Error("the embedded database stopped", { cause: failure })
      for (const one of this.connections) one.destroy(this.broken)
    } finally {
      this.running = false
    }
  }
}

class Connection extends Duplex {
  private rest: Buffer = Buffer.alloc(0)
  private started = false
  private readonly bridge: PgliteBridge
  private readonly greets: Buffer

  constructor(bridge: PgliteBridge, greets: Buffer) {
    super()
    this.bridge = bridge
    this.greets = greets
  }

  override _read(): void {}

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.bridge.gone(this)
    done(error)
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk])
    let start = 0
    let at = 0
    while (this.rest.length - at >= (this.started ? 5 : 8)) {
      const length = this.started ? this.rest.readInt32BE(at + 1) + 1 : this.rest.readInt32BE(at)
      if (this.rest.length - at < length) break
      const type = this.rest[at]
      if (!this.started) {
        const request = this.rest.readInt32BE(at + 4)
        at += length
        start = at
        if (request === sslRequest) this.push("N")
        else if (request === cancelRequest) {
          // One thread: while a statement runs nobody could hear a cancellation.
          this.push(null)
          return done()
        } else {
          this.started = true
          this.push(this.greets)
        }
        continue
      }
      at += length
      if (type === code.terminate) {
        this.push(null)
        break
      }
      if (type === code.sync || type === code.query || type === code.flush) {
        const bytes = Buffer.from(this.rest.subarray(start, at))
        // One session: a connection's UNLISTEN would silence the others.
        const unlisten = bytes.indexOf('UNLISTEN "')
        if (unlisten >= 0 && unlisten < 16) bytes.write("  LISTEN", unlisten, "latin1")
        this.bridge.enqueue({ from: this, bytes, complete: type !== code.flush })
        start = at
      }
    }
    this.rest = this.rest.subarray(start)
    done()
  }
}
