/**
 * Worker threads that evaluate policies, with a budget.
 *
 * Evaluation is synchronous and cannot be interrupted, so it never runs on the event loop.
 *
 * 1. One message carries the input once and evaluates all policies of the action.
 * 2. An evaluation that uses more than its budget of processor time (or twenty times as much of the clock, where the
 *    machine gives the thread no time) is cut: its thread is ended, its request gets a failure that names the policy
 *    that was running, and `onOverBudget` is told. The policy stays in the set and goes on denying; it is evaluated
 *    again for the next request, because the cost may lie in what one requester wrote, and nobody may be able to turn
 *    policy off for others.
 * 3. Other inputs that waited in that thread are evaluated again, in a spare that was started before.
 * 4. A thread that dies for another reason (memory) is treated the same.
 * 5. Every thread has every set that is loaded; a set that a thread cannot load is not loaded at all.
 * 6. Threads that end before their first word are started again three times; then the pool closes, and what it is
 *    asked is refused.
 */
import { availableParallelism } from "node:os"
import { Worker } from "node:worker_threads"
import type { Policy } from "@jitsudo/core"
import type { Evaluation, LoadablePolicy } from "./Evaluation.ts"
import { defaultMaximumPages } from "./PolicyModule.ts"
import { doing, type FromWorker, sharedBytes, type ToWorker, type WorkerStart } from "./PoolProtocol.ts"

export const defaultBudgetMillis = 50

/** How much of the clock an evaluation may take, as a multiple of its budget of processor time. */
const patience = 20

/** How long a thread may take to load a set. */
const loadMillis = 20_000

/** How many threads in a row may end before they say anything. */
const stillbornLimit = 3

/** How many evaluations may wait. */
const queueLimit = 4096

export interface PoolOptions {
  /** Threads beside the spare; one per core less one, at least one. */
  readonly size?: number
  /** Processor time of one evaluation, in milliseconds. */
  readonly budgetMillis?: number
  /** Memory of one policy, in pages of 64 KiB. */
  readonly maximumPages?: number
  /** An alert: this policy of this set was cut. */
  readonly onOverBudget?: (policy: string, set: string) => void
  /** The thread's program, if it is not beside this module. */
  readonly worker?: URL
}

/** The set could not be loaded, or the pool can take no more. */
export class PoolRefused extends Error {}

interface Job {
  readonly message: Extract<ToWorker, { readonly type: "evaluate" }>
  readonly done: (evaluation: Evaluation) => void
  readonly refuse: (error: PoolRefused) => void
}

interface Thread {
  readonly worker: Worker
  readonly shared: BigInt64Array
  readonly jobs: Map<number, Job>
  readonly loading: Map<string, (problem: string | null) => void>
  watch: NodeJS.Timeout | undefined
  ready: boolean
  ended: boolean
}

/** Under `.ts` this module runs from source, and so does the thread. */
const besideThis = (): URL =>
  import.meta.url.endsWith(".ts")
    ? new URL("./evaluation-worker.ts", import.meta.url)
    : new URL("./evaluation-worker.js", import.meta.url)

const millisSince = (ns: bigint): number => Number(process.hrtime.bigint() - ns) / 1e6

export class Pool {
  readonly #budget: number
  readonly #options: PoolOptions
  readonly #sets = new Map<string, ReadonlyArray<LoadablePolicy>>()
  #threads: Array<Thread>
  #spare: Thread
  #lastId = 0
  #stillborn = 0
  #closed: string | undefined

  constructor(options: PoolOptions = {}) {
    this.#options = options
    this.#budget = options.budgetMillis ?? defaultBudgetMillis
    const size = options.size ?? Math.max(1, availableParallelism() - 1)
    this.#threads = Array.from({ length: size }, () => this.#start())
    this.#spare = this.#start()
  }

