/** Each package states its licence and carries the standard text of it: Elastic for the daemon, Apache for the rest. */
import { createHash } from "node:crypto"
import { describe, expect, it } from "vitest"
import { exists, manifestAt, packages, read, workspaces } from "./support/Sources.ts"

/** SHA-256 of the standard texts, without white space, so that a changed word is seen and a changed wrap is not. */
const standard: Readonly<Record<string, string>> = {
  "Apache-2.0": "ddacef491153f45022f5619519bb2016374a8c36e75153768493f45fb38d7992",
  "Elastic-2.0": "b7008f067571ac0252577b5752af130ba6e0f0fc6bb4c7cdc6e92bbbc125a2a7"
}

const fingerprint = (text: string): string => createHash("sha256").update(text.replace(/\s+/g, "")).digest("hex")
const licenceOf = (name: string): string => (name === "@jitsudo/server" ? "Elastic-2.0" : "Apache-2.0")

describe("licences", () => {
  it.each(packages().map(({ directory, manifest }) => [manifest.name, directory, manifest] as const))(
    "%s states its licence, carries the text and publishes it",
    (name, directory, manifest) => {
      const licence = licenceOf(name)
      expect(manifest.license).toBe(licence)
      expect(manifest.files).toContain("LICENSE")
      expect(fingerprint(read(`${directory}/LICENSE`))).toBe(standard[licence])
    }
  )

  it("are stated by the root and by every unpublished package", () => {
    expect(manifestAt(".").license).toBe("Apache-2.0")
    expect(fingerprint(read("LICENSE"))).toBe(standard["Apache-2.0"])
    const unpublished = workspaces().filter(({ directory }) => !directory.startsWith("packages/"))
    for (const { directory, manifest } of unpublished) {
      expect(manifest.private, directory).toBe(true)
      expect(manifest.license, directory).toBe("Apache-2.0")
    }
  })

  it("name every exception in NOTICE", () => {
    const notice = read("NOTICE")
    for (const { directory, manifest } of packages()) {
      if (manifest.license !== "Apache-2.0") expect(notice).toContain(directory)
    }
    // What the policy compiler contains is listed beside it.
    expect(notice).toContain("packages/rego/compiler/NOTICE")
    expect(exists("packages/rego/compiler/NOTICE")).toBe(true)
  })

  it("would notice a changed word", () => {
    expect(fingerprint(read("LICENSE").replace("perpetual", "revocable"))).not.toBe(standard["Apache-2.0"])
    expect(fingerprint(`${read("LICENSE")}\n\n`)).toBe(standard["Apache-2.0"])
  })
})
