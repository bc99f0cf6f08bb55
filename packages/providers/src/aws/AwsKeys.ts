/** Keys that both modes of the provider `aws` have. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const accountId = Schema.String.check(
  Schema.isPattern(/^\d{12}$/u, { expected: "an account id: twelve digits, in quotes" })
)

export const address = Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s]+$/u, { expected: "an address" }))

export const sharedKeys = {
  region: Schema.String.check(
    Schema.isPattern(/^[a-z]{2,3}(-[a-z]+)+-\d$/u, { expected: "a region such as us-east-1" })
  ).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed("us-east-1")),
    Schema.annotateKey({
      description: "Region of the STS endpoint or of the Identity Center instance, and what the child process gets."
    })
  ),
  accounts: Schema.NonEmptyArray(accountId).pipe(
    Schema.annotateKey({ description: "Accounts that may be asked for." })
  ),
  endpoint_url: Schema.optionalKey(address).pipe(
    Schema.annotateKey({ description: "Another endpoint for AWS's services: a VPC endpoint, a test." })
  ),
  timeout_seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 120 })).pipe(
    Schema.withDecodingDefaultTypeKey(Effect.succeed(15)),
    Schema.annotateKey({ description: "Longest time for one call to AWS." })
  )
}
