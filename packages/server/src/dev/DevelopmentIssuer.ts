/**
 * How the development issuer is recognised: by a mark in its URL, which every token that it issues carries in `iss`.
 * `jitsudod serve` refuses a configuration that names such an issuer.
 */

export const developmentMark = "/jitsudo-development-issuer"

/** The audience of access tokens for jitsudo: what the CLI presents to the daemon. */
export const audience = "jitsudo"

/** The client at which people sign in. Public, as a command-line program cannot keep a secret. */
export const cliClientId = "jitsudo-cli"

/** The client of the agent. */
export const agentClientId = "dev-agent"

/** Whether an issuer (its URL, as in the configuration or in `iss`) is a development issuer. */
export const isDevelopmentIssuer = (issuer: string): boolean =>
  issuer.replace(/\/+$/u, "").toLowerCase().endsWith(developmentMark)

/** The development issuer as an entry of `auth.issuers`. */
export const issuerEntry = (issuer: string) => ({
  issuer,
  audiences: [audience],
  interactive_clients: [cliClientId]
})
