/**
 * The calls to STS and IAM, each as `SdkCall.ts` makes it. IAM is asked in the account of the role: directly in the
 * daemon's own, else as the revoker role there.
 */
import type { AssumeRoleCommandInput, AssumeRoleCommandOutput } from "@aws-sdk/client-sts"
import type { IAMClient } from "@aws-sdk/client-iam"
import type { Provider } from "@jitsudo/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { type AssumeRoleConfig, homeAccount } from "./AssumeRoleConfig.ts"
import * as AwsError from "./AwsError.ts"
import type { RolesSdk } from "./AwsSdk.ts"
import * as RoleArn from "./RoleArn.ts"
import * as SdkCall from "./SdkCall.ts"

export interface AssumeRoleCalls {
  readonly assumeRole: (
    input: AssumeRoleCommandInput & { readonly RoleArn: string }
  ) => Effect.Effect<AssumeRoleCommandOutput, Provider.ProviderError>
  /** Replaces the inline policy of a role. `quota` when IAM has no room for it. */
  readonly putRolePolicy: (
    roleArn: string,
    account: string,
    policyName: string,
    document: string
  ) => Effect.Effect<"put" | "quota", Provider.ProviderError>
  /** A role's longest session, in seconds. */
  readonly maxSessionSeconds: (roleArn: string, account: string) => Effect.Effect<number, Provider.ProviderError>
  /** Who the daemon is; AWS denies nobody to ask. */
  readonly callerIdentity: Effect.Effect<{ readonly arn: string; readonly account: string }, Provider.ProviderError>
  /** Signs in as the revoker role of an account; nothing where the account needs none. */
  readonly revoker: (account: string) => Effect.Effect<void, Provider.ProviderError>
  /** Whether this identity's policies allow it, as IAM's simulation says. */
  readonly simulated: (
    principalArn: string,
    action: string,
    resourceArn: string
  ) => Effect.Effect<boolean, Provider.ProviderError>
}

/** Left of a revoker session before it is renewed. */
const renewBeforeMillis = 300_000

