/** A proxy before PostgreSQL that loses replies: for commits whose outcome the client cannot know. */
import { createServer, type Socket, connect } from "node:net"

export type Fault =
  /** The statement arrives and is executed; its reply is lost with the connection. */
  | "reply"
  /** The statement never arrives. */
  | "statement"
  /** Nobody is there: connections are refused at once. */
  | "all"

export interface CuttingProxy {
  readonly port: number
  /** The next statement that contains the marker, or every connection for `all`, meets this fault. */
  readonly arm: (fault: Fault | undefined) => void
  /** How often a fault struck. */
  readonly struck: () => number
  readonly stop: () => Promise<void>
}

/** Statements are told by a marker in their bytes: a step id. */
export const start = async (port: number, marker: string): Promise<CuttingProxy> => {
  let armed: Fault | undefined
  let struck = 0
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    if (armed === "all") {
      client.destroy()
      return
    }
    const upstream = connect(port, "127.0.0.1")
    let waitsForReply = false
    const end = () => {
      client.destroy()
      upstream.destroy()
    }
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.once("close", () => sockets.delete(socket))
      socket.on("error", end)
      socket.on("close", end)
    }
    client.on("data", (bytes) => {
      if (armed !== undefined && bytes.includes(marker)) {
        struck += 1
        if (armed === "statement" || armed === "all") {
          if (armed === "statement") armed = undefined
          return end()
        }
        armed = undefined
        waitsForReply = true
      }
      upstream.write(bytes)
    })
    upstream.on("data", (bytes) => {
      if (waitsForReply) return end()
      client.write(bytes)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    arm: (fault) => {
      armed = fault
      if (fault === "all") for (const socket of sockets) socket.destroy()
    },
    struck: () => struck,
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      })
  }
}
