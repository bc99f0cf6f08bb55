/**
 * A daemon for these tests: the API as it is defined, over core's engine in memory, on a port of its own. Tokens are
 * names: `alice` asks, `bob` leads and decides, `carol` administers and audits; `expired` was alice's. A token of an
 * issuer (a JWT) is whom it names, unverified.
 */
import { Chain, Export, Frontier, LogKey, Merkle, Proofs, Receipt, Signer, VerifierKey } from "@jitsudo/audit"
import { Api, type Dto, Problems } from "@jitsudo/client"
import {
  Access,
  AuditChain,
  type ElevationError,
  Elevations,
  Engine,
  Labels,
  type Lock,
  Notification,
  Principal,
  Principals,
  Provider,
  Providers,
  Reconciler,
  type Request,
  Sealer,
  Settings,
  Store,
  Time
} from "@jitsudo/core"
import { MemoryProvider, MemoryStore, StaticPolicy } from "@jitsudo/core/memory"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as Effect from "effect/Effect"
import * as HttpApiBuilder from "effect/http-api/HttpApiBuilder"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { createServer, type Server } from "node:http"

const people: Readonly<Record<string, ReadonlyArray<string>>> = {
  alice: ["sre"],
  bob: ["sre-leads"],
  carol: ["jitsudo-admins"]
}

const Claims = Schema.fromJsonString(Schema.Struct({ sub: Schema.String }))

/** Whom a token names. */
const subjectOf = (token: string): string => {
  const [, claims] = token.split(".")
  return claims === undefined ? token : Schema.decodeSync(Claims)(Buffer.from(claims, "base64url").toString("utf8")).sub
}

/** Statuses as the daemon's. */
const problemOf = (error: ElevationError.ElevationError) => {
  if (error._tag === "Unavailable") {
    return new Problems.ServiceUnavailable({
      code: "unavailable",
      detail: error.message,
      hint: "try again",
      retryAfterSeconds: error.retryAfterSeconds
    })
  }
  const members = {
    code: error.code,
    detail: error.message,
    hint: error.hint,
    ...(error.problems === undefined ? {} : { problems: error.problems }),
    ...(error.state === undefined ? {} : { state: error.state })
  }
  if (error.code === "not_found") return new Problems.NotFound(members)
  if (error.code === "wrong_state" || error.code === "grant_over" || error.code === "already_decided") {
    return new Problems.Conflict(members)
  }
  if (error.code === "invalid_input" || error.code === "provider_refused" || error.code === "unknown_provider") {
    return new Problems.BadRequest(members)
  }
  return new Problems.Forbidden(members)
}

const answering = <A, R>(effect: Effect.Effect<A, ElevationError.ElevationError, R>) =>
  Effect.mapError(effect, problemOf)

const when = (time: Time.Time | null | undefined): string | null => (time == null ? null : Time.toRfc3339(time))

const whoOf = ({ email, issuer, kind, subject }: Request.Requester) => ({ issuer, subject, email, kind })

const viewOf = (one: Request.Request, missing: ReadonlyArray<string>): Dto.ElevationRequest => ({
  id: one.id,
  version: one.version,
  state: one.state,
  requester: whoOf(one.requester),
  ...one.asked,
  roleAsked: one.roleAsked,
  digest: one.digest,
  tier: one.routing.tier,
  stages: one.routing.stages,
  openQuorum: one.routing.openQuorum,
  missing,
  waitingFor: one.waitingFor,
  decideBy: Time.toRfc3339(one.decideBy),
  decisions: one.decisions.map(({ at, by, comment, policyRevision, struck, verdict }) => ({
    by: "policy" in by ? { policy: by.policy } : whoOf(by),
    verdict,
    comment,
    at: Time.toRfc3339(at),
    policyRevision,
    struck: struck?.why ?? null
  })),
  policyRevision: one.routing.policyRevision,
  findings: one.routing.findings,
  grant:
    one.grant === null
      ? null
      : {
          attempts: one.grant.attempts,
          issuedAt: when(one.grant.issuedAt),
          notAfter: when(one.grant.notAfter),
          lastError: one.grant.lastError
        },
  ending:
    one.ending === null
      ? null
      : {
          why: one.ending.why,
          reason: one.ending.reason,
          since: Time.toRfc3339(one.ending.since),
          attempts: one.ending.attempts,
          lastError: one.ending.lastError,
          nextAttemptAt: when(one.ending.nextAttemptAt),
          needsAttention: one.ending.needsAttention
        },
  review:
    one.review === null
      ? null
      : {
          openedAt: Time.toRfc3339(one.review.openedAt),
          dueAt: Time.toRfc3339(one.review.dueAt),
          closed:
            one.review.closed === null
              ? null
              : {
                  by: whoOf(one.review.closed.by),
                  at: Time.toRfc3339(one.review.closed.at),
                  comment: one.review.closed.comment
                }
        },
  outcome: one.outcome,
  revocation: "It stops at once.",
  extends: one.extends,
  extendedBy: one.extendedBy,
  createdAt: Time.toRfc3339(one.createdAt),
  updatedAt: Time.toRfc3339(one.updatedAt)
})

