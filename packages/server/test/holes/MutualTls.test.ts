/**
 * One listener for everything, with client certificates demanded where they are configured (holes D-18 and D-20 of
 * docs/spec/closed-holes.md).
 */
import { execFileSync } from "node:child_process"
import { mkdirSync, readFileSync } from "node:fs"
import { request as httpsRequest } from "node:https"
import { join } from "node:path"
import { expect, it } from "vitest"
import { startWorld } from "../http/support/World.ts"
import { freshDirectory } from "./support/StartedDaemon.ts"

const openssl = (() => {
  try {
    return execFileSync("openssl", ["version"], { encoding: "utf8" })
  } catch (error) {
    if (error instanceof Error) return null
    throw error
  }
})()

const skipReason = "there is no openssl here to make certificates with"

it.skipIf(openssl === null)(
  "the whole API answers those with a certificate of the configured authority, and nobody else",
  { meta: { skipReason } },
  async () => {
    const directory = freshDirectory()
    mkdirSync(directory)
    const make = (name: string) => {
      const [key, cert] = [join(directory, `${name}.key`), join(directory, `${name}.crt`)]
      execFileSync(
        "openssl",
        [
          ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
          ...["-subj", `/CN=${name}`, "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert]
        ],
        { stdio: "pipe" }
      )
      return { key, cert }
    }
    const server = make("server")
    const client = make("client")
    const stranger = make("stranger")
    const world = await startWorld({
      server: { tls: { certFile: server.cert, keyFile: server.key, caFile: client.cert } }
    })
    try {
      const token = await world.token("alice")
      const get = (path: string, from?: { readonly key: string; readonly cert: string }) =>
        new Promise<string>((resolve) => {
          httpsRequest(
            {
              host: "127.0.0.1",
              port: world.port,
              path,
              agent: false,
              ca: readFileSync(server.cert),
              headers: { authorization: `Bearer ${token}` },
              ...(from === undefined ? {} : { key: readFileSync(from.key), cert: readFileSync(from.cert) })
            },
            (response) => response.resume().on("end", () => resolve(String(response.statusCode)))
          )
            .on("error", () => resolve("refused"))
            .end()
        })
      for (const path of ["/healthz", "/version", "/api/v1alpha1/requests", "/openapi.json"]) {
        expect([path, await get(path, client)]).toEqual([path, "200"])
        expect([path, await get(path, stranger)]).toEqual([path, "refused"])
        expect([path, await get(path)]).toEqual([path, "refused"])
      }
    } finally {
      await world.close()
    }
  }
)
