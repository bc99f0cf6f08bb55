/** A worker process's store: on PostgreSQL by URL, or embedded in a directory. */
import type { Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { migrate } from "../../../src/store/Migrations.ts"
import * as Pglite from "../../../src/store/Pglite.ts"
import * as Postgres from "../../../src/store/Postgres.ts"
import * as SqlStore from "../../../src/store/SqlStore.ts"

export const storeAt = (target: string): Layer.Layer<Store.Store> => {
  if (target.startsWith("postgres:")) {
    return SqlStore.layer().pipe(Layer.provide(Postgres.layer({ url: Redacted.make(target) })), Layer.orDie)
  }
  const embedded = Pglite.layer({ directory: target })
  const migrated = Layer.effectDiscard(migrate).pipe(Layer.provideMerge(embedded))
  return SqlStore.layer().pipe(Layer.provide(migrated), Layer.orDie) satisfies Layer.Layer<Store.Store>
}

/** Tells the parent. Writes to a pipe are synchronous here, so what was said is said even if we are killed next. */
export const say = (line: string) => Effect.sync(() => process.stdout.write(`${line}\n`))