const principalOf = (one: Principal.Principal) => ({
  identity: Principal.keyOf(one),
  issuer: one.issuer,
  subject: one.subject,
  email: one.email,
  groups: one.groups,
  groupsReadAt: Time.toRfc3339(one.groupsReadAt),
  kind: one.kind,
  owner: one.owner === null ? null : Principal.keyOf(one.owner),
  trustTier: one.trustTier,
  notes: one.trustNotes,
  openReviews: one.openReviews,
  enrolledAt: Time.toRfc3339(one.firstSeenAt)
})

const requests = HttpApiBuilder.group(
  Api.Api,
  "requests",
  Effect.fn(function* (handlers) {
    const elevations = yield* Elevations.Elevations
    const store = yield* Store.Store
    const shown = (effect: Effect.Effect<Request.Request, ElevationError.ElevationError>) =>
      Effect.map(answering(effect), (one) => viewOf(one, elevations.missing(one).open))
    const by = Effect.map(Api.Caller, ({ principal }) => principal)
    const origin = { channel: "cli", sourceIp: "127.0.0.1" }
    return handlers.handleAll({
      create: Effect.fn(function* ({ headers, payload }) {
        const key = headers["idempotency-key"]
        return yield* shown(
          elevations.request(
            yield* by,
            { reason: "", metadata: {}, breakGlass: false, ...payload },
            { ...origin, ...(key === undefined ? {} : { idempotencyKey: key }) }
          )
        )
      }),
      list: Effect.fn(function* ({ query }) {
        const me = yield* by
        const { cursor, mine, pending, requester, state } = query
        const page = yield* answering(
          elevations.list(me, {
            filter: {
              ...(state === undefined ? {} : { states: [state] }),
              ...(pending === true ? { states: ["PENDING"] } : {}),
              ...(mine === true ? { requester: me } : {}),
              ...(requester === undefined ? {} : { requesterEmail: requester }),
              ...(query.openReview === undefined ? {} : { openReview: query.openReview })
            },
            limit: query.limit ?? 50,
            ...(cursor === undefined ? {} : { cursor }),
            ...(pending === true ? { forMe: true } : {})
          })
        )
        return {
          items: page.items.map((one) => viewOf(one, elevations.missing(one).open)),
          nextCursor: page.nextCursor
        }
      }),
      get: Effect.fn(function* ({ params }) {
        return yield* shown(elevations.get(yield* by, params.id))
      }),
      approve: Effect.fn(function* ({ params, payload }) {
        return yield* shown(elevations.approve(yield* by, params.id, { comment: "", ...payload }))
      }),
      deny: Effect.fn(function* ({ params, payload }) {
        return yield* shown(elevations.deny(yield* by, params.id, { comment: "", ...payload }))
      }),
      cancel: Effect.fn(function* ({ params, payload }) {
        return yield* shown(elevations.cancel(yield* by, params.id, payload.reason ?? ""))
      }),
      revoke: Effect.fn(function* ({ params, payload }) {
        return yield* shown(elevations.revoke(yield* by, params.id, payload.reason ?? ""))
      }),
      extend: Effect.fn(function* ({ params, payload }) {
        return yield* shown(elevations.extend(yield* by, params.id, { reason: "", ...payload }, origin))
      }),
      credentials: Effect.fn(function* ({ params }) {
        const read = yield* answering(elevations.credentials(yield* by, params.id))
        return {
          requestId: read.requestId,
          credentials: Object.entries(read.values).map(([name, value]) => ({ name, value })),
          issuedAt: Time.toRfc3339(read.issuedAt),
          expiresAt: Time.toRfc3339(read.notAfter)
        }
      }),
      closeReview: Effect.fn(function* ({ params, payload }) {
        return yield* shown(elevations.closeReview(yield* by, params.id, payload.comment))
      }),
      watch: Effect.fn(function* ({ headers, params }) {
        const me = yield* by
        yield* shown(elevations.get(me, params.id))
        let seen = Number(headers["last-event-id"] ?? 0)
        return Stream.merge(
          Stream.make(undefined),
          Stream.map(store.changes, () => undefined)
        ).pipe(
          Stream.mapEffect(() => Effect.orDie(elevations.get(me, params.id))),
          Stream.filter((one) => {
            if (one.version <= seen) return false
            seen = one.version
            return true
          }),
          Stream.map((one) => ({
            id: String(one.version),
            event: "request" as const,
            data: viewOf(one, elevations.missing(one).open)
          }))
        )
      })
    })
  })
)

