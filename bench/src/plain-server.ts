/** The least that a server for JSON does: reads a body, parses it, and answers with the text that it was given. */
import { createServer } from "node:http"

const answer = process.argv[2] ?? "{}"

const server = createServer((request, response) => {
  const parts: Array<Buffer> = []
  request.on("data", (part: Buffer) => parts.push(part))
  request.on("end", () => {
    const body: unknown = JSON.parse(Buffer.concat(parts).toString("utf8") || "null")
    response.writeHead(body === null ? 200 : 201, { "content-type": "application/json" })
    response.end(JSON.stringify(JSON.parse(answer)))
  })
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" && address !== null ? address.port : 0}\n`)
})
