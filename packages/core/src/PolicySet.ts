/** Policies as they are stored: a revision is the whole set, its sources and what they compiled to. */
import type { PrincipalKey } from "./Principal.ts"
import type { Time } from "./Time.ts"

export const policyTypes = ["eligibility", "approval", "breakglass", "library"] as const
export type PolicyType = (typeof policyTypes)[number]

export interface PolicyFile {
  readonly path: string
  readonly source: string
}

/** One compiled Wasm module; `variant` is `tier` for the compilation without the default tier. */
export interface CompiledModule {
  readonly variant: "all" | "tier"
  readonly entrypoints: ReadonlyArray<string>
  /** Base64. */
  readonly wasm: string
}

export interface PolicySource {
  /** `pol_` + ULID; kept when the policy is changed. */
  readonly id: string
  /** Unique. */
  readonly name: string
  readonly type: PolicyType
  readonly description: string
  readonly enabled: boolean
  readonly files: ReadonlyArray<PolicyFile>
  /** SHA-256 of the sources, hex. */
  readonly hash: string
  readonly compiled: ReadonlyArray<CompiledModule>
  readonly updatedAt: Time
  readonly updatedBy: PrincipalKey & { readonly email: string | null }
}