const principals = HttpApiBuilder.group(
  Api.Api,
  "principals",
  Effect.fn(function* (handlers) {
    const all = yield* Principals.Principals
    const settings = yield* Settings.Settings
    const by = Effect.map(Api.Caller, ({ principal }) => principal)
    return handlers.handleAll({
      me: Effect.fn(function* () {
        const me = yield* by
        return { ...principalOf(me), admin: Access.isAdmin(me, settings), auditor: Access.isAuditor(me, settings) }
      }),
      list: Effect.fn(function* ({ query }) {
        const { cursor, email, limit } = query
        const page = yield* answering(
          all.list(yield* by, {
            limit: limit ?? 50,
            ...(email === undefined ? {} : { email }),
            ...(cursor === undefined ? {} : { cursor })
          })
        )
        return { items: page.items.map(principalOf), nextCursor: page.nextCursor }
      }),
      get: Effect.fn(function* ({ params }) {
        return principalOf(yield* answering(all.get(yield* by, keyFrom(params.identity))))
      }),
      setTrustTier: Effect.fn(function* ({ params, payload }) {
        const trust = { tier: payload.trustTier, notes: payload.notes ?? "" }
        return principalOf(yield* answering(all.setTrust(yield* by, keyFrom(params.identity), trust)))
      }),
      setOwner: Effect.fn(function* ({ params, payload }) {
        const key = keyFrom(params.identity)
        return principalOf(yield* answering(all.setOwner(yield* by, key, keyFrom(payload.owner))))
      })
    })
  })
)

/** `issuer#subject`, or an address of the people here. */
const keyFrom = (identity: string): Principal.PrincipalKey => {
  const [issuer = "", subject] = identity.split("#")
  return subject === undefined ? { issuer: issuerOfTests, subject: identity.replace(/@.*$/u, "") } : { issuer, subject }
}

const issuerOfTests = "https://idp.test"

const lockOf = (one: Lock.Lock) => ({
  id: one.id,
  target:
    one.target.kind === "principal"
      ? { kind: one.target.kind, identity: Principal.keyOf(one.target.principal) }
      : one.target,
  reason: one.reason,
  by: one.by.email ?? "",
  since: Time.toRfc3339(one.since)
})

const locks = HttpApiBuilder.group(
  Api.Api,
  "locks",
  Effect.fn(function* (handlers) {
    const all = yield* Principals.Principals
    const by = Effect.map(Api.Caller, ({ principal }) => principal)
    return handlers.handleAll({
      list: Effect.fn(function* () {
        return (yield* answering(all.locks(yield* by))).active.map(lockOf)
      }),
      create: Effect.fn(function* ({ payload }) {
        const { target } = payload
        const wanted: Lock.LockTarget =
          target.kind === "principal" ? { kind: target.kind, principal: keyFrom(target.identity) } : target
        return lockOf(yield* answering(all.lock(yield* by, wanted, payload.reason)))
      }),
      remove: Effect.fn(function* ({ params }) {
        yield* answering(all.unlock(yield* by, params.id))
      })
    })
  })
)

