/**
 * What jitsudo leaves on everything that it makes in a cluster, and how it knows it again.
 *
 * 1. Names follow from the request's id alone, so that what a lost answer left can be found: `jitsudo-<id>` in lower
 *    case. Bindings may have an underscore in their names, accounts may not.
 * 2. Labels are what can be looked for, and all of theirs fit (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set):
 *    the managed label, the request's id, the installation. Annotations say the rest, to people and to `list`.
 * 3. Text of others stands in annotations only, cut, with everything invisible written out.
 */
import { Provider, Time } from "@jitsudo/core"

export const requestLabel = "jitsudo.dev/request-id"
export const installationLabel = "jitsudo.dev/installation"

const annotation = {
  expiresAt: "jitsudo.dev/expires-at",
  requestId: "jitsudo.dev/request-id",
  user: "jitsudo.dev/user",
  reason: "jitsudo.dev/reason",
  metadata: "jitsudo.dev/metadata",
  role: "jitsudo.dev/role",
  scope: "jitsudo.dev/scope"
} as const

/** `req_` and a ULID: what can stand in a label and in a name. */
export const isRequestId = (id: string): boolean => /^req_[0-9A-HJKMNP-TV-Z]{26}$/u.test(id)

export const bindingName = (requestId: string): string => `jitsudo-${requestId.toLowerCase()}`

/** DNS subdomain: https://kubernetes.io/docs/concepts/security/service-accounts/ */
export const accountName = (requestId: string): string => bindingName(requestId).replaceAll("_", "-")

const longest = { user: 256, reason: 1024, metadataKeys: 16, metadataKey: 64, metadataValue: 256 } as const

/** One line of visible text: what cannot be seen is written as its code point. */
const shown = (text: string, max: number): string =>
  [
    ...text
      .slice(0, max)
      .toWellFormed()
      .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
  ]
    .slice(0, max)
    .join("")

const metadataText = (metadata: Provider.GrantRequest["metadata"]): string | null => {
  const kept = Object.entries(metadata)
    .filter(([key, value]) => key.length <= longest.metadataKey && value.length <= longest.metadataValue)
    .slice(0, longest.metadataKeys)
    .map(([key, value]) => [shown(key, longest.metadataKey), shown(value, longest.metadataValue)] as const)
  return kept.length === 0 ? null : JSON.stringify(Object.fromEntries(kept))
}

export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly labels: Record<string, string>
  readonly annotations: Record<string, string>
}

/** The metadata of something that is made for a request. */
export const metadataOf = (
  request: Provider.GrantRequest,
  place: { readonly name: string; readonly namespace: string | null },
  expiresAt: Time.Time,
  managedLabel: string
): Metadata => {
  const metadata = metadataText(request.metadata)
  return {
    name: place.name,
    ...(place.namespace === null ? {} : { namespace: place.namespace }),
    labels: {
      [managedLabel]: "true",
      [requestLabel]: request.requestId,
      ...(request.installation === undefined ? {} : { [installationLabel]: request.installation })
    },
    annotations: {
      [annotation.expiresAt]: Time.toRfc3339(expiresAt),
      [annotation.requestId]: request.requestId,
      [annotation.user]: shown(request.grantee.email ?? request.grantee.subject, longest.user),
      [annotation.reason]: shown(request.reason, longest.reason),
      [annotation.role]: request.canonical.role,
      [annotation.scope]: request.canonical.resourceScope,
      ...(metadata === null ? {} : { [annotation.metadata]: metadata })
    }
  }
}

/** What an object says of itself, as far as the mark is concerned. */
export interface Marks {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

/** Whether the mark names this request: one of its two places is enough, so that an edit does not hide it. */
export const isOf = ({ annotations, labels }: Marks, requestId: string): boolean =>
  labels[requestLabel] === requestId || annotations[annotation.requestId] === requestId

/** The request that the labels name; null when they name none. */
export const requestIn = ({ labels }: Marks): string | null => {
  const id = labels[requestLabel] ?? ""
  return isRequestId(id) ? id : null
}

export const installationIn = ({ labels }: Marks): string | null => {
  const word = labels[installationLabel] ?? ""
  return Provider.isInstallation(word) ? word : null
}

/** When it is over, as the annotation says; null when it does not say, or somebody has made it something else. */
export const expiryIn = ({ annotations }: Marks): Time.Time | null => {
  const text = annotations[annotation.expiresAt] ?? ""
  const millis = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/u.test(text) ? Date.parse(text) : Number.NaN
  return Number.isSafeInteger(millis) && millis >= 0 ? Time.make(millis) : null
}

/** What an account was made for. */
export const askIn = ({ annotations }: Marks): { readonly role: string; readonly resourceScope: string } => ({
  role: annotations[annotation.role] ?? "",
  resourceScope: annotations[annotation.scope] ?? ""
})
