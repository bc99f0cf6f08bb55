/**
 * The contract of `Store` as cases: sentences that run. `steps` are about `commit`, `reads` about everything else.
 *
 * Every sentence of `Store.ts` and `Step.ts` has a case here (those about jobs are in `JobsContract.ts`, those about the
 * log in `AuditChainContract.ts`).
 */
import { type Options, type Suite, suiteOf } from "./StoreDesk.ts"
import { reads } from "./StoreReads.ts"
import { steps } from "./StoreSteps.ts"

/** The contract for the implementation behind a layer. */
export const suite = (options: Options): Suite => suiteOf([...steps, ...reads], options)