export const make = (
  sdk: RolesSdk,
  config: AssumeRoleConfig,
  own: SdkCall.OwnCredentials | undefined
): AssumeRoleCalls => {
  const shared = SdkCall.clientOptions(config)
  const call = SdkCall.make(config)
  const identity = SdkCall.identityOf(own)
  const sts = new sdk.sts.STSClient({ ...shared, ...identity })
  const iamAs = (credentials: { readonly credentials?: SdkCall.OwnCredentials }): IAMClient =>
    new sdk.iam.IAMClient({ ...shared, ...credentials })
  const home = iamAs(identity)
  const revokers = new Map<string, { readonly client: IAMClient; readonly expires: number }>()

  const externalId = config.external_id === undefined ? {} : { ExternalId: config.external_id }

  const trust = [
    config.external_id === undefined ? null : "with the configured external id",
    config.session_tags ? "and sts:TagSession (`session_tags`)" : null,
    config.source_identity ? "and sts:SetSourceIdentity (`source_identity`)" : null
  ].filter((part) => part !== null)

  const assumeRole: AssumeRoleCalls["assumeRole"] = (input) =>
    call(
      {
        action: "sts:AssumeRole",
        on: input.RoleArn,
        also: ["The role's trust policy must allow it too,", ...trust].join(" ").replace(/,$/u, ".")
      },
      (abortSignal) => sts.send(new sdk.sts.AssumeRoleCommand({ ...input, ...externalId }), { abortSignal })
    )

  /** IAM in the account of the role. */
  const iamIn = (account: string): Effect.Effect<IAMClient, Provider.ProviderError> =>
    Effect.gen(function* () {
      const template = config.revoker_role_arn_template
      if (account === homeAccount(config) || template === undefined) return home
      const now = yield* Clock.currentTimeMillis
      const kept = revokers.get(account)
      if (kept !== undefined && kept.expires - renewBeforeMillis > now) return kept.client
      const arn = RoleArn.expand(template, account, "")
      const doing = { action: "sts:AssumeRole", on: arn, also: "It is the revoker role of that account." }
      const { Credentials: credentials } = yield* call(doing, (abortSignal) =>
        sts.send(
          // The name is outside of `jitsudo-*`, which a folded denial would match.
          new sdk.sts.AssumeRoleCommand({
            RoleArn: arn,
            RoleSessionName: "jitsudod-revoker",
            DurationSeconds: 900,
            ...externalId
          }),
          { abortSignal }
        )
      ).pipe(
        // A revoker session that nobody got the answer for changes nothing that was asked for.
        Effect.catchTag("ProviderError", (failure) => Effect.fail(AwsError.withoutEffect(failure)))
      )
      if (
        credentials?.AccessKeyId === undefined ||
        credentials.SecretAccessKey === undefined ||
        credentials.SessionToken === undefined
      ) {
        return yield* AwsError.withoutEffect(AwsError.fromSdk(new Error("no credentials"), doing))
      }
      const client = iamAs({
        credentials: {
          accessKeyId: credentials.AccessKeyId,
          secretAccessKey: credentials.SecretAccessKey,
          sessionToken: credentials.SessionToken
        }
      })
      revokers.set(account, { client, expires: credentials.Expiration?.getTime() ?? now })
      return client
    })

  /** A call to IAM; a session that AWS no longer accepts is forgotten, so that the next try gets another. */
  const iam = <A>(
    account: string,
    doing: AwsError.Doing,
    run: (client: IAMClient, signal: AbortSignal) => Promise<A>
  ): Effect.Effect<A, Provider.ProviderError> =>
    Effect.flatMap(iamIn(account), (client) =>
      Effect.tapError(
        call(doing, (signal) => run(client, signal)),
        (failure) =>
          Effect.sync(() => {
            if (failure.reason === "ProviderDenied") revokers.delete(account)
          })
      )
    )

  return {
    assumeRole,
    putRolePolicy: (roleArn, account, policyName, document) =>
      iam(account, { action: "iam:PutRolePolicy", on: roleArn }, (client, abortSignal) =>
        client
          .send(
            new sdk.iam.PutRolePolicyCommand({
              RoleName: RoleArn.nameIn(roleArn),
              PolicyName: policyName,
              PolicyDocument: document
            }),
            { abortSignal }
          )
          .then(
            () => "put" as const,
            (thrown: unknown) => {
              if (AwsError.codeOf(thrown) === "LimitExceeded") return "quota" as const
              throw thrown
            }
          )
      ),
    maxSessionSeconds: (roleArn, account) =>
      Effect.map(
        iam(account, { action: "iam:GetRole", on: roleArn }, (client, abortSignal) =>
          client.send(new sdk.iam.GetRoleCommand({ RoleName: RoleArn.nameIn(roleArn) }), { abortSignal })
        ),
        // AWS leaves it out where it is the default of an hour.
        ({ Role: role }) => role?.MaxSessionDuration ?? 3600
      ),
    callerIdentity: Effect.map(
      call({ action: "sts:GetCallerIdentity", on: "itself" }, (abortSignal) =>
        sts.send(new sdk.sts.GetCallerIdentityCommand({}), { abortSignal })
      ),
      ({ Account: account = "", Arn: arn = "" }) => ({ account, arn })
    ),
    revoker: (account) => Effect.asVoid(iamIn(account)),
    simulated: (principalArn, action, resourceArn) =>
      Effect.map(
        call({ action: "iam:SimulatePrincipalPolicy", on: principalArn }, (abortSignal) =>
          home.send(
            new sdk.iam.SimulatePrincipalPolicyCommand({
              PolicySourceArn: principalArn,
              ActionNames: [action],
              ResourceArns: [resourceArn]
            }),
            { abortSignal }
          )
        ),
        ({ EvaluationResults: results = [] }) =>
          results.length > 0 && results.every(({ EvalDecision: decision }) => decision === "allowed")
      )
  }
}