/** A signature over the whole log, whenever somebody asks. */
const evidence = Effect.gen(function* () {
  const chain = yield* AuditChain.AuditChain
  const { privateKey } = yield* Signer.generate("log.example.test/jitsudo", VerifierKey.noteType)
  const signer = yield* Effect.orDie(Signer.parse(privateKey))
  const signed = Effect.gen(function* () {
    const entries = yield* Stream.runCollect(chain.stream({}))
    const leaves = entries.map(({ payload }) => Chain.leafOf(payload))
    const hashOf = (level: number, index: number): string =>
      level === 0
        ? (leaves[index] ?? "")
        : Merkle.nodeOf(hashOf(level - 1, index * 2), hashOf(level - 1, index * 2 + 1))
    const hashes: Proofs.HashReader = (nodes) => Effect.succeed(nodes.map(({ index, level }) => hashOf(level, index)))
    const tree = Frontier.make()
    for (const leaf of leaves) tree.append(leaf)
    const note = yield* Signer.signCheckpoint({ ...tree.head(), origin: signer.key.name, extensions: [] }, [signer])
    return { entries, hashes, note, size: tree.size() }
  }).pipe(Effect.orDie)
  return { signer, signed }
})

const noTiles = () =>
  Effect.fail(new Problems.NotFound({ code: "not_found", detail: "no tiles here", hint: "ask for receipts" }))

const audit = HttpApiBuilder.group(
  Api.Api,
  "audit",
  Effect.fn(function* (handlers) {
    const chain = yield* AuditChain.AuditChain
    const { signed, signer } = yield* evidence
    const settings = yield* Settings.Settings
    const auditors = Effect.flatMap(Api.Caller, ({ principal }) =>
      Access.isAuditor(principal, settings)
        ? Effect.void
        : Effect.fail(new Problems.Forbidden({ code: "not_permitted", detail: "for auditors", hint: "ask one" }))
    )
    return handlers.handleAll({
      query: Effect.fn(function* ({ query }) {
        yield* auditors
        const { actor, cursor, limit, order, outcome, requestId, since } = query
        const page = yield* Effect.orDie(
          chain.query({
            filter: {
              ...(actor === undefined ? {} : { actor }),
              ...(requestId === undefined ? {} : { requestId }),
              ...(outcome === undefined ? {} : { outcome }),
              ...(since === undefined ? {} : { since: Time.make(Date.parse(since)) })
            },
            limit: limit ?? 100,
            order: order ?? "newest",
            ...(cursor === undefined ? {} : { cursor })
          })
        )
        return { items: page.items, nextCursor: page.nextCursor }
      }),
      checkpoint: () => Effect.map(signed, ({ note }) => note),
      keys: () => Effect.succeed(`${LogKey.format({ key: signer.key, from: 0 })}\n`),
      receipt: Effect.fn(function* ({ params }) {
        const { entries, hashes, note, size } = yield* signed
        const entry = entries.find(({ seq }) => seq === params.seq)
        if (entry === undefined) {
          return yield* new Problems.NotFound({ code: "not_found", detail: "no such entry", hint: "look again" })
        }
        const proof = yield* Proofs.inclusion(entry.seq - 1, size, hashes)
        return Receipt.encode({ payload: entry.payload, seq: entry.seq, proof, note })
      }),
      tile: noTiles,
      tileOfTwoParts: noTiles,
      tileOfThreeParts: noTiles,
      head: Effect.fn(function* () {
        yield* auditors
        return yield* Effect.orDie(chain.head)
      }),
      export: Effect.fn(function* ({ query }) {
        yield* auditors
        const start = { seq: 0, hash: "0".repeat(64) }
        const from = query.from ?? 1
        const before =
          from === 1 ? [] : yield* Effect.orDie(chain.read({ from: from - 1, to: from - 1, limit: 1, order: "oldest" }))
        return Export.encode(before[0] ?? start, chain.stream({ from })).pipe(Stream.encodeText)
      })
    })
  })
)

const markOf = ({ installation = null, notAfter, requestId, resourceKey }: Provider.Tagged) => ({
  requestId,
  resourceKey,
  installation,
  notAfter: when(notAfter)
})

const differenceOf = ({ foreign, orphans, unclaimed, ...rest }: Reconciler.Difference) => ({
  ...rest,
  orphans: orphans.map(markOf),
  unclaimed: unclaimed.map(markOf),
  foreign: foreign.map(markOf),
  error: null
})

