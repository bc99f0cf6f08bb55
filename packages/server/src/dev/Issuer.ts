/**
 * The OpenID Connect issuer of `jitsudod dev`: a real one (`oidc-provider`) with people who need no password.
 *
 * 1. It listens on this machine only, and answers only requests that name it as their host, so that no page from
 *    elsewhere can reach it by pointing a name at this machine.
 * 2. Every token that it issues carries the mark of `isDevelopmentIssuer`.
 * 3. The CLI presents access tokens to the daemon: JWTs for the audience `jitsudo` with e-mail, groups and the time
 *    and way of sign-in. ID tokens are for the client alone; the daemon's configuration does not take them.
 *
 * Flows: device authorization, authorization code with PKCE, refresh (people, client `jitsudo-cli`), and client
 * credentials (the agent).
 */
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { interactionPolicy, Provider } from "oidc-provider"
import type { Configuration, KoaContextWithOIDC } from "oidc-provider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { isLoopback, showAddress } from "../config/Address.ts"
import type { Address } from "../config/Address.ts"
import { agentClientId, audience, cliClientId, developmentMark } from "./DevelopmentIssuer.ts"
import * as DevState from "./DevState.ts"
import { DevIssuerFailed } from "./DevState.ts"
import * as MemoryAdapter from "./MemoryAdapter.ts"
import * as Pages from "./Pages.ts"
import type { Person } from "./People.ts"
import { agentGroups, people, personById } from "./People.ts"

export interface DevIssuerOptions {
  /** A loopback address; port 0 lets the system choose. */
  readonly address: Address
  /** Keeps keys and the agent's secret. */
  readonly dataDir: string
  readonly accessTokenSeconds?: number
}

/** The resource for which access tokens are issued, as RFC 8707 wants it: a URI. */
const resource = "urn:jitsudo"
const resourceScope = "jitsudo"

const identityScopes = "openid email groups offline_access"

const { Check, base } = interactionPolicy

/** One question, at every sign-in: who are you? A browser that was Alice must be able to be Bob next. */
const policy = () => {
  const prompts = base()
  prompts.remove("consent")
  const login = prompts.get("login")
  if (login === undefined) throw new Error("oidc-provider's own policy has no prompt called login")
  login.checks.add(
    new Check("choose_person", "somebody must be chosen", (context) =>
      context.oidc.result?.login === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT
    )
  )
  return prompts
}

const personClaims = (person: Person) => ({
  email: person.email,
  email_verified: true,
  groups: [...person.groups]
})

const answerPage = (context: KoaContextWithOIDC, html: string) => {
  context.set({ ...Pages.pageHeaders })
  context.body = html
}

/** The hidden value that ties a form to the browser's session. */
const deviceForm = (context: KoaContextWithOIDC): Pages.DeviceForm => {
  const state: unknown = context.oidc.session?.state
  const secret = typeof state === "object" && state !== null && "secret" in state ? String(state.secret) : ""
  return { action: context.oidc.urlFor("code_verification"), xsrf: secret }
}

