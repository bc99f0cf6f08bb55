/**
 * Applying policy: every source of the starter pack checked, compiled by OPA and its tests run, as `policy apply` does
 * before anything is stored. The first time includes starting the compiler; later ones compile changed sources anew.
 *
 * The compiler runs in a thread of its own: the longest that this program's event loop stood still is a row too.
 */
import { Principal, Time } from "@jitsudo/core"
import { Prepare, Starter } from "@jitsudo/rego"
import { Compiler } from "@jitsudo/rego/compiler"
import * as Effect from "effect/Effect"
import { monitorEventLoopDelay } from "node:perf_hooks"
import { median } from "./Load.ts"
import { atMost, report, row } from "./Rows.ts"

const later = 3

const now = Time.make(Date.now())
const by = { ...Principal.system, email: null }

/** The pack with a remark in every file, so that nothing is as it was. */
const drafts = (remark: number): ReadonlyArray<Prepare.Draft> =>
  Starter.policies({ now, by }).map(({ description, enabled, files, name, type }) => ({
    name,
    type,
    description,
    enabled,
    files: files.map(({ path, source }) => ({ path, source: `# version ${remark}\n${source}` }))
  }))

const measured = Effect.gen(function* () {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  const millis: Array<number> = []
  for (let turn = 0; turn <= later; turn++) {
    const given = drafts(turn)
    delay.enable()
    const start = performance.now()
    const { policies } = yield* Prepare.prepare(given, { before: [], now, by })
    millis.push(performance.now() - start)
    delay.disable()
    if (policies.length !== given.length)
      throw new Error(`${given.length} policies were given, ${policies.length} came`)
  }
  return { millis, blocked: delay.max / 1e6, policies: drafts(0).length }
}).pipe(Effect.provide(Compiler.layer))

const { blocked, millis, policies } = await Effect.runPromise(Effect.scoped(measured))
const [first = Number.NaN, ...others] = millis
report(
  "policy-apply",
  [
    row({ row: 5, name: `starter pack applied, first`, value: first, unit: "ms", target: atMost(3_000) }),
    row({ row: 5, name: `starter pack applied, later`, value: median(others), unit: "ms", target: atMost(500) }),
    row({ row: 5, name: "  event loop stood still, at most", value: blocked, unit: "ms", target: atMost(50) })
  ],
  { notes: [`${policies} policies, their tests included`], details: { millis } }
)
