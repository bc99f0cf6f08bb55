/**
 * AWS Signature Version 4, checked as the services check it: rules of
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto"

export interface SignedRequest {
  readonly method: string
  /** Path and query, as on the request line. */
  readonly target: string
  readonly headers: Readonly<{ [name: string]: string | ReadonlyArray<string> | undefined }>
  readonly body: string
}

export interface Signature {
  readonly accessKeyId: string
  readonly date: string
  readonly region: string
  readonly service: string
  readonly signedHeaders: ReadonlyArray<string>
  readonly signature: string
}

const authorization =
  /^AWS4-HMAC-SHA256 Credential=([\w]{16,128})\/(\d{8})\/([\w-]+)\/([\w-]+)\/aws4_request, ?SignedHeaders=([\w;-]+), ?Signature=([0-9a-f]{64})$/u

/** What the `Authorization` header says, or null when it is none of version 4. */
export const read = ({ headers }: SignedRequest): Signature | null => {
  const header = headers["authorization"]
  const found = typeof header === "string" ? authorization.exec(header) : null
  if (found === null) return null
  const [, accessKeyId = "", date = "", region = "", service = "", names = "", signature = ""] = found
  return { accessKeyId, date, region, service, signedHeaders: names.split(";"), signature }
}

const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest()
const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex")

const single = (value: string | ReadonlyArray<string> | undefined): string =>
  (typeof value === "string" ? value : (value ?? []).join(",")).trim().replace(/ +/gu, " ")

/** Whether the request was signed with this secret. */
export const holds = (request: SignedRequest, signature: Signature, secretAccessKey: string): boolean => {
  const [path = "/", query = ""] = request.target.split("?", 2)
  const canonical = [
    request.method,
    path,
    query.split("&").toSorted().join("&"),
    ...signature.signedHeaders.map((name) => `${name}:${single(request.headers[name])}`),
    "",
    signature.signedHeaders.join(";"),
    sha256(request.body)
  ].join("\n")
  const scope = `${signature.date}/${signature.region}/${signature.service}/aws4_request`
  const toSign = ["AWS4-HMAC-SHA256", single(request.headers["x-amz-date"]), scope, sha256(canonical)].join("\n")
  const key = [signature.region, signature.service, "aws4_request"].reduce<Buffer>(
    hmac,
    hmac(`AWS4${secretAccessKey}`, signature.date)
  )
  const signed = ["host", "x-amz-date"].every((name) => signature.signedHeaders.includes(name))
  return signed && timingSafeEqual(hmac(key, toSign), Buffer.from(signature.signature, "hex"))
}
