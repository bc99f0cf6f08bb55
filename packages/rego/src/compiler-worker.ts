/**
 * The thread in which OPA's compiler runs: one request in, one answer out, in order.
 *
 * It imports nothing but Node and its neighbours, so that it starts fast and runs from `.ts` and `.js` alike. It catches
 * nothing: a module that trapped is broken, and an uncaught error ends the thread and tells the owner why.
 */
import { parentPort, workerData } from "node:worker_threads"
import { loadOpaModule } from "./OpaModule.ts"
import { readPolicyExports } from "./PolicyExports.ts"
import type { Answer, Call } from "./CompilerThread.ts"

const port = parentPort
if (port === null) throw new Error("compiler-worker runs in a worker thread only")

const opa = loadOpaModule(new URL(String(workerData)))

/** A compiled policy leaves as bytes, with what it says about itself, instead of as base64. */
const unpack = (outcome: unknown): unknown => {
  if (typeof outcome !== "object" || outcome === null || !("result" in outcome)) return outcome
  const { result } = outcome
  if (typeof result !== "object" || result === null || !("wasm" in result)) return outcome
  const wasm = Uint8Array.from(Buffer.from(String(result.wasm), "base64"))
  return { result: { wasm, ...readPolicyExports(wasm) } }
}

port.on("message", (call: Call) => {
  const outcome: unknown = JSON.parse(opa.call(call.request, call.nowNs))
  const answer: Answer = { id: call.id, outcome: unpack(outcome) }
  port.postMessage(answer)
})
