/**
 * Signs in at the development issuer without a browser: follows its pages over HTTP as a browser would, cookies and
 * forms included. For demos and tests; an issuer that asks for a password is beyond it, on purpose.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { agentClientId, cliClientId } from "../dev/DevelopmentIssuer.ts"
import type { PersonId } from "../dev/People.ts"

export class DevLoginFailed extends Data.TaggedError("DevLoginFailed")<{ readonly message: string }> {}

export interface DevTokens {
  /** What the daemon takes. */
  readonly accessToken: Redacted.Redacted<string>
  readonly idToken: Redacted.Redacted<string> | null
  readonly refreshToken: Redacted.Redacted<string> | null
  readonly expiresInSeconds: number
}

interface Page {
  readonly url: string
  readonly html: string
}

const attempt = <A>(what: string, run: () => Promise<A>): Effect.Effect<A, DevLoginFailed> =>
  Effect.tryPromise({
    try: run,
    catch: (error) =>
      error instanceof DevLoginFailed
        ? error
        : new DevLoginFailed({ message: `${what}: ${error instanceof Error ? error.message : "failed"}` })
  })

const mostRedirects = 10

/** A browser as far as it matters here: cookies of one origin, redirects and forms. */
class Browser {
  readonly #cookies = new Map<string, string>()

  async open(url: string, form?: URLSearchParams): Promise<Page> {
    let target = url
    let body = form
    for (let redirect = 0; redirect < mostRedirects; redirect++) {
      const response = await fetch(target, {
        method: body === undefined ? "GET" : "POST",
        redirect: "manual",
        headers: {
          accept: "text/html",
          cookie: [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ")
        },
        ...(body === undefined ? {} : { body })
      })
      for (const cookie of response.headers.getSetCookie()) this.#keep(cookie)
      const location = response.headers.get("location")
      const html = await response.text()
      if (location === null) {
        if (response.status === 200) return { url: target, html }
        const said = /role="alert">(.*?)<\//su.exec(html)?.[1]?.replaceAll(/<[^>]*>/gu, "") ?? "no explanation"
        throw new DevLoginFailed({ message: `the issuer answers with status ${response.status}: ${said}` })
      }
      target = new URL(location, target).href
      body = undefined
    }
    throw new DevLoginFailed({ message: `the issuer redirects more than ${mostRedirects} times` })
  }

  /** Sends the form of a page with its hidden fields, and others. */
  submit(page: Page, fields: Readonly<Record<string, string>>): Promise<Page> {
    const action = /<form[^>]*\saction="([^"]*)"/u.exec(page.html)?.[1]
    if (action === undefined) throw new DevLoginFailed({ message: "the issuer shows a page without a form" })
    const form = new URLSearchParams()
    for (const [input] of page.html.matchAll(/<input type="hidden"[^>]*>/gu)) {
      const name = /\sname="([^"]*)"/u.exec(input)?.[1]
      const value = /\svalue="([^"]*)"/u.exec(input)?.[1]
      if (name !== undefined) form.set(unescape(name), unescape(value ?? ""))
    }
    for (const [name, value] of Object.entries(fields)) form.set(name, value)
    return this.open(new URL(unescape(action), page.url).href, form)
  }

  #keep(cookie: string) {
    const [pair = "", ...attributes] = cookie.split(";")
    const split = pair.indexOf("=")
    const name = pair.slice(0, split).trim()
    const value = pair.slice(split + 1).trim()
    const isOver = attributes.some((one) => /^\s*expires=Thu, 01 Jan 1970/iu.test(one))
    if (value === "" || isOver) this.#cookies.delete(name)
    else this.#cookies.set(name, value)
  }
}

