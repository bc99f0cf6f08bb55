// Builds packages/rego/compiler/ from packages/rego/go/: OPA's compiler as one WebAssembly file, compressed, with its
// checksum and the licences of what it contains.
//
//   node scripts/build-compiler.mjs            build and write the artefact
//   node scripts/build-compiler.mjs --verify   build, and fail unless the bytes are those of the committed checksum
//
// The bytes depend on go.mod, go.sum, the Go release that go.mod names, and the flags below; on nothing else of the
// machine. The checksum is of the Wasm before compression, because compressors differ between releases of Node.

import { execFileSync } from "node:child_process"
import { createHash } from "node:crypto"
import fs from "node:fs"
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import zlib from "node:zlib"

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..")
const source = path.join(root, "go")
const artefact = path.join(root, "compiler")

// Linked in by accident they would bring network services, metrics or native code along.
const forbidden =
  /prometheus|otel|opentelemetry|wasmtime|wazero|badger|oras|grpc|\/opa\/v1\/(plugins|runtime|server|sdk|download)/
// Time zones are part of the program because it has no file system to read them from.
const flags = [
  "-mod=readonly",
  "-buildvcs=false",
  "-trimpath",
  "-tags=timetzdata",
  "-buildmode=c-shared",
  "-ldflags=-s -w -buildid="
]
const target = {
  GOOS: "wasip1",
  GOARCH: "wasm",
  GOWASM: "",
  GOEXPERIMENT: "",
  GOFLAGS: "",
  GOTOOLCHAIN: "local",
  GOWORK: "off",
  CGO_ENABLED: "0"
}

const go = (...args) =>
  execFileSync("go", args, { cwd: source, env: { ...process.env, ...target }, encoding: "utf8", maxBuffer: 1 << 26 })
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex")

/** The Go release that builds the committed bytes. */
const pinned = () => /^go (\S+)$/m.exec(fs.readFileSync(path.join(source, "go.mod"), "utf8"))[1]

const build = () => {
  const found = go("env", "GOVERSION").trim()
  if (found !== "go" + pinned()) throw new Error("go.mod names Go " + pinned() + ", here is " + found)
  const unwanted = go("list", "-deps", ".")
    .split("\n")
    .filter((name) => forbidden.test(name))
  if (unwanted.length > 0) throw new Error("the compiler must not contain " + unwanted.join(", "))
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "jitsudo-compiler-")), "opa.wasm")
  go("build", ...flags, "-o", file, ".")
  const wasm = fs.readFileSync(file)
  fs.rmSync(path.dirname(file), { recursive: true })
  return wasm
}

const licenceName = (text) =>
  /Apache License/.test(text)
    ? "Apache-2.0"
    : /Mozilla Public License/i.test(text)
      ? "MPL-2.0"
      : /Neither the name/.test(text)
        ? "BSD-3-Clause"
        : /Redistributions in binary form/.test(text)
          ? "BSD-2-Clause"
          : /Permission is hereby granted, free of charge/.test(text)
            ? "MIT"
            : undefined

/** The licence, and the notice that some ask to be passed on with it. */
const licenceFile = (folder) => {
  const named = (pattern) => fs.readdirSync(folder).filter((entry) => pattern.test(entry))
  const licences = named(/^(licen[cs]e|copying)/i)
  if (licences.length === 0) throw new Error("no licence in " + path.basename(folder))
  return [...licences, ...named(/^notice/i)]
    .map((name) => fs.readFileSync(path.join(folder, name), "utf8").trim())
    .join("\n\n")
}

const linkedModules = () => {
  const lines = go(
    "list",
    "-deps",
    "-f",
    "{{with .Module}}{{if not .Main}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}",
    "."
  )
  return [...new Set(lines.split("\n").filter((line) => line !== ""))].sort().map((line) => {
    const [name, version, folder] = line.split("\t")
    return { name, version, folder, text: licenceFile(folder) }
  })
}

/** Libraries in C that OPA links into the runtime of each compiled policy, and so into this file. */
const inRuntime = (opa) => {
  const header = fs.readFileSync(path.join(opa.folder, "wasm/src/libmpdec/basearith.c"), "utf8")
  return [
    {
      name: "libmpdec",
      version: "in " + opa.name,
      text: header
        .slice(2, header.indexOf("*/"))
        .replace(/^ \* ?/gm, "")
        .trim(),
      licence: "BSD-2-Clause"
    },
    {
      name: "RE2",
      version: "in " + opa.name,
      text: "Copyright 2003-2016 The RE2 Authors. Licensed as Go is, with that copyright line.",
      licence: "BSD-3-Clause"
    },
    {
      name: "libc++",
      version: "in " + opa.name,
      text: "Part of the LLVM Project, under the Apache License v2.0 with LLVM Exceptions.",
      licence: "Apache-2.0 WITH LLVM-exception"
    }
  ]
}

const notice = () => {
  const modules = linkedModules()
  const opa = modules.find((module) => module.name === "github.com/open-policy-agent/opa")
  const all = [
    { name: "Go standard library and runtime", version: pinned(), text: licenceFile(go("env", "GOROOT").trim()) },
    ...modules,
    ...inRuntime(opa)
  ].map((part) => {
    const licence = part.licence ?? licenceName(part.text)
    if (licence === undefined) throw new Error("unknown licence of " + part.name)
    return { ...part, licence }
  })
  const texts = new Map()
  for (const part of all) texts.set(part.text, [...(texts.get(part.text) ?? []), part.name])
  return [
    "opa.wasm.br is the Open Policy Agent's compiler, unmodified, with a small program around it (../go), built by",
    "../scripts/build-compiler.mjs. It contains:",
    "",
    ...all.map((part) => "- " + part.name + " " + part.version + ": " + part.licence),
    "",
    ...[...texts].flatMap(([text, names]) => ["=".repeat(100), names.join(", "), "=".repeat(100), "", text, ""])
  ].join("\n")
}

const compress = (wasm) =>
  zlib.brotliCompressSync(wasm, {
    params: {
      [zlib.constants.BROTLI_PARAM_QUALITY]: zlib.constants.BROTLI_MAX_QUALITY,
      [zlib.constants.BROTLI_PARAM_LGWIN]: zlib.constants.BROTLI_MAX_WINDOW_BITS,
      [zlib.constants.BROTLI_PARAM_SIZE_HINT]: wasm.length
    }
  })

const wasm = build()
const checksum = sha256(wasm) + "  opa.wasm\n"
const committed = path.join(artefact, "opa.wasm.sha256")

if (process.argv.includes("--verify")) {
  if (fs.readFileSync(committed, "utf8") !== checksum)
    throw new Error("built " + checksum.trim() + ", which is not what " + committed + " says")
  console.log("the same bytes: " + checksum.trim())
} else {
  fs.mkdirSync(artefact, { recursive: true })
  fs.writeFileSync(committed, checksum)
  fs.writeFileSync(path.join(artefact, "opa.wasm.br"), compress(wasm))
  fs.writeFileSync(path.join(artefact, "NOTICE"), notice())
  console.log(checksum.trim() + " (" + wasm.length + " bytes)")
}
