/**
 * The calls to SSO-Admin and IdentityStore, each as `SdkCall.ts` makes it. Pages are read to the end.
 *
 * A call that only reads has no effect, whatever becomes of it.
 */
import type { Provider } from "@jitsudo/core"
import type {
  AccountAssignmentOperationStatus,
  AccountAssignmentOperationStatusMetadata,
  StatusValues
} from "@aws-sdk/client-sso-admin"
import * as Effect from "effect/Effect"
import * as AwsError from "./AwsError.ts"
import type { IdentityCenterSdk } from "./AwsSdk.ts"
import type { IdentityCenterConfig } from "./IdentityCenterConfig.ts"
import * as SdkCall from "./SdkCall.ts"

/** A permission set in an account, for a person. */
export interface Place {
  readonly account: string
  readonly permissionSetArn: string
  readonly userId: string
}

export interface PermissionSet {
  readonly name: string
  readonly arn: string
  /** How long a session of it lasts, in seconds. */
  readonly sessionSeconds: number
}

export type Kind = "create" | "delete"

/** An operation that AWS is at, or was. */
export interface Operation {
  readonly id: string
  readonly status: StatusValues
  readonly failure: string | null
  readonly place: Place
}

export interface IdentityCenterCalls {
  /** The user whose attribute is exactly this. */
  readonly userId: (value: string) => Effect.Effect<string, Provider.ProviderError>
  readonly permissionSetArns: Effect.Effect<ReadonlyArray<string>, Provider.ProviderError>
  readonly permissionSet: (arn: string) => Effect.Effect<PermissionSet, Provider.ProviderError>
  /** Users (no groups) with this permission set in this account, as reads show it. */
  readonly assignees: (
    place: Pick<Place, "account" | "permissionSetArn">
  ) => Effect.Effect<ReadonlyArray<string>, Provider.ProviderError>
  /** Asks for the change; what becomes of it is to be looked at. */
  readonly begin: (kind: Kind, place: Place) => Effect.Effect<Operation, Provider.ProviderError>
  readonly look: (kind: Kind, id: string) => Effect.Effect<Operation, Provider.ProviderError>
  /** Operations of the whole instance, with the instant at which each was asked for (epoch milliseconds). */
  readonly operations: (
    kind: Kind,
    status?: StatusValues
  ) => Effect.Effect<ReadonlyArray<{ readonly id: string; readonly createdAt: number }>, Provider.ProviderError>
}

/** `PT8H30M` in seconds; an hour where it cannot be read, which is AWS's default. */
const secondsIn = (duration: string | undefined): number => {
  const found = /^PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?$/u.exec(duration ?? "")
  const [, hours = "0", minutes = "0", seconds = "0"] = found ?? []
  const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  return total > 0 ? total : 3600
}

const asOperation = (
  status: AccountAssignmentOperationStatus | undefined,
  doing: AwsError.Doing
): Effect.Effect<Operation, Provider.ProviderError> =>
  status?.Status === undefined || status.RequestId === undefined
    ? Effect.fail(AwsError.fromSdk(new Error("no status"), doing))
    : Effect.succeed({
        id: status.RequestId,
        status: status.Status,
        failure: status.FailureReason ?? null,
        place: {
          account: status.TargetId ?? "",
          permissionSetArn: status.PermissionSetArn ?? "",
          userId: status.PrincipalId ?? ""
        }
      })

