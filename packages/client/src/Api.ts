/**
 * The HTTP API, defined once: the daemon serves it, the typed client calls it, OpenAPI describes it.
 *
 * Paths and names follow the earlier implementation where they were sound (docs/compatibility.md lists the changes).
 */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiMiddleware from "effect/http-api/HttpApiMiddleware"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as HttpApiSecurity from "effect/http-api/HttpApiSecurity"
import * as OpenApi from "effect/http-api/OpenApi"
import type { Principal, Time } from "@jitsudo/core"
import * as Dto from "./Dto.ts"
import { openAnswers } from "./OpenAnswers.ts"
import * as Problems from "./Problems.ts"

/** Who calls, after the daemon verified the token. */
export class Caller extends Context.Service<
  Caller,
  {
    readonly principal: Principal.Principal
    readonly sourceIp: string
    readonly channel: string
    /** When the token ends: a stream ends with it. */
    readonly expiresAt: Time.Time
    /** When they last proved who they are, as this token says; null when its issuer does not say. */
    readonly authTime: Time.Time | null
  }
>()("@jitsudo/client/Caller") {}

/** Every endpoint but a few wants a bearer token of a configured issuer. */
export class Authentication extends HttpApiMiddleware.Service<Authentication, { provides: Caller }>()(
  "@jitsudo/client/Authentication",
  {
    security: { bearer: HttpApiSecurity.bearer },
    error: Problems.common,
    requiredForClient: true
  }
) {}

/** What could not be decoded becomes a `BadRequest` that names every field; what could not be encoded, a 500. */
export class Decoding extends HttpApiMiddleware.Service<Decoding>()("@jitsudo/client/Decoding", {
  error: [Problems.BadRequest, Problems.TooLarge, Problems.UnsupportedMediaType, Problems.InternalError]
}) {}

const id = { id: Dto.RequestId }
const error = Problems.common
const idempotent = {
  "idempotency-key": Schema.optionalKey(
    Schema.String.check(
      Schema.isPattern(/^[\x21-\x7e]{1,255}$/u, { message: "must be 1-255 visible ASCII characters" })
    )
  )
}

export class Requests extends HttpApiGroup.make("requests")
  .add(
    HttpApiEndpoint.post("create", "/", {
      headers: idempotent,
      payload: Dto.CreateRequest,
      success: Dto.ElevationRequest.pipe(HttpApiSchema.status(201)),
      error
    }).annotate(OpenApi.Summary, "Ask for a role for a limited time"),
    HttpApiEndpoint.get("list", "/", {
      query: Dto.ListRequests,
      success: Dto.page(Dto.ElevationRequest),
      error
    }).annotate(OpenApi.Summary, "Requests that I may see, newest first"),
    HttpApiEndpoint.get("get", "/:id", { params: id, success: Dto.ElevationRequest, error }).annotate(
      OpenApi.Summary,
      "One request with everything about it"
    ),
    HttpApiEndpoint.post("approve", "/:id/approve", {
      params: id,
      payload: Dto.Decide,
      success: Dto.ElevationRequest,
      error
    }).annotate(OpenApi.Summary, "Approve what the digest names"),
    HttpApiEndpoint.post("deny", "/:id/deny", {
      params: id,
      payload: Dto.Decide,
      success: Dto.ElevationRequest,
      error
    }).annotate(OpenApi.Summary, "Deny what the digest names"),
    HttpApiEndpoint.post("cancel", "/:id/cancel", {
      params: id,
      payload: Dto.WithReason,
      success: Dto.ElevationRequest,
      error
    }).annotate(OpenApi.Summary, "Withdraw my pending request"),
    HttpApiEndpoint.post("revoke", "/:id/revoke", {
      params: id,
      payload: Dto.WithReason,
      success: Dto.ElevationRequest,
      error
    }).annotate(OpenApi.Summary, "End a grant before its time; idempotent"),
    HttpApiEndpoint.post("extend", "/:id/extend", {
      params: id,
      headers: idempotent,
      payload: Dto.ExtendRequest,
      success: Dto.ElevationRequest.pipe(HttpApiSchema.status(201)),
      error
    }).annotate(OpenApi.Summary, "Ask for another grant that goes on where this one ends"),
    HttpApiEndpoint.get("credentials", "/:id/credentials", {
      params: id,
      success: Dto.Credentials,
      error
    }).annotate(OpenApi.Summary, "The credentials of my active grant; every read is in the audit log"),
    HttpApiEndpoint.post("closeReview", "/:id/review", {
      params: id,
      payload: Dto.CloseReview,
      success: Dto.ElevationRequest,
      error
    }).annotate(OpenApi.Summary, "Close the review of a break-glass"),
    HttpApiEndpoint.get("watch", "/:id/events", {
      params: id,
      headers: { "last-event-id": Schema.optionalKey(Schema.String.check(Schema.isMaxLength(64))) },
      success: HttpApiSchema.StreamSse({
        events: Schema.Struct({
          id: Schema.String,
          event: Schema.Literal("request"),
          data: Schema.fromJsonString(Dto.ElevationRequest)
        })
      }),
      error
    }).annotate(OpenApi.Summary, "Follow a request until it is over; the event id is its version")
  )
  .middleware(Decoding)
  .middleware(Authentication)
  .prefix("/api/v1alpha1/requests") {}

