/**
 * A certificate for a server on the loopback interface, made when it starts and thrown away with it.
 *
 * Microsoft's sign-in library speaks TLS only. The certificate is its own authority (RFC 5280, EC P-256, SHA-256) for
 * `127.0.0.1` and `localhost`; a client trusts it by `tls.setDefaultCACertificates` or `NODE_EXTRA_CA_CERTS`. The private
 * key never leaves the process.
 */
import { createSign, generateKeyPairSync, randomBytes } from "node:crypto"

export interface SelfSigned {
  /** PEM. */
  readonly key: string
  /** PEM. */
  readonly cert: string
}

const lengthOf = (length: number): Buffer => {
  if (length < 0x80) return Buffer.from([length])
  const bytes: Array<number> = []
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256)
  return Buffer.from([0x80 | bytes.length, ...bytes])
}

/** One DER value (X.690): its tag, its length, its content. */
const der = (tag: number, ...parts: ReadonlyArray<Buffer>): Buffer => {
  const content = Buffer.concat(parts)
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content])
}

const sequence = (...parts: ReadonlyArray<Buffer>): Buffer => der(0x30, ...parts)
const integer = (bytes: Buffer): Buffer => der(0x02, bytes)
const octets = (bytes: Buffer): Buffer => der(0x04, bytes)
const bits = (bytes: Buffer): Buffer => der(0x03, Buffer.from([0]), bytes)
const utf8 = (text: string): Buffer => der(0x0c, Buffer.from(text, "utf8"))
const utcTime = (text: string): Buffer => der(0x17, Buffer.from(text, "latin1"))
const oid = (hex: string): Buffer => der(0x06, Buffer.from(hex, "hex"))

const ecdsaWithSha256 = sequence(oid("2a8648ce3d040302"))
const commonName = (text: string): Buffer => sequence(der(0x31, sequence(oid("550403"), utf8(text))))
const critical = der(0x01, Buffer.from([0xff]))
const extensions = sequence(
  // basicConstraints: it may be an authority, its own.
  sequence(oid("551d13"), critical, octets(sequence(critical))),
  // subjectAltName
  sequence(
    oid("551d11"),
    octets(sequence(der(0x87, Buffer.from([127, 0, 0, 1])), der(0x82, Buffer.from("localhost", "latin1"))))
  )
)

const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${bytes.toString("base64").replace(/.{64}/gu, "$&\n").trimEnd()}\n-----END ${label}-----\n`

export const make = (name: string): SelfSigned => {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" })
  // Of two authorities with one name a client would try either.
  const subject = commonName(`${name} ${randomBytes(8).toString("hex")}`)
  const content = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    // Positive: its first bit is not set.
    integer(Buffer.concat([Buffer.from([0x01]), randomBytes(15)])),
    ecdsaWithSha256,
    subject,
    sequence(utcTime("200101000000Z"), utcTime("491231235959Z")),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, extensions)
  )
  const signature = createSign("sha256").update(content).sign(privateKey)
  return {
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    cert: pem("CERTIFICATE", sequence(content, ecdsaWithSha256, bits(signature)))
  }
}
