/** What the pool and its workers say to each other. */
import type { Policy } from "@jitsudo/core"
import type { LoadablePolicy, PolicyAnswer } from "./Evaluation.ts"

/** Places in the shared memory: which job runs (0: none), which policy of its set, since when, on how much CPU time. */
export const doing = { job: 0, policy: 1, startedNs: 2, startedCpu: 3 } as const
export const sharedBytes = 4 * BigInt64Array.BYTES_PER_ELEMENT

export interface WorkerStart {
  readonly shared: SharedArrayBuffer
  readonly maximumPages: number
}

export type ToWorker =
  | { readonly type: "load"; readonly set: string; readonly policies: ReadonlyArray<LoadablePolicy> }
  | { readonly type: "unload"; readonly set: string }
  | {
      readonly type: "evaluate"
      readonly id: number
      readonly set: string
      readonly action: Policy.PolicyAction
      /** JSON in UTF-8. */
      readonly input: ArrayBuffer
      readonly nowNs: bigint
    }

export type FromWorker =
  /** The first word of each thread. */
  | { readonly type: "ready" }
  | { readonly type: "loaded"; readonly set: string; readonly problem: string | null }
  /** `answers` null: the set is not loaded. */
  | { readonly type: "evaluated"; readonly id: number; readonly answers: ReadonlyArray<PolicyAnswer> | null }
