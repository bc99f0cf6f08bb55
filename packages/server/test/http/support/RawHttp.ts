/** HTTP as bytes on a socket: for what a well-behaved client cannot send. */
import { connect, type Socket } from "node:net"

export interface RawAnswer {
  readonly status: number
  readonly head: string
  readonly body: string
}

/** A connection that a test writes to; `closed` gives all that came back when the other side is done. */
export const open = async (
  port: number
): Promise<{ readonly socket: Socket; readonly closed: Promise<RawAnswer>; readonly received: () => string }> => {
  const socket = connect(port, "127.0.0.1")
  let received = ""
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1")
  })
  const closed = new Promise<RawAnswer>((resolve) => {
    const done = () => {
      const end = received.indexOf("\r\n\r\n")
      const head = end < 0 ? received : received.slice(0, end)
      resolve({
        status: Number(/^HTTP\/1\.1 (\d{3})/u.exec(head)?.[1] ?? 0),
        head,
        body: end < 0 ? "" : received.slice(end + 4)
      })
    }
    socket.on("close", done)
    // A reset is an end like another: what came before it counts.
    socket.on("error", () => socket.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve)
    socket.once("error", reject)
  })
  return { socket, closed, received: () => received }
}

/** Sends these bytes, and what came back when the connection was closed. */
export const exchange = async (port: number, text: string): Promise<RawAnswer> => {
  const { closed, socket } = await open(port)
  socket.write(text, "latin1")
  return closed
}