const unescape = (text: string): string =>
  text.replaceAll(/&#(\d+);/gu, (_, code: string) => String.fromCodePoint(Number(code)))

/**
 * Does what a person does with the code that a device shows: opens the page, enters the code, confirms it, and says
 * who they are. Afterwards the device's next question for its tokens is answered.
 */
export const completeDeviceFlow = Effect.fn("DevLogin.completeDeviceFlow")(
  (options: { readonly verificationUri: string; readonly userCode: string; readonly person: PersonId }) =>
    attempt("signing in at the development issuer", async () => {
      const browser = new Browser()
      const entry = await browser.open(options.verificationUri)
      const confirm = await browser.submit(entry, { user_code: options.userCode })
      if (!confirm.html.includes('name="confirm"')) {
        throw new DevLoginFailed({ message: `the issuer does not take the code ${JSON.stringify(options.userCode)}` })
      }
      const choose = await browser.submit(confirm, { confirm: "yes" })
      const done = await browser.submit(choose, { person: options.person })
      if (!done.html.includes("<h1>Signed in</h1>")) {
        throw new DevLoginFailed({ message: `the issuer does not sign ${options.person} in` })
      }
    })
)

const Endpoints = Schema.Struct({
  token_endpoint: Schema.String,
  device_authorization_endpoint: Schema.String
})

const DeviceAuthorization = Schema.Struct({
  device_code: Schema.String,
  user_code: Schema.String,
  verification_uri: Schema.String
})

const TokenResponse = Schema.Struct({
  access_token: Schema.String,
  id_token: Schema.optionalKey(Schema.String),
  refresh_token: Schema.optionalKey(Schema.String),
  expires_in: Schema.Finite
})

const postForm = <T, E>(
  schema: Schema.Codec<T, E>,
  url: string,
  form: Readonly<Record<string, string>>,
  headers: Readonly<Record<string, string>> = {}
): Effect.Effect<T, DevLoginFailed> =>
  attempt(`asking ${url}`, async () => {
    const response = await fetch(url, { method: "POST", body: new URLSearchParams(form), headers: { ...headers } })
    const answer: unknown = await response.json()
    if (response.ok) return Schema.decodeUnknownSync(schema)(answer)
    const error = Schema.decodeUnknownSync(Schema.Struct({ error: Schema.String }))(answer)
    throw new DevLoginFailed({ message: `${url} answers ${error.error}` })
  })

const endpointsOf = (issuer: string) =>
  attempt(`reading what ${issuer} offers`, async () => {
    const response = await fetch(`${issuer}/.well-known/openid-configuration`)
    return Schema.decodeUnknownSync(Endpoints)(await response.json())
  })

const secret = (value: string | undefined) => (value === undefined ? null : Redacted.make(value))

const tokensOf = (answer: typeof TokenResponse.Type): DevTokens => ({
  accessToken: Redacted.make(answer.access_token),
  idToken: secret(answer.id_token),
  refreshToken: secret(answer.refresh_token),
  expiresInSeconds: answer.expires_in
})

/** Tokens of a person, by the device flow from its beginning to its end. */
export const tokenFor = Effect.fn("DevLogin.tokenFor")(function* (options: {
  readonly issuer: string
  readonly person: PersonId
}) {
  const endpoints = yield* endpointsOf(options.issuer)
  const device = yield* postForm(DeviceAuthorization, endpoints.device_authorization_endpoint, {
    client_id: cliClientId,
    scope: "openid email groups offline_access"
  })
  yield* completeDeviceFlow({
    verificationUri: device.verification_uri,
    userCode: device.user_code,
    person: options.person
  })
  return tokensOf(
    yield* postForm(TokenResponse, endpoints.token_endpoint, {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: device.device_code,
      client_id: cliClientId
    })
  )
})

/** Tokens of the same sign-in, renewed. */
export const refresh = Effect.fn("DevLogin.refresh")(function* (options: {
  readonly issuer: string
  readonly refreshToken: Redacted.Redacted<string>
}) {
  const endpoints = yield* endpointsOf(options.issuer)
  return tokensOf(
    yield* postForm(TokenResponse, endpoints.token_endpoint, {
      grant_type: "refresh_token",
      refresh_token: Redacted.value(options.refreshToken),
      client_id: cliClientId
    })
  )
})

/** A token of the agent. */
export const agentToken = Effect.fn("DevLogin.agentToken")(function* (options: {
  readonly issuer: string
  readonly clientSecret: Redacted.Redacted<string>
}) {
  const endpoints = yield* endpointsOf(options.issuer)
  const credentials = Buffer.from(`${agentClientId}:${Redacted.value(options.clientSecret)}`).toString("base64")
  return tokensOf(
    yield* postForm(
      TokenResponse,
      endpoints.token_endpoint,
      { grant_type: "client_credentials" },
      { authorization: `Basic ${credentials}` }
    )
  )
})