/** One provider, called `memory`, that is always there. */
const reconciliation = HttpApiBuilder.group(
  Api.Api,
  "reconciliation",
  Effect.fn(function* (handlers) {
    const reconciler = yield* Reconciler.Reconciler
    const { installation, ...settings } = yield* Settings.Settings
    const administrators = Effect.flatMap(Api.Caller, ({ principal }) =>
      Access.isAdmin(principal, { ...settings, installation })
        ? Effect.succeed(principal)
        : Effect.fail(new Problems.Forbidden({ code: "not_admin", detail: "for administrators", hint: "ask one" }))
    )
    const answer = (all: ReadonlyArray<Reconciler.Difference>, takenBack: ReadonlyArray<string>) => ({
      installation,
      providers: all.map(differenceOf),
      takenBack
    })
    return handlers.handleAll({
      difference: Effect.fn(function* () {
        yield* administrators
        return answer([yield* answering(reconciler.difference("memory"))], [])
      }),
      run: Effect.fn(function* ({ payload }) {
        const by = yield* administrators
        const word = { by, provider: "memory", requestIds: payload.takeBack ?? [] }
        const takenBack = yield* answering(reconciler.takeBack(word))
        return answer(yield* answering(reconciler.run), takenBack)
      })
    })
  })
)

const providers = HttpApiBuilder.group(
  Api.Api,
  "providers",
  Effect.fn(function* (handlers) {
    const all = yield* Provider.Providers
    return handlers.handleAll({
      list: () =>
        Effect.succeed(
          all.names
            .flatMap((name) => all.get(name) ?? [])
            .map(({ capabilities, name }) => ({
              name,
              ...capabilities,
              earlyRevocation: { ...capabilities.earlyRevocation, note: "It stops at once." }
            }))
        )
    })
  })
)

/** Policies as they were given: what the daemon checks is its own tests' matter. */
const policies = HttpApiBuilder.group(
  Api.Api,
  "policies",
  Effect.fn(function* (handlers) {
    let revision = 0
    const stored = new Map<string, typeof Dto.Policy.Type>()
    const at = "2026-01-01T00:00:00.000Z"
    const hash = "ab".repeat(32)
    const find = (ref: string) => {
      const found = [...stored.values()].find(({ id, name }) => id === ref || name === ref)
      return found === undefined
        ? Effect.fail(new Problems.NotFound({ code: "not_found", detail: `no policy ${ref}`, hint: "list them" }))
        : Effect.succeed(found)
    }
    return handlers.handleAll({
      list: () => Effect.succeed({ revision, hash, policies: [...stored.values()] }),
      get: ({ params }) => find(params.id),
      apply: Effect.fn(function* ({ payload }) {
        if (payload.expectRevision !== undefined && payload.expectRevision !== revision) {
          return yield* new Problems.Conflict({ code: "changed_meanwhile", detail: "policy moved", hint: "look again" })
        }
        revision++
        if (payload.replaceAll === true) stored.clear()
        const changes = payload.policies.map(({ description, enabled, files, name, type }) => {
          stored.set(name, {
            id: `pol_${name}`,
            name,
            type,
            description: description ?? "",
            enabled: enabled ?? true,
            hash,
            updatedAt: at,
            updatedBy: "carol@example.test",
            files
          })
          return { name, change: "added" as const, before: null, after: hash }
        })
        return { revision, hash, changes, warnings: [] }
      }),
      remove: Effect.fn(function* ({ params }) {
        const { name } = yield* find(params.id)
        stored.delete(name)
        revision++
        return {
          revision,
          hash,
          changes: [{ name, change: "deleted" as const, before: hash, after: null }],
          warnings: []
        }
      }),
      evaluate: ({ payload }) =>
        Effect.succeed({
          allowed: true,
          tier: "human" as const,
          reasons: [`${payload.action} at ${payload.now ?? "now"} on ${payload.drafts?.length ?? 0} drafts`],
          stages: [],
          openQuorum: 1,
          findings: [{ policy: "leads", says: "allow", reasons: [JSON.stringify(payload.input)] }]
        })
    })
  })
)

interface Options {
  /** What `/api/v1alpha1/sign-in` says. */
  readonly signIn: typeof Dto.SignInConfig.Type
  readonly ready: boolean
}

