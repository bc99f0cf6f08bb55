/**
 * `npm run test:providers -- --report`: the contract table of all providers, the fault matrix, and one closing line.
 *
 *   --lanes TEXT     only lanes whose name has this text
 *   --sample N       so many faults of each kind for a lane, spread over its play (all of them without it)
 *   --broken NAME    around each provider one that is wrong on purpose (`BrokenProviders.ts`): shows that it is seen
 *
 * Exit code 1 when a sentence is violated, a fault left something, or fewer faults were injected than there must be.
 */
import { parseArgs } from "node:util"
import * as Effect from "effect/Effect"
import { allLanes } from "./AllLanes.ts"
import { broken, isBroken } from "./BrokenProviders.ts"
import * as ContractTable from "./ContractTable.ts"
import { leastInjected, matrix, type Matrix, totalOf, whyNotPlayed } from "./FaultMatrix.ts"

const { values } = parseArgs({
  options: {
    report: { type: "boolean" },
    lanes: { type: "string" },
    sample: { type: "string" },
    broken: { type: "string" }
  }
})

const say = (text: string): void => void process.stdout.write(`${text}\n`)

const mutate = values.broken === undefined ? undefined : isBroken(values.broken) ? broken[values.broken].mutate : null
const sample = values.sample === undefined ? undefined : Number(values.sample)
if (mutate === null) throw new Error(`--broken knows ${Object.keys(broken).join(", ")}`)
if (sample !== undefined && !(Number.isSafeInteger(sample) && sample > 0)) throw new Error("--sample wants a number")

const lanes = (await allLanes()).filter(({ name }) => values.lanes === undefined || name.includes(values.lanes))

const columns: Array<ContractTable.Column> = []
for (const lane of lanes) columns.push(await Effect.runPromise(ContractTable.columnOf(lane, mutate)))
const names = new Set<string>()
for (const lane of lanes) {
  names.add(await Effect.runPromise(Effect.scoped(Effect.map(lane.make, ({ fixture }) => fixture.provider.name))))
}
say(ContractTable.render(columns))
say("")

const matrices: Array<Matrix> = []
for (const lane of lanes) {
  const why = whyNotPlayed(lane)
  if (why !== null) {
    say(`faults: not played on ${lane.name}: ${why}`)
    continue
  }
  const played = await Effect.runPromise(
    matrix(lane, { ...(mutate === undefined ? {} : { mutate }), ...(sample === undefined ? {} : { sample }) })
  )
  matrices.push(played)
  say(
    `${played.lane}: ${played.calls} calls, ${played.injected} faults, ${played.orphaned} orphaned, ${played.lost} lost`
  )
  for (const { fault, lost, orphaned } of played.found) {
    for (const what of [...orphaned, ...lost]) say(`  ${fault}: ${what}`)
  }
}

const violated = ContractTable.violationsOf(columns).length
const sentences = ContractTable.heldOrViolated(columns)
say("")
say(totalOf(matrices))
say(`providers: ${names.size} providers, ${sentences} sentences, ${violated} violated`)
const sum = (of: (one: Matrix) => number) => matrices.reduce((total, one) => total + of(one), 0)
const left = sum((one) => one.orphaned + one.lost)
const whole = values.lanes === undefined && sample === undefined
const enough = sum((one) => one.injected) >= (whole ? leastInjected : 1)
process.exitCode = violated === 0 && left === 0 && sentences > 0 && enough ? 0 : 1