export class Policies extends HttpApiGroup.make("policies")
  .add(
    HttpApiEndpoint.get("list", "/", { success: Dto.Policies, error }).annotate(
      OpenApi.Summary,
      "The policies of the current revision (administrators and auditors)"
    ),
    HttpApiEndpoint.get("get", "/:id", { params: { id: Dto.PolicyRef }, success: Dto.Policy, error }).annotate(
      OpenApi.Summary,
      "One policy with its sources, by id or name (administrators and auditors)"
    ),
    HttpApiEndpoint.post("apply", "/", { payload: Dto.ApplyPolicies, success: Dto.AppliedPolicies, error }).annotate(
      OpenApi.Summary,
      "Check, compile and store policies as one new revision (administrators)"
    ),
    HttpApiEndpoint.delete("remove", "/:id", {
      params: { id: Dto.PolicyRef },
      success: Dto.AppliedPolicies,
      error
    }).annotate(OpenApi.Summary, "Delete a policy, by id or name, as one new revision (administrators)"),
    HttpApiEndpoint.post("evaluate", "/eval", {
      payload: Dto.EvalPolicies,
      success: Dto.EvaluatedPolicies,
      error
    }).annotate(OpenApi.Summary, "What policy would say to an input (administrators and auditors)")
  )
  .middleware(Decoding)
  .middleware(Authentication)
  .prefix("/api/v1alpha1/policies") {}

export class Principals extends HttpApiGroup.make("principals")
  .add(
    HttpApiEndpoint.get("me", "/me", { success: Dto.WhoAmI, error }).annotate(OpenApi.Summary, "Who I am here"),
    HttpApiEndpoint.get("list", "/", {
      query: Dto.ListPrincipals,
      success: Dto.page(Dto.Principal),
      error
    }).annotate(OpenApi.Summary, "Everybody who has signed in (administrators and auditors)"),
    HttpApiEndpoint.get("get", "/:identity", {
      params: { identity: Dto.Identity },
      success: Dto.Principal,
      error
    }).annotate(
      OpenApi.Summary,
      "Somebody by issuer#subject or e-mail address (administrators and auditors; everybody themselves)"
    ),
    HttpApiEndpoint.put("setTrustTier", "/:identity/trust-tier", {
      params: { identity: Dto.Identity },
      payload: Dto.SetTrustTier,
      success: Dto.Principal,
      error
    }).annotate(OpenApi.Summary, "Change a trust tier (administrators, never their own side)"),
    HttpApiEndpoint.put("setOwner", "/:identity/owner", {
      params: { identity: Dto.Identity },
      payload: Dto.SetOwner,
      success: Dto.Principal,
      error
    }).annotate(OpenApi.Summary, "Say who answers for an agent (administrators)")
  )
  .middleware(Decoding)
  .middleware(Authentication)
  .prefix("/api/v1alpha1/principals") {}

export class Locks extends HttpApiGroup.make("locks")
  .add(
    HttpApiEndpoint.get("list", "/", { success: Schema.Array(Dto.Lock), error }).annotate(
      OpenApi.Summary,
      "Locks in force (administrators and auditors)"
    ),
    HttpApiEndpoint.post("create", "/", {
      payload: Dto.CreateLock,
      success: Dto.Lock.pipe(HttpApiSchema.status(201)),
      error
    }).annotate(OpenApi.Summary, "Stop everything new on a target, and end what is active (administrators)"),
    HttpApiEndpoint.delete("remove", "/:id", {
      params: { id: Dto.LockId },
      success: HttpApiSchema.NoContent,
      error
    }).annotate(OpenApi.Summary, "Release a lock (administrators)")
  )
  .middleware(Decoding)
  .middleware(Authentication)
  .prefix("/api/v1alpha1/locks") {}

/** The bytes of a tile. A full one never changes. */
const tile = Schema.Uint8Array.pipe(HttpApiSchema.asUint8Array())

