/**
 * `auth.*`: whose tokens the daemon takes and what they are worth.
 */
import * as Kinds from "./Kinds.ts"
import { defaulted, list, optional, required, section } from "./Setting.ts"

/** Signature algorithms that can be checked without sharing a secret with the issuer. */
export const asymmetricAlgorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519"
] as const

/** What a token may be used for, where an issuer is limited to some of it. */
export const commandNames = [
  "read",
  "request",
  "cancel",
  "extend",
  "credentials",
  "approve",
  "deny",
  "ai_review",
  "revoke",
  "lock",
  "unlock",
  "close_review",
  "policy",
  "principal",
  "reconcile"
] as const

export type CommandName = (typeof commandNames)[number]

export const issuers = list("The OpenID Connect issuers whose tokens are taken, tried by exact name.", "issuer", {
  issuer: required(Kinds.url, {
    description: "The issuer's URL exactly as its tokens carry it in `iss`. `http` only on this machine."
  }),
  discovery_url: optional(Kinds.url, {
    description:
      "Where to read the discovery document instead of `<issuer>/.well-known/openid-configuration`, for a daemon that reaches the issuer by another address. Its `issuer` must still equal `issuer`; key URLs on the issuer's origin are read from this origin."
  }),
  jwks_url: optional(Kinds.url, {
    description: "Where to read the signing keys; discovery is then not used at all."
  }),
  audiences: required(Kinds.textsOf("list of texts", "a list of at least one audience", /./u), {
    description: "A token must carry at least one of these in `aud`."
  }),
  interactive_clients: defaulted(Kinds.texts, [], {
    description:
      "Client ids at which people sign in. A token of any other client, or one without a verified e-mail address, is an agent's."
  }),
  allowed_clients: defaulted(Kinds.texts, [], {
    description: "If any are named, tokens of other clients than these are refused."
  }),
  client_claim: optional(Kinds.claim, {
    description: "Where the client id stands, if not in `azp` or `client_id` (`appid` in version 1 tokens of Entra ID)."
  }),
  email_claim: defaulted(Kinds.claim, "email", { description: "Where the e-mail address stands." }),
  email_verified_claim: defaulted(Kinds.claim, "email_verified", {
    description: "Where the issuer says that the address is verified."
  }),
  groups_claim: defaulted(Kinds.claim, "groups", {
    description: "Where the groups stand: a list of texts or one text. `realm_access.roles` leads into an object."
  }),
  require_email_verified: defaulted(Kinds.flag, true, {
    description:
      "Whether an address counts only if the issuer says that it is verified. Switch off only for an issuer that never says it and owns all its addresses; an address said to be unverified never counts."
  }),
  kind: defaulted(Kinds.oneOf("by_client", "agent"), "by_client", {
    description: "`agent` makes every token of this issuer an agent's (continuous integration, workloads)."
  }),
  commands: defaulted(Kinds.someOf(...commandNames), commandNames, {
    description: "What tokens of this issuer may be used for."
  }),
  clock_tolerance: defaulted(Kinds.duration("0s", "5m"), "30s", {
    description: "How far the issuer's clock may differ when expiry and start of validity are checked."
  }),
  algorithms: defaulted(Kinds.someOf(...asymmetricAlgorithms), asymmetricAlgorithms, {
    description: "Signature algorithms that are taken. Only asymmetric ones exist here."
  }),
  max_token_age: optional(Kinds.duration("1m", "720h"), {
    description: "Refuse tokens issued longer ago than this, whatever their expiry says."
  })
})

export const auth = section("Who may call, and who is an administrator.", {
  issuers,
  oidc_issuer: optional(Kinds.url, {
    description: "Short form of one entry of `auth.issuers`: its issuer.",
    env: "JITSUDOD_OIDC_ISSUER"
  }),
  oidc_discovery_url: optional(Kinds.url, {
    description: "Short form: where the issuer is reached, if not by its own URL (`/.well-known/...` is appended).",
    env: "JITSUDOD_OIDC_DISCOVERY_URL"
  }),
  client_id: defaulted(Kinds.text, "jitsudo-cli", {
    description: "Short form: the client at which people sign in, and the audience of their tokens.",
    env: "JITSUDOD_OIDC_CLIENT_ID"
  }),
  admin_groups: defaulted({ ...Kinds.texts, name: "list of groups" }, ["jitsudo-admins"], {
    description: "Groups whose people administer jitsudo."
  }),
  auditor_groups: defaulted({ ...Kinds.texts, name: "list of groups" }, ["jitsudo-auditors"], {
    description: "Groups whose people may read everything but credentials."
  }),
  groups_max_age: defaulted(Kinds.duration("1m", "720h"), "12h", {
    description: "Group facts from a token older than this do not count; the person must sign in again."
  }),
  groups_max_age_auto: defaulted(Kinds.duration("1m", "720h"), "1h", {
    description: "The same where no person decides: automatic approval and break-glass."
  }),
  max_age: optional(Kinds.duration("1m", "720h"), {
    description:
      "Approving, break-glass and administration ask for a fresh sign-in when the last is longer ago than this."
  }),
  keys_ttl: defaulted(Kinds.duration("10s", "24h"), "10m", {
    description: "How long an issuer's signing keys are used before they are read again."
  }),
  keys_cooldown: defaulted(Kinds.duration("1s", "1h"), "30s", {
    description: "At most one extra reading of an issuer's keys in this time, however many unknown key ids arrive."
  }),
  keys_max_stale: defaulted(Kinds.duration("0s", "24h"), "1h", {
    description: "How long past `auth.keys_ttl` the last keys stay in use while the issuer cannot be reached."
  }),
  fetch_timeout: defaulted(Kinds.duration("100ms", "1m"), "5s", {
    description: "Longest wait for an issuer's discovery document or keys."
  })
})
