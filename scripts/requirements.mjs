// Says in one sentence when Node or npm is too old to go on. Imported first by every script of this repository.
//
// This file and the scripts that import it keep to syntax that Node 12 can parse: a newer form would end in a
// SyntaxError before the sentence is printed. Minimums: npm's from package.json `engines`, Node's from the packages.

const NODE = 24
const NPM = 10

function major(version) {
  return Number(String(version).replace(/^v/, "").split(".")[0])
}

// npm announces itself to the scripts that it runs: "npm/11.19.1 node/v24.21.0 linux x64 ..."
function runningNpm() {
  const match = /(?:^|\s)npm\/(\S+)/.exec(process.env.npm_config_user_agent || "")
  return match ? match[1] : undefined
}

/** The complaint to print, or undefined when both are new enough. `npm` is undefined outside of npm. */
export function complaint(node, npm) {
  if (npm !== undefined && !(major(npm) >= NPM)) {
    return (
      "npm " +
      npm +
      " is too old for this repository: it needs npm " +
      NPM +
      " or newer (workspaces, lockfile " +
      "version 3, platform packages). Install Node 20.11 or newer, which brings one, then run: npm ci"
    )
  }
  if (!(major(node) >= NODE)) {
    return npm === undefined
      ? "Node " +
          node +
          " is too old for this script, which needs Node " +
          NODE +
          ". Run it through npm (npm test, " +
          "npm run check, npm run demo): npm puts the Node " +
          NODE +
          " of this repository first."
      : "Node " +
          node +
          " is too old: this needs Node " +
          NODE +
          ". On Linux (x64, arm64) npm ci installs one into " +
          "node_modules, so run npm ci first and do not omit optional packages; elsewhere install Node " +
          NODE +
          "."
  }
  return undefined
}

const sentence = complaint(process.version, runningNpm())
if (sentence !== undefined) {
  console.error(sentence)
  process.exit(1)
}
