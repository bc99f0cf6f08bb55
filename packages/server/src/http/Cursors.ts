/**
 * A cursor that was never given out is the caller's mistake. The engine cannot tell it from trouble with the store, so
 * after trouble the cursor is tried by itself.
 */
import { ElevationError, type Store } from "@jitsudo/core"
import * as Effect from "effect/Effect"

const unknownCursor = ElevationError.decline(
  "invalid_input",
  "the cursor is not one of this listing",
  "ask again without it",
  { problems: [{ field: "cursor", message: "is not one of this listing" }] }
)

/** `listing` with a refusal where `page`, the shortest read of the same listing, finds the cursor invalid. */
export const withCursor = <A>(
  listing: Effect.Effect<A, ElevationError.ElevationError>,
  cursor: string | undefined,
  page: (cursor: string) => Effect.Effect<unknown, Store.StoreError>
): Effect.Effect<A, ElevationError.ElevationError> =>
  cursor === undefined
    ? listing
    : Effect.catchTag(listing, "Unavailable", (trouble) =>
        Effect.matchEffect(page(cursor), {
          onFailure: (error) => Effect.fail(error.reason === "invalid" ? unknownCursor : trouble),
          onSuccess: () => Effect.fail(trouble)
        })
      )
