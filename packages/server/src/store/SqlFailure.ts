/**
 * What a database error means to the callers of the ports.
 *
 * Messages name the operation and the kind of trouble, never SQL, parameters, hosts or credentials: those stay in
 * `cause`, which no edge shows.
 */
import { Store } from "@jitsudo/core"
import type { SqlError } from "effect/sql/SqlError"

/** The five-character SQLSTATE, where the server gave one. */
export const stateOf = (error: SqlError): string | undefined => {
  const cause: unknown = error.reason.cause
  if (typeof cause !== "object" || cause === null || !("code" in cause)) return undefined
  return typeof cause.code === "string" ? cause.code : undefined
}

/** The connection is gone or was never there: what was sent may have had an effect. */
export const isLost = (error: SqlError): boolean => {
  const state = stateOf(error)
  return error.reason._tag === "ConnectionError" || (state !== undefined && /^(?:08|57P0)/u.test(state))
}

/** Another transaction was in the way; the same statement may succeed at once. */
export const isContention = (error: SqlError): boolean =>
  error.reason._tag === "SerializationError" ||
  error.reason._tag === "DeadlockError" ||
  error.reason._tag === "LockTimeoutError"

interface Meaning {
  readonly reason: Store.StoreError["reason"]
  readonly retryable: boolean
  readonly why: string
}

const meaningOf = (error: SqlError): Meaning => {
  const state = stateOf(error) ?? ""
  if (isLost(error)) return { reason: "unavailable", retryable: true, why: "the database connection failed" }
  if (isContention(error))
    return { reason: "unavailable", retryable: true, why: "the database was busy with other changes" }
  if (error.reason._tag === "StatementTimeoutError") {
    return { reason: "unavailable", retryable: true, why: "the database took too long" }
  }
  if (state.startsWith("53")) return { reason: "unavailable", retryable: true, why: "the database is out of resources" }
  if (state.startsWith("28")) return { reason: "unavailable", retryable: false, why: "the database refused our login" }
  if (state === "42501")
    return { reason: "unavailable", retryable: false, why: "our database role lacks a right: run jitsudod doctor" }
  if (state.startsWith("42") || state === "3F000") {
    return {
      reason: "unavailable",
      retryable: false,
      why: "the database schema is not the one this program needs: run jitsudod migrate"
    }
  }
  if (state.startsWith("XX")) return { reason: "corrupt", retryable: false, why: "the database reports damaged data" }
  if (state.startsWith("22") || state.startsWith("23")) {
    return { reason: "invalid", retryable: false, why: `the database refused the data (${state})` }
  }
  return {
    reason: "unavailable",
    retryable: false,
    why: `the database failed (${state === "" ? error.reason._tag : state})`
  }
}

/** The port's error for `operation`. `outcome` is `unknown` only for a commit whose answer was lost. */
export const storeError =
  (operation: string, outcome: "none" | "unknown" = "none") =>
  (error: SqlError): Store.StoreError => {
    const { reason, retryable, why } = meaningOf(error)
    return new Store.StoreError({ outcome, reason, retryable, message: `${operation}: ${why}`, cause: error })
  }