export const make = (
  sdk: IdentityCenterSdk,
  config: IdentityCenterConfig,
  own: SdkCall.OwnCredentials | undefined
): IdentityCenterCalls => {
  const options = { ...SdkCall.clientOptions(config), ...SdkCall.identityOf(own) }
  const { sso, identitystore } = sdk
  const admin = new sso.SSOAdminClient(options)
  const store = new identitystore.IdentitystoreClient(options)
  const call = SdkCall.make(config)
  const instance = { InstanceArn: config.instance_arn }

  const reading: SdkCall.Call = (doing, run) => Effect.mapError(call(doing, run), AwsError.withoutEffect)

  /** Every page of a listing. */
  const pages = <A>(
    doing: AwsError.Doing,
    read: (
      next: { readonly NextToken?: string },
      signal: AbortSignal
    ) => Promise<{ readonly items: ReadonlyArray<A> | undefined; readonly next: string | undefined }>
  ): Effect.Effect<ReadonlyArray<A>, Provider.ProviderError> =>
    Effect.gen(function* () {
      const found: Array<A> = []
      let token: string | undefined
      do {
        const next: { readonly NextToken?: string } = token === undefined ? {} : { NextToken: token }
        const page = yield* reading(doing, (signal) => read(next, signal))
        found.push(...(page.items ?? []))
        token = page.next
      } while (token !== undefined && token !== "")
      return found
    })

  const input = ({ account, permissionSetArn, userId }: Place) => ({
    ...instance,
    TargetId: account,
    TargetType: "AWS_ACCOUNT" as const,
    PermissionSetArn: permissionSetArn,
    PrincipalType: "USER" as const,
    PrincipalId: userId
  })

  const on = ({ account, permissionSetArn }: Pick<Place, "account" | "permissionSetArn">): string =>
    `${permissionSetArn} in account ${account}`

  const instants = (
    items: ReadonlyArray<AccountAssignmentOperationStatusMetadata> | undefined
  ): ReadonlyArray<{ readonly id: string; readonly createdAt: number }> =>
    (items ?? []).flatMap(({ CreatedDate: created, RequestId: id }) =>
      id === undefined ? [] : [{ id, createdAt: created?.getTime() ?? 0 }]
    )

  return {
    userId: (value) => {
      const attribute = config.user_lookup === "email" ? "emails.value" : "userName"
      const doing: AwsError.Doing = {
        action: "identitystore:GetUserId",
        on: config.identity_store_id,
        missing: {
          reason: "PrincipalNotFound",
          message: "IAM Identity Center does not know you",
          hint: `Nobody's ${config.user_lookup} is what \`providers.aws.user_template\` makes of the requester.`
        }
      }
      return reading(doing, (abortSignal) =>
        store.send(
          new identitystore.GetUserIdCommand({
            IdentityStoreId: config.identity_store_id,
            AlternateIdentifier: { UniqueAttribute: { AttributePath: attribute, AttributeValue: value } }
          }),
          { abortSignal }
        )
      ).pipe(
        Effect.flatMap(({ UserId: userId }) =>
          userId === undefined ? Effect.fail(AwsError.fromSdk(new Error("no user"), doing)) : Effect.succeed(userId)
        ),
        Effect.mapError(AwsError.withoutEffect)
      )
    },
    permissionSetArns: pages({ action: "sso:ListPermissionSets", on: config.instance_arn }, (next, abortSignal) =>
      admin
        .send(new sso.ListPermissionSetsCommand({ ...instance, ...next, MaxResults: 100 }), { abortSignal })
        .then(({ NextToken, PermissionSets }) => ({ items: PermissionSets, next: NextToken }))
    ),
    permissionSet: (arn) =>
      Effect.map(
        reading({ action: "sso:DescribePermissionSet", on: arn }, (abortSignal) =>
          admin.send(new sso.DescribePermissionSetCommand({ ...instance, PermissionSetArn: arn }), { abortSignal })
        ),
        ({ PermissionSet: set }) => ({ name: set?.Name ?? "", arn, sessionSeconds: secondsIn(set?.SessionDuration) })
      ),
    assignees: (place) =>
      Effect.map(
        pages({ action: "sso:ListAccountAssignments", on: on(place) }, (next, abortSignal) =>
          admin
            .send(
              new sso.ListAccountAssignmentsCommand({
                ...instance,
                ...next,
                AccountId: place.account,
                PermissionSetArn: place.permissionSetArn,
                MaxResults: 100
              }),
              { abortSignal }
            )
            .then(({ AccountAssignments, NextToken }) => ({ items: AccountAssignments, next: NextToken }))
        ),
        (found) =>
          found.flatMap(({ PrincipalId, PrincipalType }) =>
            PrincipalType === "USER" && PrincipalId !== undefined ? [PrincipalId] : []
          )
      ),
    begin: (kind, place) => {
      const doing = {
        action: kind === "create" ? "sso:CreateAccountAssignment" : "sso:DeleteAccountAssignment",
        on: on(place)
      }
      return Effect.flatMap(
        call(doing, (abortSignal) =>
          kind === "create"
            ? admin
                .send(new sso.CreateAccountAssignmentCommand(input(place)), { abortSignal })
                .then((answer) => answer.AccountAssignmentCreationStatus)
            : admin
                .send(new sso.DeleteAccountAssignmentCommand(input(place)), { abortSignal })
                .then((answer) => answer.AccountAssignmentDeletionStatus)
        ),
        (status) => asOperation(status, doing)
      )
    },
    look: (kind, id) => {
      const doing = {
        action:
          kind === "create"
            ? "sso:DescribeAccountAssignmentCreationStatus"
            : "sso:DescribeAccountAssignmentDeletionStatus",
        on: config.instance_arn
      }
      return reading(doing, (abortSignal) =>
        kind === "create"
          ? admin
              .send(
                new sso.DescribeAccountAssignmentCreationStatusCommand({
                  ...instance,
                  AccountAssignmentCreationRequestId: id
                }),
                { abortSignal }
              )
              .then((answer) => answer.AccountAssignmentCreationStatus)
          : admin
              .send(
                new sso.DescribeAccountAssignmentDeletionStatusCommand({
                  ...instance,
                  AccountAssignmentDeletionRequestId: id
                }),
                { abortSignal }
              )
              .then((answer) => answer.AccountAssignmentDeletionStatus)
      ).pipe(
        Effect.flatMap((status) => asOperation(status, doing)),
        Effect.mapError(AwsError.withoutEffect)
      )
    },
    operations: (kind, status) => {
      const filter = status === undefined ? {} : { Filter: { Status: status } }
      return kind === "create"
        ? pages({ action: "sso:ListAccountAssignmentCreationStatus", on: config.instance_arn }, (next, abortSignal) =>
            admin
              .send(new sso.ListAccountAssignmentCreationStatusCommand({ ...instance, ...filter, ...next }), {
                abortSignal
              })
              .then(({ AccountAssignmentsCreationStatus, NextToken }) => ({
                items: instants(AccountAssignmentsCreationStatus),
                next: NextToken
              }))
          )
        : pages({ action: "sso:ListAccountAssignmentDeletionStatus", on: config.instance_arn }, (next, abortSignal) =>
            admin
              .send(new sso.ListAccountAssignmentDeletionStatusCommand({ ...instance, ...filter, ...next }), {
                abortSignal
              })
              .then(({ AccountAssignmentsDeletionStatus, NextToken }) => ({
                items: instants(AccountAssignmentsDeletionStatus),
                next: NextToken
              }))
          )
    }
  }
}