const settings = (url: string, state: DevState.DevState, accessTokenSeconds: number): Configuration => ({
  adapter: MemoryAdapter.make(),
  clients: [
    {
      client_id: cliClientId,
      client_name: "jitsudo",
      application_type: "native",
      token_endpoint_auth_method: "none",
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "authorization_code", "refresh_token"],
      response_types: ["code"],
      redirect_uris: ["http://127.0.0.1/callback", "http://[::1]/callback"]
    },
    {
      client_id: agentClientId,
      client_name: "development agent",
      client_secret: Redacted.value(state.agentSecret),
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: []
    }
  ],
  clientDefaults: { id_token_signed_response_alg: "ES256" },
  jwks: { keys: [{ ...state.signingKey, alg: "ES256", use: "sig" }] },
  cookies: { keys: [state.cookieKey] },
  scopes: identityScopes.split(" "),
  claims: { openid: ["sub"], email: ["email", "email_verified"], groups: ["groups"] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  ttl: {
    AccessToken: accessTokenSeconds,
    ClientCredentials: accessTokenSeconds,
    AuthorizationCode: 60,
    DeviceCode: 600,
    Grant: 14 * 24 * 3600,
    IdToken: accessTokenSeconds,
    Interaction: 600,
    RefreshToken: 14 * 24 * 3600,
    Session: 600
  },
  findAccount: (_context, id) => {
    const person = personById(id)
    return person && { accountId: id, claims: () => ({ sub: id, name: person.name, ...personClaims(person) }) }
  },
  interactions: {
    policy: policy(),
    url: (_context, interaction) => `${new URL(url).pathname}/interaction/${interaction.uid}`
  },
  loadExistingGrant: async (context) => {
    const { client, session, provider } = context.oidc
    if (client === undefined || session?.accountId === undefined) return undefined
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
    grant.addOIDCScope(identityScopes)
    grant.addResourceScope(resource, resourceScope)
    await grant.save()
    return grant
  },
  issueRefreshToken: (_context, client) => client.grantTypeAllowed("refresh_token"),
  extraTokenClaims: (context, token) => {
    if (token.kind === "ClientCredentials") return { groups: [...agentGroups] }
    const { AuthorizationCode, DeviceCode, RefreshToken } = context.oidc.entities
    const source = AuthorizationCode ?? DeviceCode ?? RefreshToken
    const person = personById(source?.accountId ?? "")
    return {
      ...(person && personClaims(person)),
      ...(source?.authTime !== undefined && { auth_time: source.authTime }),
      ...(source?.amr !== undefined && { amr: source.amr }),
      ...(source?.acr !== undefined && { acr: source.acr })
    }
  },
  renderError: (context, out) => {
    answerPage(context, Pages.failed(out.error_description ?? out.error))
  },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: false },
    deviceFlow: {
      enabled: true,
      userCodeInputSource: (context, _form, _out, error) => {
        const { code } = context.query
        const problem =
          error && "userCode" in error ? "There is no such code, or it is used up. Check it and try again." : undefined
        answerPage(
          context,
          Pages.enterCode(
            deviceForm(context),
            typeof code === "string" ? code : "",
            error && (problem ?? "That did not work. Enter the code again.")
          )
        )
      },
      userCodeConfirmSource: (context, _form, client, _device, userCode) => {
        answerPage(context, Pages.confirmCode(deviceForm(context), userCode, client.clientName ?? client.clientId))
      },
      successSource: (context) => answerPage(context, Pages.signedIn())
    },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: resourceScope,
        audience,
        accessTokenFormat: "jwt",
        accessTokenTTL: accessTokenSeconds,
        jwt: { sign: { alg: "ES256" } }
      })
    }
  }
})

const answer = (response: ServerResponse, status: number, html: string) => {
  response.writeHead(status, Pages.pageHeaders).end(html)
}

/** A small form's fields. */
const readForm = async (request: IncomingMessage): Promise<URLSearchParams> => {
  let text = ""
  for await (const chunk of request) {
    text += String(chunk)
    if (text.length > 4096) throw new Error("the form is too large")
  }
  return new URLSearchParams(text)
}

/** Shows who can sign in, and takes the choice. The signed cookie of the interaction is what ties both together. */
const interact = async (provider: Provider, path: string, request: IncomingMessage, response: ServerResponse) => {
  const { params } = await provider.interactionDetails(request, response)
  if (request.method !== "POST") {
    const client = await provider.Client.find(String(params["client_id"]))
    answer(response, 200, Pages.choosePerson(path, client?.clientName ?? "unknown"))
    return
  }
  const person = personById((await readForm(request)).get("person") ?? "")
  await provider.interactionFinished(
    request,
    response,
    person === undefined
      ? { error: "access_denied", error_description: "Nobody was chosen" }
      : { login: { accountId: person.id, remember: false, amr: ["user"], acr: "urn:jitsudo:development" } },
    { mergeWithLastSubmission: false }
  )
}

