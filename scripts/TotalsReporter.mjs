// A vitest reporter: prints each skipped test with its reason, and writes the run's totals for scripts/test.mjs.
//
// 1. A skipped test gives a reason: `ctx.skip("reason")`, or `meta: { skipReason }` on it or a suite around it.
//    Without one it is a failure, and so is a test that never ran because a hook of its suite failed.
// 2. What fails outside of a test counts as one failure each: a file that does not load, a hook, an unhandled error.
// 3. Under `-t` the tests that the name filter leaves out are no concern of anybody: they are not counted.

import fs from "node:fs"
import process from "node:process"

/** The suites around a test or suite, innermost first, the module last. */
function around(task) {
  const parents = []
  for (let at = task.parent; at !== undefined; at = at.parent) parents.push(at)
  return parents
}

const fullName = (task) => `${task.module.relativeModuleId} > ${task.fullName}`

function skipReason(test) {
  const note = test.result().note
  if (note) return note
  return [test, ...around(test)].map((task) => task.meta().skipReason).find((reason) => reason !== undefined)
}

/** Pure: the totals of a finished run. `failed` are failing tests, `failures` sentences for everything else. */
export function totalsOf(modules, unhandledErrors, { filtered = false } = {}) {
  const totals = { passed: 0, failed: 0, skipped: 0, reasons: [], failures: [] }
  for (const error of unhandledErrors) totals.failures.push(`unhandled error: ${error.message}`)
  for (const module of modules) {
    for (const error of module.errors()) totals.failures.push(`${module.relativeModuleId}: ${error.message}`)
    for (const suite of module.children.allSuites()) {
      for (const error of suite.errors()) totals.failures.push(`${fullName(suite)}: ${error.message}`)
    }
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === "passed") totals.passed += 1
      else if (state === "failed") totals.failed += 1
      else if (around(test).some((suite) => suite.errors().length > 0)) {
        totals.failures.push(`${fullName(test)}: did not run, because its suite failed`)
      } else if (state !== "skipped") totals.failures.push(`${fullName(test)}: did not finish`)
      else {
        const reason = skipReason(test)
        if (reason !== undefined) {
          totals.skipped += 1
          totals.reasons.push({ test: fullName(test), reason })
        } else if (!filtered) totals.failures.push(`${fullName(test)}: skipped without a reason`)
      }
    }
  }
  return totals
}

export default class TotalsReporter {
  onInit(vitest) {
    this.vitest = vitest
  }

  onTestRunEnd(modules, unhandledErrors) {
    const filtered = this.vitest.config.testNamePattern !== undefined
    const totals = totalsOf(modules, unhandledErrors, { filtered })
    for (const { test, reason } of totals.reasons) console.log(`SKIPPED ${test}: ${reason}`)
    const file = process.env.JITSUDO_TEST_REPORT
    if (file) fs.writeFileSync(file, JSON.stringify(totals))
  }
}
