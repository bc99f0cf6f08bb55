export * as aws from "./aws/index.ts"
export * as azure from "./azure/index.ts"
export * as kubernetes from "./kubernetes/index.ts"
export * as mock from "./mock/index.ts"