/** Routes of the issuer below its mark; everything else is not here. */
const handler = (url: string, provider: Provider) => {
  const issuer = new URL(url)
  const serve = provider.callback()
  const interaction = new RegExp(`^${issuer.pathname}/interaction/[\\w-]+$`, "u")

  return (request: IncomingMessage, response: ServerResponse) => {
    const target = request.url ?? "/"
    if (request.headers.host !== issuer.host) return answer(response, 421, Pages.failed(`This is ${issuer.host}.`))
    const path = target.split("?")[0] ?? ""
    if (path !== issuer.pathname && !path.startsWith(`${issuer.pathname}/`)) {
      return answer(response, 404, Pages.failed("There is nothing here."))
    }
    if (interaction.test(path)) {
      interact(provider, path, request, response).catch(() => {
        answer(response, 400, Pages.failed("This sign-in is over or belongs to another browser."))
      })
      return
    }
    // `oidc-provider` answers a code in the URL by a page that submits itself by script; ours asks instead.
    const inner = target.slice(issuer.pathname.length).replace(/^\/device\?user_code=/u, "/device?code=")
    Object.assign(request, { originalUrl: `${issuer.pathname}${inner}` })
    request.url = inner.startsWith("/") ? inner : `/${inner}`
    void serve(request, response)
  }
}

const listen = (address: Address) =>
  Effect.acquireRelease(
    Effect.callback<Server, DevIssuerFailed>((resume) => {
      const server = createServer()
      server.once("error", (error) => {
        const code = "code" in error ? String(error.code) : "unknown"
        const hint = code === "EADDRINUSE" ? "another program uses it: set dev.issuer_addr to another port" : code
        resume(
          Effect.fail(
            new DevIssuerFailed({ message: `the development issuer cannot listen on ${showAddress(address)}: ${hint}` })
          )
        )
      })
      server.listen(address.port, address.host, () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

export class DevIssuer extends Context.Service<
  DevIssuer,
  {
    /** The issuer, as its tokens carry it. */
    readonly url: string
    readonly people: ReadonlyArray<Person>
    /** The public client of people. */
    readonly cliClientId: string
    readonly agent: {
      readonly clientId: string
      readonly clientSecret: Redacted.Redacted<string>
      /** The same secret, readable by its owner alone. */
      readonly clientSecretFile: string
    }
  }
>()("@jitsudo/server/DevIssuer") {
  /** Listens until the scope closes. Fails with `DevIssuerFailed` for any address beyond this machine. */
  static readonly layer = (options: DevIssuerOptions): Layer.Layer<DevIssuer, DevIssuerFailed> =>
    Layer.effect(
      DevIssuer,
      Effect.gen(function* () {
        const { address } = options
        if (!isLoopback(address.host)) {
          return yield* new DevIssuerFailed({
            message: `the development issuer signs anybody in without a password, so it listens on this machine only: ${JSON.stringify(showAddress(address))} can be reached by others; use 127.0.0.1`
          })
        }
        const state = yield* DevState.open(options.dataDir)
        const server = yield* listen(address)
        const { port } = server.address() as AddressInfo
        const url = `http://${showAddress({ host: address.host, port })}${developmentMark}`
        const provider = new Provider(url, settings(url, state, options.accessTokenSeconds ?? 3600))
        provider.use(async (context, next) => {
          await next()
          // Whoever tries jitsudo on their own machine should not wait for the five seconds that RFC 8628 defaults to.
          if (context.oidc?.route === "device_authorization" && context.status === 200) {
            context.body = { ...context.body, interval: 1 }
          }
        })
        server.on("request", handler(url, provider))
        return DevIssuer.of({
          url,
          people,
          cliClientId,
          agent: { clientId: agentClientId, clientSecret: state.agentSecret, clientSecretFile: state.agentSecretFile }
        })
      })
    )
}
