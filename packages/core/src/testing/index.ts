export type { Case, DeclaredGap } from "./Case.ts"
export { ContractViolation } from "./ContractViolation.ts"