  /** Load a set under a name into every thread. Fails, and leaves nothing loaded, if one cannot. */
  async load(set: string, policies: ReadonlyArray<LoadablePolicy>): Promise<void> {
    if (this.#closed !== undefined) throw new PoolRefused(this.#closed)
    this.#sets.set(set, policies)
    const problems = await Promise.all([...this.#threads, this.#spare].map((thread) => this.#loadInto(thread, set)))
    const problem = problems.find((one) => one !== null)
    if (problem === undefined || problem === null) return
    this.unload(set)
    throw new PoolRefused(problem)
  }

  unload(set: string): void {
    this.#sets.delete(set)
    for (const thread of [...this.#threads, this.#spare]) this.#post(thread, { type: "unload", set })
  }

  /** Evaluate all policies of the action. `input` is JSON in UTF-8. */
  evaluate(set: string, action: Policy.PolicyAction, input: ArrayBuffer, nowNs: bigint): Promise<Evaluation> {
    return new Promise((done, refuse) => {
      const waiting = this.#threads.reduce((sum, thread) => sum + thread.jobs.size, 0)
      if (this.#closed !== undefined) return refuse(new PoolRefused(this.#closed))
      if (waiting >= queueLimit) return refuse(new PoolRefused("too many policy evaluations are waiting"))
      // Ids start at 1: 0 in shared memory means that no job runs.
      const id = ++this.#lastId
      this.#give({ message: { type: "evaluate", id, set, action, input, nowNs }, done, refuse })
    })
  }

  async close(): Promise<void> {
    await this.#shut("the pool is closed")
  }

  async #shut(why: string): Promise<void> {
    this.#closed ??= why
    const threads = [...this.#threads, this.#spare]
    for (const thread of threads) {
      for (const job of thread.jobs.values()) job.refuse(new PoolRefused(why))
      this.#forget(thread)
    }
    await Promise.all(threads.map((thread) => thread.worker.terminate()))
  }

  #start(): Thread {
    const shared = new SharedArrayBuffer(sharedBytes)
    const start: WorkerStart = { shared, maximumPages: this.#options.maximumPages ?? defaultMaximumPages }
    const worker = new Worker(this.#options.worker ?? besideThis(), {
      workerData: start,
      name: "policy",
      // Policies see no environment, and neither does what runs them.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 256 }
    })
    const thread: Thread = {
      worker,
      shared: new BigInt64Array(shared),
      jobs: new Map(),
      loading: new Map(),
      watch: undefined,
      ready: false,
      ended: false
    }
    worker.on("message", (message: FromWorker) => this.#hear(thread, message))
    worker.on("error", (error) => this.#end(thread, { reason: "crash", message: error.message }))
    worker.on("exit", () => this.#end(thread, { reason: "crash", message: "the thread ended" }))
    worker.unref()
    for (const [set, policies] of this.#sets) this.#post(thread, { type: "load", set, policies })
    return thread
  }

  #post(thread: Thread, message: ToWorker): void {
    if (!thread.ended) thread.worker.postMessage(message)
  }

  #loadInto(thread: Thread, set: string): Promise<string | null> {
    const policies = this.#sets.get(set) ?? []
    return new Promise((resolve) => {
      thread.worker.ref()
      const timer = setTimeout(() => resolve(`the policies did not load within ${loadMillis} ms`), loadMillis)
      thread.loading.set(set, (problem) => {
        clearTimeout(timer)
        thread.loading.delete(set)
        this.#rest(thread)
        resolve(problem)
      })
      this.#post(thread, { type: "load", set, policies })
    })
  }

  /** A thread with nothing to do does not keep the process alive. */
  #rest(thread: Thread): void {
    if (thread.jobs.size === 0 && thread.loading.size === 0) thread.worker.unref()
  }

  #give(job: Job): void {
    const thread = this.#threads.reduce((least, one) => (one.jobs.size < least.jobs.size ? one : least))
    thread.jobs.set(job.message.id, job)
    thread.worker.ref()
    this.#post(thread, job.message)
    this.#watch(thread, this.#budget)
  }

  #hear(thread: Thread, message: FromWorker): void {
    if (message.type === "ready") {
      thread.ready = true
      this.#stillborn = 0
      return
    }
    if (message.type === "loaded") {
      thread.loading.get(message.set)?.(message.problem)
      return
    }
    const job = thread.jobs.get(message.id)
    thread.jobs.delete(message.id)
    this.#rest(thread)
    if (message.answers === null) job?.refuse(new PoolRefused(`the policies ${job.message.set} are not loaded`))
    else job?.done({ answers: message.answers })
  }

  #watch(thread: Thread, millis: number): void {
    if (thread.watch !== undefined || thread.ended) return
    thread.watch = setTimeout(
      () => {
        thread.watch = undefined
        this.#check(thread).catch((error: unknown) => {
          // Asking a thread for its time fails only when it has just ended, which `exit` reports.
          this.#end(thread, { reason: "crash", message: String(error) })
        })
      },
      Math.max(1, Math.ceil(millis))
    )
    thread.watch.unref()
  }

  async #check(thread: Thread): Promise<void> {
    if (thread.ended || thread.jobs.size === 0) return
    const job = Atomics.load(thread.shared, doing.job)
    const started = Atomics.load(thread.shared, doing.startedNs)
    const cpuAtStart = Atomics.load(thread.shared, doing.startedCpu)
    const elapsed = millisSince(started)
    if (job === 0n || elapsed < this.#budget) {
      this.#watch(thread, job === 0n ? this.#budget : this.#budget - elapsed)
      return
    }
    const { system, user } = await thread.worker.cpuUsage()
    if (Atomics.load(thread.shared, doing.job) !== job) {
      this.#watch(thread, this.#budget)
      return
    }
    const used = (user + system - Number(cpuAtStart)) / 1000
    if (used < this.#budget && millisSince(started) < this.#budget * patience) {
      this.#watch(thread, this.#budget - used)
      return
    }
    this.#end(thread, { reason: "budget", message: `it took longer than its budget of ${this.#budget} ms` })
  }

  #forget(thread: Thread): void {
    thread.ended = true
    if (thread.watch !== undefined) clearTimeout(thread.watch)
    thread.jobs.clear()
    for (const loaded of thread.loading.values()) loaded("the thread ended while it loaded the policies")
  }

  /** End a thread: its running job fails, the spare takes its place and its other jobs. */
  #end(thread: Thread, why: { readonly reason: "budget" | "crash"; readonly message: string }): void {
    if (thread.ended) return
    if (!thread.ready && why.reason === "crash" && ++this.#stillborn > stillbornLimit) {
      void this.#shut(`policy threads do not start: ${why.message}`)
      return
    }
    const running = thread.jobs.get(Number(Atomics.load(thread.shared, doing.job)))
    const index = Number(Atomics.load(thread.shared, doing.policy))
    const waiting = [...thread.jobs.values()].filter((job) => job !== running)
    this.#forget(thread)
    void thread.worker.terminate()
    if (this.#closed !== undefined) return
    if (thread === this.#spare) this.#spare = this.#start()
    else {
      const fresh = this.#spare
      this.#threads = this.#threads.map((one) => (one === thread ? fresh : one))
      this.#spare = this.#start()
    }
    if (running !== undefined) {
      const { set } = running.message
      const policy = this.#sets.get(set)?.[index]?.name ?? null
      running.done({ failure: { policy, ...why } })
      if (why.reason === "budget" && policy !== null) this.#options.onOverBudget?.(policy, set)
    }
    for (const job of waiting) this.#give(job)
  }
}
