/** The daemon, through its typed client: retried where safe, renewed where expired, and failing as commands fail. */
import { Client } from "@jitsudo/client"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientError from "effect/http/HttpClientError"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import { readFile } from "node:fs/promises"
import type { TlsFiles } from "./Contexts.ts"
import * as DaemonFailure from "./DaemonFailure.ts"
import type { Failure } from "./Failure.ts"
import { failed, reasonOf } from "./Failure.ts"
import type { Invocation } from "./Invocation.ts"
import type { Io } from "./Io.ts"
import { say } from "./Output.ts"
import { withRetries } from "./Retry.ts"
import * as Session from "./Session.ts"
import { version } from "./Version.ts"

export interface Daemon {
  readonly server: string
  readonly context: string | undefined
  /** What calls are made with. */
  readonly token: Effect.Effect<Redacted.Redacted<string>, Failure>
  /** One call. A token that the daemon no longer takes is renewed once, and the call made again. */
  readonly call: <A, E>(run: (client: Client.Client) => Effect.Effect<A, E>) => Effect.Effect<A, Failure>
}

const readTls = (file: string | undefined): Effect.Effect<Buffer | undefined, Failure> =>
  file === undefined
    ? Effect.succeed(undefined)
    : Effect.tryPromise({
        try: () => readFile(file),
        catch: (error) => failed(`cannot read ${file}, which the context's \`tls\` names: ${reasonOf(error)}`)
      })

/** Fetch, or Node's own client where certificates are configured. */
const transport = (tls: TlsFiles): Effect.Effect<Layer.Layer<HttpClient.HttpClient>, Failure> =>
  Effect.gen(function* () {
    if (tls.ca_file === undefined && tls.cert_file === undefined && tls.key_file === undefined) {
      // A daemon does not send us elsewhere; whatever does must not get our token.
      return FetchHttpClient.layer.pipe(
        Layer.provide(Layer.succeed(FetchHttpClient.RequestInit, { redirect: "manual" }))
      )
    }
    if ((tls.cert_file === undefined) !== (tls.key_file === undefined)) {
      return yield* failed("the context's `tls` has half of a client certificate", "name both cert_file and key_file")
    }
    const ca = yield* readTls(tls.ca_file)
    const cert = yield* readTls(tls.cert_file)
    const key = yield* readTls(tls.key_file)
    const { layerNodeHttpOptions } = yield* Effect.promise(() => import("@effect/platform-node/NodeHttpClient"))
    return layerNodeHttpOptions({
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key })
    })
  })

const make = Effect.fn("Daemon.make")(function* (
  target: Session.Target,
  token: Effect.Effect<Redacted.Redacted<string>, Failure>,
  renew: Session.Session["renew"]
) {
  const services = yield* Effect.context<Io | Invocation>()
  const layer = yield* transport(target.tls)
  const onWait = (seconds: number) => Effect.provideContext(say(`${target.server} asks to wait ${seconds} s`), services)
  // What fails before anything was sent is what was typed; what fails after, what was answered.
  const sent = yield* Ref.make(0)
  const counted = (one: HttpClient.HttpClient) =>
    HttpClient.transform(one, (send) =>
      Effect.andThen(
        Ref.update(sent, (number) => number + 1),
        send
      )
    )
  const retrying = Layer.effect(
    HttpClient.HttpClient,
    Effect.map(HttpClient.HttpClient, (one) => counted(withRetries(onWait)(one)))
  ).pipe(Layer.provide(layer))
  // The typed client asks for a token before each call and cannot be told that there is none: it is looked up before.
  const held = yield* Ref.make(Redacted.make(""))
  const client = yield* Client.make({
    baseUrl: target.server,
    token: Ref.get(held),
    userAgent: `jitsudo-cli/${version}`
  }).pipe(Effect.provide(retrying))

  const readable = (error: unknown): Effect.Effect<Failure> => {
    if (!HttpClientError.isHttpClientError(error)) return Effect.succeed(DaemonFailure.fromError(target.server, error))
    const { response } = error
    if (response === undefined) return Effect.succeed(DaemonFailure.fromError(target.server, error))
    if (response.status < 400) return Effect.succeed(DaemonFailure.fromError(target.server, error))
    return response.json.pipe(
      Effect.catch(() => Effect.succeed(null)),
      Effect.map((body) => DaemonFailure.fromBody(response.status, body))
    )
  }

  const daemon: Daemon = {
    server: target.server,
    context: target.context,
    token,
    call: (run) =>
      Effect.gen(function* () {
        yield* Ref.set(held, yield* token)
        const before = yield* Ref.get(sent)
        return yield* run(client).pipe(
          Effect.catch((error) => {
            if (!DaemonFailure.isUnauthenticated(error) || renew === null) return Effect.fail(error)
            return Effect.gen(function* () {
              yield* Ref.set(held, yield* renew)
              return yield* run(client)
            })
          }),
          Effect.catch((error) =>
            Effect.gen(function* () {
              const isTyped = Schema.isSchemaError(error) && (yield* Ref.get(sent)) === before
              return yield* isTyped ? DaemonFailure.fromInput(error) : yield* readable(error)
            })
          )
        )
      })
  }
  return daemon
})

/** As whoever is signed in. */
export const connect = Effect.fn("Daemon.connect")(function* () {
  const session = yield* Session.open()
  return yield* make(session, session.token, session.renew)
})

/** For what the daemon tells everybody. */
export const anonymous = Effect.fn("Daemon.anonymous")(function* (target?: Session.Target) {
  return yield* make(target ?? (yield* Session.target()), Effect.succeed(Redacted.make("")), null)
})

/** As whoever has this token. */
export const withToken = (target: Session.Target, token: Redacted.Redacted<string>) =>
  make(target, Effect.succeed(token), null)
