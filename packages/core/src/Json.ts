/** JSON as readonly data: what requests, steps, jobs and audit entries are made of. */

export type Json = string | number | boolean | null | ReadonlyArray<Json> | JsonObject

export interface JsonObject {
  readonly [name: string]: Json
}
