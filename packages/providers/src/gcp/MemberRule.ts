/**
 * Who in Google Cloud a person is: the rules of the configuration that make a `member` of a grantee.
 *
 * 1. The first rule that fits decides; whom no rule fits gets nothing.
 * 2. No two people get one member: what the one was granted would otherwise live on with the other. Rules that could
 *    are refused when the provider is made.
 * 3. E-mail addresses are compared and written in lower case. Nothing of a grantee reaches a member unless it fits the
 *    narrow alphabet of addresses, account names and subjects.
 */
import type { Provider } from "@jitsudo/core"
import * as Schema from "effect/Schema"

const domain = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/u

export const MemberRule = Schema.Struct({
  issuer: Schema.optionalKey(Schema.NonEmptyString).pipe(
    Schema.annotateKey({ description: "Fits grantees of this issuer only. Needed for `{subject}`." })
  ),
  email_domain: Schema.optionalKey(Schema.String.check(Schema.isPattern(domain))).pipe(
    Schema.annotateKey({ description: "Fits everybody with an address of this domain." })
  ),
  email: Schema.optionalKey(Schema.String.check(Schema.isPattern(/^[a-z0-9][a-z0-9._%+'-]*@[a-z0-9.-]+$/u))).pipe(
    Schema.annotateKey({ description: "Fits one e-mail address." })
  ),
  member: Schema.String.pipe(
    Schema.annotateKey({
      description:
        "What to bind: `user:`, `group:` or `serviceAccount:` and an address, or `principal://iam.googleapis.com/...` for federated identities. `{email}`, `{local}` (before the @) and `{subject}` stand for the grantee's own."
    })
  )
})
export type MemberRule = typeof MemberRule.Type

const address = /^[a-z0-9][a-z0-9._%+'-]{0,63}@[a-z0-9](?:[a-z0-9.-]{0,98}[a-z0-9])?$/u
const plainLocal = /^[a-z0-9][a-z0-9._-]{0,63}$/u
const plainSubject = /^[A-Za-z0-9][A-Za-z0-9._@-]{0,126}$/u

/** https://cloud.google.com/iam/docs/service-accounts-create: 6 to 30 characters before the @. */
const serviceAccount = /^serviceAccount:[a-z](?:[a-z0-9-]{4,28}[a-z0-9])@[a-z0-9.-]+\.gserviceaccount\.com$/u
const member =
  /^(?:(?:user|group|serviceAccount):[a-z0-9][a-z0-9._%+'-]{0,63}@[a-z0-9.-]{3,100}|principal:\/\/iam\.googleapis\.com\/[\w./@-]{1,140})$/u

const placeholders = /\{(?:email|local|subject)\}/gu

const fits = (rule: MemberRule, { email, issuer }: Provider.Grantee): boolean => {
  if (rule.issuer !== undefined && rule.issuer !== issuer) return false
  const mail = email?.toLowerCase()
  if (rule.email !== undefined && rule.email !== mail) return false
  return rule.email_domain === undefined || mail?.endsWith(`@${rule.email_domain}`) === true
}

/** The member that stands for a grantee, or null. */
export const memberOf = (rules: ReadonlyArray<MemberRule>, grantee: Provider.Grantee): string | null => {
  const rule = rules.find((one) => fits(one, grantee))
  if (rule === undefined) return null
  const email = grantee.email?.toLowerCase() ?? ""
  const isAddress = address.test(email)
  const local = email.slice(0, email.indexOf("@"))
  let known = true
  const made = rule.member.replaceAll(placeholders, (placeholder) => {
    const [value, fine] =
      placeholder === "{email}"
        ? [email, isAddress]
        : placeholder === "{local}"
          ? [local, isAddress && plainLocal.test(local)]
          : [grantee.subject, plainSubject.test(grantee.subject)]
    known = known && fine
    return value
  })
  if (!known || !member.test(made)) return null
  return made.startsWith("serviceAccount:") && made.endsWith(".gserviceaccount.com") && !serviceAccount.test(made)
    ? null
    : made
}

/** A service account's address; null for any other member. */
export const accountOf = (made: string): string | null => /^serviceAccount:(.+)$/u.exec(made)?.[1] ?? null

/** What a rule makes of one address; `{subject}` stays. */
const madeOf = (rule: MemberRule, email: string): string =>
  rule.member.replaceAll("{email}", email).replaceAll("{local}", email.slice(0, email.indexOf("@")))

/** What a rule can make: one member, or all that a pattern says. */
const outputOf = (rule: MemberRule) => {
  const text =
    rule.email === undefined
      ? rule.member.replaceAll("{email}", `{local}@${rule.email_domain ?? "{domain}"}`)
      : madeOf(rule, rule.email)
  const pattern = text.replaceAll(/[\\^$.*+?()[\]|]/gu, "\\$&").replaceAll(/\{(?:local|subject|domain)\}/gu, "[^/]+")
  return {
    text,
    kind: text.slice(0, text.indexOf(":")),
    behind: text.slice(text.lastIndexOf("@") + 1),
    isFixed: !text.includes("{"),
    pattern: new RegExp(`^${pattern}$`, "u")
  }
}

/** Whether two rules could make one member of two people. Errs on the side of yes. */
const mayCollide = (one: MemberRule, other: MemberRule): boolean => {
  const [a, b] = [outputOf(one), outputOf(other)]
  if (a.kind !== b.kind) return false
  if (a.isFixed && b.isFixed) return a.text === b.text && one.email !== other.email
  if (b.isFixed) return mayCollide(other, one)
  // The pattern's own answer for that address is the same person's.
  if (a.isFixed) return b.pattern.test(a.text) && madeOf(other, one.email ?? "") !== a.text
  // A subject is somebody only together with its issuer, an address by itself.
  if (one.member === other.member) {
    return one.member.includes("{subject}") ? one.issuer !== other.issuer : !isByAddress(one) && !sameDomain(one, other)
  }
  return a.behind === b.behind || a.behind.includes("{") || b.behind.includes("{")
}

/** The member has the whole address in it, so that no two addresses make one member. */
const isByAddress = ({ member: template }: MemberRule): boolean => template.includes("{email}")

const sameDomain = (one: MemberRule, other: MemberRule): boolean => one.email_domain === other.email_domain

const whyNotOne = (rule: MemberRule): string | null => {
  const { email, email_domain: domainOnly, issuer, member: template } = rule
  if (email !== undefined && domainOnly !== undefined) return "has both email and email_domain: keep one"
  if (email === undefined && domainOnly === undefined && issuer === undefined) return "fits nobody: name whom it is for"
  const used = template.match(placeholders) ?? []
  if (used.length > 1) return "has more than one placeholder"
  if (/[{}]/u.test(template.replaceAll(placeholders, "")))
    return "has a placeholder that is none of {email}, {local}, {subject}"
  if (used.length === 0 && email === undefined) return "gives everybody whom it fits one member: use a placeholder"
  if (used[0] === "{local}" && domainOnly === undefined && email === undefined)
    return "uses {local}, which needs email_domain"
  if (used[0] === "{subject}" && issuer === undefined) return "uses {subject}, which needs issuer"
  const sample = template
    .replaceAll("{email}", email ?? `someone@${domainOnly ?? "example.com"}`)
    .replaceAll(placeholders, "someone")
  return member.test(sample)
    ? null
    : "must make user:, group: or serviceAccount: and an address, or principal://iam.googleapis.com/..."
}

/** Why these rules cannot be used, with the number of the first one at fault; null when they are sound. */
export const whyNotRules = (rules: ReadonlyArray<MemberRule>): string | null => {
  for (const [index, rule] of rules.entries()) {
    const why = whyNotOne(rule)
    if (why !== null) return `rule ${index + 1} ${why}`
    const other = rules.findIndex((earlier, at) => at < index && mayCollide(earlier, rule))
    if (other >= 0) return `rules ${other + 1} and ${index + 1} could give two people one member`
  }
  return null
}