export class Audit extends HttpApiGroup.make("audit")
  .add(
    HttpApiEndpoint.get("query", "/", { query: Dto.QueryAudit, success: Dto.page(Dto.AuditEntry), error }).annotate(
      OpenApi.Summary,
      "Entries, newest first (auditors; others see the entries of requests they may see)"
    ),
    HttpApiEndpoint.get("head", "/head", {
      success: Schema.Struct({ seq: Schema.Int, hash: Schema.String }),
      error
    }).annotate(
      OpenApi.Summary,
      "The newest entry: keep it to see later that the log was not cut or rewritten (auditors)"
    ),
    HttpApiEndpoint.get("export", "/export", {
      query: Dto.ExportAudit,
      success: HttpApiSchema.StreamUint8Array({ contentType: "application/x-ndjson" }),
      error
    }).annotate(OpenApi.Summary, "The log as NDJSON that anybody can verify offline (auditors)"),
    HttpApiEndpoint.get("checkpoint", "/checkpoint", {
      success: Schema.String.pipe(HttpApiSchema.asText()),
      error
    }).annotate(
      OpenApi.Summary,
      "The newest signed checkpoint of the log (c2sp.org/tlog-checkpoint; everybody who is signed in)"
    ),
    HttpApiEndpoint.get("keys", "/keys", { success: Schema.String.pipe(HttpApiSchema.asText()), error }).annotate(
      OpenApi.Summary,
      "The public keys that signed the log, one a line, with the sizes they speak for (everybody who is signed in)"
    ),
    HttpApiEndpoint.get("receipt", "/receipt/:seq", {
      params: { seq: Dto.EntrySeq },
      success: Schema.String.pipe(HttpApiSchema.asText()),
      error
    }).annotate(
      OpenApi.Summary,
      "Proof for offline use that an entry is in the log (c2sp.org/tlog-proof; auditors, and whoever may see its request)"
    ),
    HttpApiEndpoint.get("tile", "/tile/:level/:first", {
      params: { level: Dto.TileLevel, first: Dto.TilePart },
      success: tile,
      error
    }).annotate(OpenApi.Summary, "A full tile of the log's tree or entries (c2sp.org/tlog-tiles; auditors)"),
    HttpApiEndpoint.get("tileOfTwoParts", "/tile/:level/:first/:second", {
      params: { level: Dto.TileLevel, first: Dto.TilePart, second: Dto.TilePart },
      success: tile,
      error
    }).annotate(OpenApi.Summary, "A tile with a longer name: x001/234, or 234.p/17 for a partial one (auditors)"),
    HttpApiEndpoint.get("tileOfThreeParts", "/tile/:level/:first/:second/:third", {
      params: { level: Dto.TileLevel, first: Dto.TilePart, second: Dto.TilePart, third: Dto.TilePart },
      success: tile,
      error
    }).annotate(OpenApi.Summary, "A tile with a longer name still: x001/x234/567 or x001/234.p/17 (auditors)")
  )
  .middleware(Decoding)
  .middleware(Authentication)
  .prefix("/api/v1alpha1/audit") {}

export class Reconciliation extends HttpApiGroup.make("reconciliation")
  .add(
    HttpApiEndpoint.get("difference", "/", {
      query: Dto.ReconcileQuery,
      success: Dto.Reconciliation,
      error
    }).annotate(OpenApi.Summary, "How the platforms differ from what is live here, changing nothing (administrators)"),
    HttpApiEndpoint.post("run", "/", { payload: Dto.Reconcile, success: Dto.Reconciliation, error }).annotate(
      OpenApi.Summary,
      "Act on the difference now: plan the taking back of orphans, end what was removed behind our back (administrators)"
    )
  )
  .middleware(Decoding)
  .middleware(Authentication)
  .prefix("/api/v1alpha1/reconcile") {}

export class Providers extends HttpApiGroup.make("providers")
  .add(
    HttpApiEndpoint.get("list", "/", { success: Schema.Array(Dto.Provider), error }).annotate(
      OpenApi.Summary,
      "Where rights can be granted here, and what each platform can do (everybody who is signed in)"
    )
  )
  .middleware(Decoding)
  .middleware(Authentication)
  .prefix("/api/v1alpha1/providers") {}

/** Without a token: what load balancers and clients need before anybody is signed in. */
export class Meta extends HttpApiGroup.make("meta", { topLevel: true }).add(
  HttpApiEndpoint.get("healthz", "/healthz", { success: Schema.String.pipe(HttpApiSchema.asText()) }).annotate(
    OpenApi.Summary,
    "The process runs"
  ),
  HttpApiEndpoint.get("readyz", "/readyz", {
    success: Dto.Ready,
    error: Dto.Ready.pipe(HttpApiSchema.status(503))
  }).annotate(OpenApi.Summary, "The process can do its work"),
  HttpApiEndpoint.get("version", "/version", { success: Dto.ServerInfo }).annotate(OpenApi.Summary, "What runs here"),
  HttpApiEndpoint.get("signIn", "/api/v1alpha1/sign-in", { success: Dto.SignInConfig }).annotate(
    OpenApi.Summary,
    "What a client needs to sign somebody in"
  )
) {}

export class Api extends HttpApi.make("jitsudo")
  .add(Requests)
  .add(Policies)
  .add(Principals)
  .add(Locks)
  .add(Audit)
  .add(Reconciliation)
  .add(Providers)
  .add(Meta)
  // A misspelt field or filter is an error: what was meant to restrict must not be ignored.
  .annotate(HttpApi.PayloadParseOptions, { errors: "all", onExcessProperty: "error" })
  .annotate(HttpApi.QueryParseOptions, { errors: "all", onExcessProperty: "error" })
  .annotate(HttpApi.ParamsParseOptions, { errors: "all" })
  .annotate(HttpApi.HeadersParseOptions, { errors: "all" })
  .annotateMerge(
    OpenApi.annotations({
      title: "jitsudo",
      version: "v1alpha1",
      description: "Just-in-time privileged access: ask, decide by policy, grant, use, end, prove.",
      transform: openAnswers
    })
  ) {}
