export { DevIssuer } from "../dev/Issuer.ts"
export * as DevLogin from "./DevLogin.ts"
export * as PostgresServer from "./PostgresServer.ts"
export * as TestDatabase from "./TestDatabase.ts"
