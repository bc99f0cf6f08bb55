/**
 * Rules between keys: what no single key can be blamed for. They run on a configuration whose broken keys were left
 * out, so each rule names the keys that it reads and keeps silent where one of them is broken.
 */
import * as Duration from "effect/Duration"
import { isLoopback, showAddress } from "./Address.ts"
import * as GoDuration from "./GoDuration.ts"
import type { Config } from "./Keys.ts"
import type { Findings } from "./Shape.ts"
import type { Note } from "./Tree.ts"

/** What the configuration is for: `migrate` needs a database and nothing else, `providers` the providers alone. */
export type Purpose = "serve" | "migrate" | "providers"

interface Rule {
  /** Keys that the rule reads. */
  readonly reads: ReadonlyArray<string>
  readonly purpose?: Purpose
  readonly check: (config: Config, at: (list: string, index: number) => string) => ReadonlyArray<Note>
}

const note = (path: string, message: string, hint = ""): Note => ({ path, message, hint })

const duplicates = (values: ReadonlyArray<string>): ReadonlyArray<number> =>
  values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []))

const rules: ReadonlyArray<Rule> = [
  {
    reads: ["database.url", "database.data_dir"],
    check: ({ database }) => {
      const both = "exactly one of database.url and database.data_dir must be given"
      if (database.url !== undefined && database.data_dir !== undefined) {
        return [
          note(
            "database",
            `${both}; both are`,
            "keep database.url for a PostgreSQL server, database.data_dir for the embedded one"
          )
        ]
      }
      if (database.url === undefined && database.data_dir === undefined) {
        return [
          note(
            "database",
            `${both}; neither is`,
            "set database.data_dir to a directory, or database.url (JITSUDOD_DATABASE_URL) to a PostgreSQL server"
          )
        ]
      }
      return []
    }
  },
  {
    reads: ["database.direct_url", "database.url"],
    check: ({ database }) =>
      database.direct_url !== undefined && database.url === undefined
        ? [note("database.direct_url", "this goes with database.url, which is not given")]
        : []
  },
  {
    reads: ["tls.cert_file", "tls.key_file", "tls.ca_file"],
    check: ({ tls }) => {
      const given = tls.cert_file !== undefined || tls.key_file !== undefined || tls.ca_file !== undefined
      if (!given) return []
      return (["cert_file", "key_file"] as const).flatMap((key) =>
        tls[key] === undefined
          ? [
              note(
                `tls.${key}`,
                "half a TLS configuration: this is missing",
                "give tls.cert_file and tls.key_file, or remove the section tls"
              )
            ]
          : []
      )
    }
  },
  {
    reads: ["server.http_addr", "server.allow_insecure_bind", "tls.cert_file"],
    purpose: "serve",
    check: ({ server, tls }) =>
      isLoopback(server.http_addr.host) || server.allow_insecure_bind || tls.cert_file !== undefined
        ? []
        : [
            note(
              "server.http_addr",
              `${showAddress(server.http_addr)} can be reached from other machines, and there is no TLS`,
              "give tls.cert_file and tls.key_file, bind 127.0.0.1, or set server.allow_insecure_bind: true when something in front speaks TLS"
            )
          ]
  },
  {
    reads: ["auth.issuers", "auth.oidc_issuer"],
    purpose: "serve",
    check: ({ auth }) =>
      auth.issuers.length === 0
        ? [
            note(
              "auth.issuers",
              "no issuer is configured, so nobody could sign in",
              "name one, or set auth.oidc_issuer (JITSUDOD_OIDC_ISSUER)"
            )
          ]
        : []
  },
  {
    reads: [],
    check: ({ auth }, at) =>
      duplicates(auth.issuers.map((one) => one.issuer)).map((index) =>
        note(`${at("auth.issuers", index)}.issuer`, "this issuer is already configured above")
      )
  },
  {
    reads: [],
    check: ({ auth }, at) =>
      auth.issuers.flatMap((one, index) =>
        one.discovery_url !== undefined && one.jwks_url !== undefined
          ? [
              note(
                `${at("auth.issuers", index)}.discovery_url`,
                "not used when jwks_url is given",
                "keep one of the two"
              )
            ]
          : []
      )
  },
  {
    reads: [],
    check: ({ auth }, at) =>
      auth.issuers.flatMap((one, index) =>
        one.kind === "agent" && one.interactive_clients.length > 0
          ? [
              note(
                `${at("auth.issuers", index)}.interactive_clients`,
                "nobody signs in interactively at an issuer whose kind is agent",
                "remove one of the two"
              )
            ]
          : []
      )
  },
  {
    reads: ["auth.groups_max_age", "auth.groups_max_age_auto"],
    check: ({ auth }) =>
      Duration.toMillis(auth.groups_max_age_auto) > Duration.toMillis(auth.groups_max_age)
        ? [
            note(
              "auth.groups_max_age_auto",
              `must not exceed auth.groups_max_age (${GoDuration.format(auth.groups_max_age)})`,
              "automatic approval trusts group facts for a shorter time, never a longer one"
            )
          ]
        : []
  },
  {
    reads: ["sealing.keys", "sealing.key"],
    purpose: "serve",
    check: ({ sealing }) =>
      sealing.keys.length === 0
        ? [
            note(
              "sealing.keys",
              "no key is configured, so credentials could not be stored",
              "make one with `openssl rand -base64 32 > sealing.key` and set sealing.key_file (JITSUDOD_SEALING_KEY_FILE) to it"
            )
          ]
        : []
  },
  {
    reads: [],
    check: ({ sealing }, at) =>
      duplicates(sealing.keys.map((key) => key.id)).map((index) =>
        note(
          `${at("sealing.keys", index)}.id`,
          "another key has this id",
          "keys that have sealed something keep their id"
        )
      )
  },
  {
    reads: ["sealing.keys", "sealing.active"],
    check: ({ sealing }) => {
      if (sealing.active === undefined) {
        return sealing.keys.length > 1 ? [note("sealing.active", "there are several keys: say which one seals")] : []
      }
      return sealing.keys.some((key) => key.id === sealing.active)
        ? []
        : [note("sealing.active", `no key of sealing.keys has the id ${JSON.stringify(sealing.active)}`)]
    }
  },
  {
    reads: [],
    check: ({ alerts }, at) =>
      alerts.flatMap((channel, index) => {
        if (channel.type === "file" && channel.path === undefined) {
          return [note(`${at("alerts", index)}.path`, "a channel of type file needs the path of the file")]
        }
        return channel.type === "log" && channel.path !== undefined
          ? [note(`${at("alerts", index)}.path`, "a channel of type log writes to no file", "set type: file")]
          : []
      })
  },
  {
    reads: [],
    check: ({ policy }, at) =>
      policy.labels.flatMap((row, index) =>
        Object.hasOwn(row.labels, "facts_ok")
          ? [
              note(
                `${at("policy.labels", index)}.labels.facts_ok`,
                "this label is set by jitsudo itself",
                "use another name"
              )
            ]
          : []
      )
  },
  {
    reads: ["audit.signing_key", "audit.state_file"],
    check: ({ audit }) => [
      ...(audit.signing_key !== undefined && audit.state_file === undefined
        ? [
            note(
              "audit.state_file",
              "a signer remembers outside the database what it signed",
              "name a file beside the key, or on a disk that is kept"
            )
          ]
        : []),
      ...(audit.signing_key === undefined && audit.previous_keys.length > 0
        ? [note("audit.previous_keys", "these go with audit.signing_key, which is not given")]
        : [])
    ]
  },
  {
    reads: ["limits.max_duration", "limits.max_total"],
    check: ({ limits }) =>
      Duration.toMillis(limits.max_duration) > Duration.toMillis(limits.max_total)
        ? [note("limits.max_duration", `must not exceed limits.max_total (${GoDuration.format(limits.max_total)})`)]
        : []
  },
  {
    reads: ["dev.issuer_addr"],
    check: ({ dev }) =>
      isLoopback(dev.issuer_addr.host)
        ? []
        : [
            note(
              "dev.issuer_addr",
              "the development issuer asks for no passwords and only listens on this machine",
              'use "127.0.0.1:5556"'
            )
          ]
  }
]

/** Whether a rule reads a key that is broken, or that lies in something broken. */
const concerns = (failed: ReadonlySet<string>, reads: ReadonlyArray<string>): boolean =>
  reads.some((read) => [...failed].some((path) => path === read || read.startsWith(`${path}.`)))

/** What the rules have against a configuration. */
export const violations = (config: Config, purpose: Purpose, findings: Findings): ReadonlyArray<Note> => {
  if (purpose === "providers") return []
  const at = (list: string, index: number) => `${list}[${findings.kept.get(list)?.[index] ?? index}]`
  return rules
    .filter(
      (rule) => (rule.purpose === undefined || rule.purpose === purpose) && !concerns(findings.failed, rule.reads)
    )
    .flatMap((rule) => rule.check(config, at))
}
