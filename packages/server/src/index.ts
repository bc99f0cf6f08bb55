/** The parts that the stock daemon is made of, for programs that put them together in another way. */
export * as Signing from "./evidence/Signing.ts"
export * as Database from "./store/Database.ts"
export * as Migrations from "./store/Migrations.ts"
export * as Pglite from "./store/Pglite.ts"
export * as Postgres from "./store/Postgres.ts"
export * as SqlAuditChain from "./store/SqlAuditChain.ts"
export * as SqlJobs from "./store/SqlJobs.ts"
export * as SqlStore from "./store/SqlStore.ts"
