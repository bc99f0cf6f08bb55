export * as Api from "./Api.ts"
export * as Client from "./Client.ts"
export * as Dto from "./Dto.ts"
export * as Problems from "./Problems.ts"
