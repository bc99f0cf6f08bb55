/**
 * The one inline policy that jitsudo manages on a role, and what stands in it: sessions that were ended early and would
 * still live.
 *
 * 1. A session is named by `aws:userid`, which for an assumed role is `role-id:session-name`
 *    (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable). The session
 *    name follows from the request alone, so a session whose answer was lost is denied too.
 * 2. The document is rebuilt from the whole list every time, so that nothing outlives its reason.
 * 3. A list that is too long for IAM (10,240 characters for all inline policies of a role, white space not counted:
 *    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html) is folded: the sessions issued first
 *    are denied together by their time of issue, and only among jitsudo's own sessions. That may hit living ones; the
 *    caller says so.
 */
import { Time } from "@jitsudo/core"

/** The name of the inline policy. */
export const policyName = "jitsudo-revoked-sessions"

/** IAM's quota for the inline policies of a role, in characters without white space. */
export const quota = 10_240

/** A session that must be denied. */
export interface Revoked {
  readonly requestId: string
  /** No session of the request can have been issued later. */
  readonly issuedBy: Time.Time
  /** No session of the request can live longer. */
  readonly notAfter: Time.Time
}

export const sessionNameOf = (requestId: string): string => `jitsudo-${requestId}`

const seconds = (time: Time.Time): string => new Date(time).toISOString().replace(/\.\d{3}Z$/u, "Z")

/** The first whole second after `time`: never earlier than the issue time that AWS stamped in whole seconds. */
const after = (time: Time.Time): Time.Time => Time.make((Math.floor(time / 1000) + 1) * 1000)

/** In the order in which sessions are folded: issued first, first. */
export const inFoldingOrder = (revoked: ReadonlyArray<Revoked>): ReadonlyArray<Revoked> =>
  revoked.toSorted((a, b) => a.issuedBy - b.issuedBy || (a.requestId < b.requestId ? -1 : 1))

/** Until when sessions are denied by their time of issue when the first `folded` of a list are; null for none. */
export const foldedUntil = (revoked: ReadonlyArray<Revoked>, folded: number): Time.Time | null => {
  const last = revoked[folded - 1]
  return last === undefined ? null : after(last.issuedBy)
}

/** The policy that denies these sessions, the first `folded` of them by their time of issue. */
export const documentOf = (revoked: ReadonlyArray<Revoked>, folded: number): string => {
  const named = revoked.slice(folded).map(({ requestId }) => `*:${sessionNameOf(requestId)}`)
  const until = foldedUntil(revoked, folded)
  const statements = [
    {
      Sid: "JitsudoEndedSessions",
      Effect: "Deny",
      Action: "*",
      Resource: "*",
      // Without any session: a value that no assumed role's user id equals, because those contain a colon.
      Condition: { StringLike: { "aws:userid": named.length === 0 ? ["no-session"] : named.toSorted() } }
    },
    ...(until === null
      ? []
      : [
          {
            Sid: "JitsudoEndedSessionsFolded",
            Effect: "Deny",
            Action: "*",
            Resource: "*",
            Condition: {
              StringLike: { "aws:userid": ["*:jitsudo-*"] },
              DateLessThanEquals: { "aws:TokenIssueTime": seconds(until) }
            }
          }
        ])
  ]
  return JSON.stringify({ Version: "2012-10-17", Statement: statements })
}

/** The fewest to fold so that the document alone is within the quota. */
export const leastFolded = (revoked: ReadonlyArray<Revoked>): number => {
  let folded = 0
  while (folded < revoked.length && documentOf(revoked, folded).length > quota) folded += 1
  return folded
}
