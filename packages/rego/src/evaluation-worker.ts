/**
 * The thread in which policies run. It may be ended at any moment, and says what it is doing in shared memory, so that
 * the pool knows which policy it was.
 */
import { parentPort, workerData } from "node:worker_threads"
import type { LoadablePolicy, PolicyAnswer, RuleAnswer } from "./Evaluation.ts"
import { EvaluationFailed, instantiate, type PolicyModule } from "./PolicyModule.ts"
import { entrypointOf, rulesRead, tierRule } from "./Rules.ts"
import type { FromWorker, ToWorker, WorkerStart } from "./PoolProtocol.ts"
import { doing } from "./PoolProtocol.ts"

const port = parentPort
if (port === null) throw new Error("this module runs in a worker thread only")
const start: WorkerStart = workerData
const shared = new BigInt64Array(start.shared)

/** Above this an instance is replaced after the evaluation: its memory never shrinks. */
const renewAboveBytes = 8 * 1024 * 1024

/** An instance that is made again when it was used up. */
class Instance {
  #current: PolicyModule | undefined
  readonly #module: WebAssembly.Module

  constructor(module: WebAssembly.Module) {
    this.#module = module
    this.#current = instantiate(module, start.maximumPages)
  }

  read(entrypoint: string, input: ArrayBuffer, nowNs: bigint): RuleAnswer {
    try {
      this.#current ??= instantiate(this.#module, start.maximumPages)
      if (!this.#current.entrypoints.includes(entrypoint)) return { state: "undefined" }
      const answer = this.#current.evaluate(entrypoint, input, { nowNs })
      if (this.#current.memoryBytes() > renewAboveBytes) this.#current = undefined
      return answer.defined ? { state: "value", value: answer.value } : { state: "undefined" }
    } catch (error) {
      this.#current = undefined
      if (error instanceof EvaluationFailed) return { state: "failed", message: error.message }
      throw error
    }
  }
}

interface Loaded extends Pick<LoadablePolicy, "name" | "type"> {
  readonly all: Instance | null
  readonly tier: Instance | null
}

const sets = new Map<string, ReadonlyArray<Loaded>>()

const load = (policies: ReadonlyArray<LoadablePolicy>): ReadonlyArray<Loaded> =>
  policies.map((policy) => {
    try {
      return {
        name: policy.name,
        type: policy.type,
        all: policy.all === null ? null : new Instance(policy.all),
        tier: policy.tier === null ? null : new Instance(policy.tier)
      }
    } catch (error) {
      if (error instanceof EvaluationFailed) throw new EvaluationFailed(`${policy.name}: ${error.message}`, "module")
      throw error
    }
  })

const evaluate = (
  policies: ReadonlyArray<Loaded>,
  job: Extract<ToWorker, { readonly type: "evaluate" }>
): ReadonlyArray<PolicyAnswer> => {
  const answers: Array<PolicyAnswer> = []
  const { system, user } = process.threadCpuUsage()
  Atomics.store(shared, doing.startedNs, process.hrtime.bigint())
  Atomics.store(shared, doing.startedCpu, BigInt(user + system))
  Atomics.store(shared, doing.policy, -1n)
  Atomics.store(shared, doing.job, BigInt(job.id))
  for (const [index, policy] of policies.entries()) {
    const rules = rulesRead[job.action][policy.type]
    if (rules === undefined) continue
    Atomics.store(shared, doing.policy, BigInt(index))
    const answered: Record<string, RuleAnswer> = {}
    for (const rule of rules) {
      const instance = rule === tierRule ? policy.tier : policy.all
      answered[rule] =
        instance === null
          ? { state: "undefined" }
          : instance.read(entrypointOf(policy.type, rule), job.input, job.nowNs)
    }
    answers.push({ policy: policy.name, type: policy.type, rules: answered })
  }
  Atomics.store(shared, doing.job, 0n)
  return answers
}

const send = (message: FromWorker) => port.postMessage(message)

port.on("message", (message: ToWorker) => {
  switch (message.type) {
    case "load":
      try {
        sets.set(message.set, load(message.policies))
        send({ type: "loaded", set: message.set, problem: null })
      } catch (error) {
        if (!(error instanceof EvaluationFailed)) throw error
        send({ type: "loaded", set: message.set, problem: error.message })
      }
      return
    case "unload":
      sets.delete(message.set)
      return
    case "evaluate": {
      const policies = sets.get(message.set)
      send({ type: "evaluated", id: message.id, answers: policies === undefined ? null : evaluate(policies, message) })
      return
    }
  }
})

send({ type: "ready" })
