/**
 * What an operator has to put right before the mode `sts_assume_role` works. Nothing is written, and no role that people
 * get is assumed: whether the daemon may assume one is asked of IAM's simulation, where the daemon may ask it.
 *
 * The simulation goes by the daemon's own policies. It knows no trust policy of a role and no policy of an organisation;
 * what it allows can still be refused, and the guide says how to look.
 */
import type { Provider } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { AssumeRoleCalls } from "./AssumeRoleCalls.ts"
import { type AssumeRoleConfig, homeAccount } from "./AssumeRoleConfig.ts"
import * as RoleArn from "./RoleArn.ts"

const told = ({ hint, message, reason }: Provider.ProviderError): string => `${reason}: ${message}. ${hint}`

/** A call that may fail, as a finding: what was refused is a missing permission. */
const finding = (
  what: string,
  permission: string | null,
  outcome: Result.Result<string, Provider.ProviderError>
): Provider.Finding =>
  Result.isSuccess(outcome)
    ? { what, ok: true, missing: null, hint: outcome.success }
    : {
        what,
        ok: false,
        missing: outcome.failure.reason === "ProviderDenied" ? permission : null,
        hint: told(outcome.failure)
      }

/** The identity that IAM knows: a session's role, or the user itself. */
const principalOf = (arn: string): string => {
  const session = /^arn:(aws[a-z-]*):sts::(\d{12}):assumed-role\/([\w+=,.@-]+)\//u.exec(arn)
  return session === null ? arn : `arn:${session[1]}:iam::${session[2]}:role/${session[3]}`
}

const looked = <A>(call: Effect.Effect<A, Provider.ProviderError>) => Effect.result(call)

export const make =
  (config: AssumeRoleConfig, calls: AssumeRoleCalls): NonNullable<Provider.Provider["diagnose"]> =>
  ({ canonical }) =>
    Effect.gen(function* () {
      const home = homeAccount(config)
      const identity = yield* looked(calls.callerIdentity)
      const findings = [
        finding(
          "credentials",
          null,
          Result.map(identity, ({ arn }) => `signed in as ${arn}`)
        )
      ]
      if (Result.isFailure(identity)) return findings
      const { account, arn } = identity.success
      if (account !== home) {
        findings.push({
          what: "account of the daemon",
          ok: false,
          missing: null,
          hint: `The credentials are of ${account}, and \`providers.aws.account_id\` (or the first of \`accounts\`) says ${home}.`
        })
      }
      for (const foreign of config.accounts.filter((one) => one !== home)) {
        const revoker = RoleArn.expand(config.revoker_role_arn_template ?? "", foreign, "")
        const outcome = yield* looked(calls.revoker(foreign))
        findings.push(
          finding(
            `sts:AssumeRole on ${revoker}`,
            "sts:AssumeRole",
            Result.map(outcome, () => "the revoker role of that account")
          )
        )
      }
      if (canonical === null) return findings

      const roleArn = RoleArn.expand(config.role_arn_template, canonical.resourceScope, canonical.role)
      const simulated = (action: string) =>
        Effect.map(looked(calls.simulated(principalOf(arn), action, roleArn)), (outcome): Provider.Finding => {
          const what = `${action} on ${roleArn}`
          if (Result.isFailure(outcome)) {
            const hint =
              outcome.failure.reason === "ProviderDenied"
                ? "It would show at the first grant; with iam:SimulatePrincipalPolicy on itself the daemon could tell."
                : told(outcome.failure)
            return { what, ok: null, missing: null, hint }
          }
          return outcome.success
            ? {
                what,
                ok: true,
                missing: null,
                hint: "by the daemon's policies; the role's trust policy is not simulated"
              }
            : { what, ok: false, missing: action, hint: `Allow ${arn} ${action} on this role.` }
        })
      findings.push(yield* simulated("sts:AssumeRole"))
      if (config.session_tags) findings.push(yield* simulated("sts:TagSession"))
      if (config.source_identity) findings.push(yield* simulated("sts:SetSourceIdentity"))
      if (canonical.resourceScope === home) findings.push(yield* simulated("iam:PutRolePolicy"))
      else {
        const hint = "The revoker role of that account needs it; it would show at the first early end."
        findings.push({ what: `iam:PutRolePolicy on ${roleArn}`, ok: null, missing: null, hint })
      }
      return findings
    })
