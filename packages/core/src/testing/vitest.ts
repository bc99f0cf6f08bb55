/**
 * Contract suites under vitest: the only file that knows the test runner (an optional peer).
 */
import * as Effect from "effect/Effect"
import { describe, it } from "vitest"
import type { Case, DeclaredGap } from "./Case.ts"
import * as AuditChainContract from "./AuditChainContract.ts"
import * as JobsContract from "./JobsContract.ts"
import * as ProviderContract from "./ProviderContract.ts"
import * as SealerContract from "./SealerContract.ts"
import * as StoreContract from "./StoreContract.ts"
import type { Options as StoreOptions } from "./StoreDesk.ts"

/** One test per case. A declared gap is a skipped test whose title and reason say why. */
export const suiteOf = (
  title: string,
  { cases, gaps }: { readonly cases: ReadonlyArray<Case>; readonly gaps: ReadonlyArray<DeclaredGap> }
): void => {
  describe(title, () => {
    for (const { name, run } of cases) it(name, () => Effect.runPromise(run))
    for (const { name, why } of gaps) {
      it(`${name} (not asked of it: ${why})`, ({ skip }) => skip(why))
    }
  })
}

/** The provider contract for one provider. */
export const providerSuite = (name: string, options: ProviderContract.Options): void =>
  suiteOf(`${name} keeps the provider contract`, ProviderContract.suite(options))

/** The contracts of Store, Jobs and AuditChain for one implementation of the three. */
export const storeSuites = (name: string, options: StoreOptions): void => {
  suiteOf(`${name} keeps the Store contract`, StoreContract.suite(options))
  suiteOf(`${name} keeps the Jobs contract`, JobsContract.suite(options))
  suiteOf(`${name} keeps the AuditChain contract`, AuditChainContract.suite(options))
}

/** The contract of a sealer. */
export const sealerSuite = (name: string, options: SealerContract.Options): void =>
  suiteOf(`${name} keeps the Sealer contract`, SealerContract.suite(options))
