/**
 * A sign-in as it is kept between commands: one file for each context, readable by its owner alone.
 *
 * The tokens belong to one server. They are never sent to another one, whatever a flag or a variable says.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { failed } from "./Failure.ts"
import { places } from "./Places.ts"
import * as PrivateFiles from "./PrivateFiles.ts"

const Stored = Schema.Struct({
  server: Schema.String,
  issuer: Schema.String,
  clientId: Schema.String,
  /** Sent with each refresh; null where the issuer wants none. */
  audience: Schema.NullOr(Schema.String),
  accessToken: Schema.RedactedFromValue(Schema.String),
  refreshToken: Schema.NullOr(Schema.RedactedFromValue(Schema.String)),
  /** RFC 3339. */
  expiresAt: Schema.String
})
export type Credentials = typeof Stored.Type

const Json = Schema.fromJsonString(Stored)

export const load = Effect.fn("Credentials.load")(function* (context: string) {
  const file = (yield* places).credentials(context)
  const text = yield* PrivateFiles.read(file, { secret: true })
  if (text === null) return null
  return yield* Schema.decodeEffect(Json)(text).pipe(
    // The issue is not quoted: it could hold a token.
    Effect.mapError(() => failed(`${file} is damaged`, "remove it and run `jitsudo login`"))
  )
})

export const save = Effect.fn("Credentials.save")(function* (context: string, credentials: Credentials) {
  const file = (yield* places).credentials(context)
  const text = yield* Effect.orDie(Schema.encodeEffect(Json)(credentials))
  yield* PrivateFiles.write(file, `${text}\n`)
})

export const remove = Effect.fn("Credentials.remove")(function* (context: string) {
  yield* PrivateFiles.remove((yield* places).credentials(context))
})