const meta = (options: Options) =>
  HttpApiBuilder.group(Api.Api, "meta", (handlers) => {
    const checks = { ready: options.ready, checks: [{ name: "database", ok: options.ready, detail: "as it is" }] }
    return Effect.succeed(
      handlers.handleAll({
        healthz: () => Effect.succeed("ok"),
        readyz: () => (options.ready ? Effect.succeed(checks) : Effect.fail(checks)),
        version: () => Effect.succeed({ version: "9.9.9", apiVersions: ["v1alpha1"], development: true }),
        signIn: () => Effect.succeed(options.signIn)
      })
    )
  })

const authentication = Layer.effect(
  Api.Authentication,
  Effect.gen(function* () {
    const all = yield* Principals.Principals
    const since = Time.make(Date.now())
    return Api.Authentication.of({
      bearer: Effect.fn(function* (handler, { credential }) {
        const subject = subjectOf(Redacted.value(credential))
        const groups = people[subject]
        if (groups === undefined) {
          return yield* new Problems.Unauthenticated({
            code: subject === "" ? "unauthenticated" : "token_expired",
            detail: "the token is not taken",
            hint: "run `jitsudo login`"
          })
        }
        const principal = yield* Effect.orDie(
          all.signIn({
            issuer: issuerOfTests,
            subject,
            email: `${subject}@example.test`,
            groups,
            groupsReadAt: since,
            kind: "human",
            owner: null,
            authTime: since,
            amr: []
          })
        )
        const expiresAt = Time.plusSeconds(since, 3600)
        const caller = { principal, sourceIp: "127.0.0.1", channel: "cli", expiresAt, authTime: since }
        return yield* Effect.provideService(handler, Api.Caller, caller)
      })
    })
  })
)

const decoding = HttpApiMiddleware.layerSchemaErrorTransform(Api.Decoding, () =>
  Effect.fail(new Problems.BadRequest({ code: "invalid_input", hint: "correct it" }))
)

export interface TestDaemon {
  readonly url: string
  readonly server: Server
  readonly platform: MemoryProvider.Platform
  readonly provider: Provider.Provider
  readonly run: <A, E>(effect: Effect.Effect<A, E, Engine.Services | Engine.Ports>) => Promise<A>
  readonly close: () => Promise<void>
}

/** Starts one; `reader` is granted at once, everything else is for `sre-leads`. */
export const start = async (options: Partial<Options> = {}): Promise<TestDaemon> => {
  const { platform, provider } = MemoryProvider.make()
  const server = createServer()
  const ports = Layer.mergeAll(
    MemoryStore.layer,
    StaticPolicy.layer({
      eligibility: ({ requester }) => ({
        allowed: requester.groups.includes("sre"),
        reasons: ["only sre may ask", "ask in #access"]
      }),
      routing: ({ request }) =>
        request.role === "reader"
          ? { tier: "auto" }
          : {
              tier: "human",
              stages: [{ policy: "leads", groups: ["sre-leads"], users: [], quorum: 1 }],
              findings: [{ policy: "leads", says: "human", reasons: ["writing needs a lead"] }]
            }
    }),
    Providers.layerOf([provider]),
    Labels.layerTable([]),
    Settings.layer({ alertChannels: ["log"], installation: "here" }),
    Sealer.layerMemory,
    Notification.layerNone
  )
  const engine = Engine.layer().pipe(Layer.provideMerge(ports))
  const api = HttpApiBuilder.layer(Api.Api).pipe(
    Layer.provide([
      requests,
      principals,
      locks,
      audit,
      policies,
      reconciliation,
      providers,
      meta({ signIn: options.signIn ?? { issuers: [] }, ready: options.ready ?? true })
    ]),
    Layer.provide([authentication, decoding])
  )
  const listening = HttpRouter.serve(api, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(
      NodeHttpServer.layer(() => server, { host: "127.0.0.1", port: 0, gracefulShutdownTimeout: "1 second" })
    )
  )
  const runtime = ManagedRuntime.make(listening.pipe(Layer.provideMerge(engine)))
  await runtime.runPromise(Effect.void)
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("the daemon does not listen")
  return {
    url: `http://127.0.0.1:${address.port}`,
    server,
    platform,
    provider,
    run: (effect) => runtime.runPromise(effect),
    close: async () => {
      server.closeAllConnections()
      await runtime.dispose()
    }
  }
}
