/**
 * Text for session tags and source identities, cleaned to the alphabets that STS accepts.
 *
 * The full reason stands in the audit log; here a character that STS would refuse becomes a space (or `-`), because a
 * refused `AssumeRole` after an approval helps nobody.
 */
import type { Provider } from "@jitsudo/core"

// https://docs.aws.amazon.com/STS/latest/APIReference/API_Tag.html
const notTag = /[^\p{L}\p{Z}\p{N}_.:/=+\-@]/gu
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (SourceIdentity)
const notIdentity = /[^\w+=,.@-]/gu

/** At most `length` characters, none cut in two. */
const cut = (text: string, length: number): string => [...text.toWellFormed()].slice(0, length).join("")

/** A tag's value: at most 256 characters of the allowed alphabet. */
export const tagValue = (text: string): string =>
  cut(
    text
      .toWellFormed()
      .replace(notTag, " ")
      .replace(/\p{Z}+/gu, " ")
      .trim(),
    256
  )

/** The tags of a session. */
export const tagsOf = (
  request: Provider.GrantRequest
): ReadonlyArray<{ readonly Key: string; readonly Value: string }> => [
  { Key: "jitsudo:RequestID", Value: tagValue(request.requestId) },
  { Key: "jitsudo:Requester", Value: tagValue(request.grantee.email ?? request.grantee.subject) },
  { Key: "jitsudo:Reason", Value: tagValue(request.reason) }
]

/** Who a session is for: 2 to 64 characters of the allowed alphabet. */
export const sourceIdentityOf = (grantee: Provider.Grantee): string => {
  const name = cut((grantee.email ?? grantee.subject).replace(notIdentity, "-"), 64)
  return name.length < 2 ? `-${name}-`.slice(0, 2) : name
}
