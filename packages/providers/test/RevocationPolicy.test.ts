import { Time } from "@jitsudo/core"
import { RevocationPolicy } from "@jitsudo/providers/aws"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"
import * as WirePolicy from "../src/testing/aws/WirePolicy.ts"

const start = 1_800_000_000_000
const revokedOf = (offsets: ReadonlyArray<number>): ReadonlyArray<RevocationPolicy.Revoked> =>
  RevocationPolicy.inFoldingOrder(
    offsets.map((offset, index) => ({
      requestId: `req_${String(index).padStart(26, "0")}`,
      issuedBy: Time.make(start + offset),
      notAfter: Time.make(start + offset + 3_600_000)
    }))
  )

/** Whether the document denies a session of this name, issued then (AWS stamps whole seconds). */
const denies = (document: string, sessionName: string, issuedAt: number): boolean =>
  WirePolicy.denies(WirePolicy.parse(document), "s3:GetObject", {
    userid: `AROAEXAMPLE:${sessionName}`,
    tokenIssueTime: Math.floor(issuedAt / 1000) * 1000
  })

describe("the revocation policy", () => {
  it("denies exactly the named sessions", () => {
    const document = RevocationPolicy.documentOf(revokedOf([0, 1]), 0)
    assert.isTrue(denies(document, "jitsudo-req_00000000000000000000000000", start))
    assert.isFalse(denies(document, "jitsudo-req_00000000000000000000000002", start))
    assert.isFalse(denies(document, "jitsudo-req_000000000000000000000000000", start))
    assert.isFalse(denies(document, "not-jitsudo-req_00000000000000000000000000", start))
  })

  it("denies nobody when nothing is ended", () => {
    const document = RevocationPolicy.documentOf([], 0)
    for (const name of ["jitsudo-req_1", "no-session", "*", ""]) assert.isFalse(denies(document, name, start))
  })

  it("whatever is folded, denies every listed session, and none of other names", async () => {
    const law = ({ offsets, share }: { readonly offsets: ReadonlyArray<number>; readonly share: number }): boolean => {
      const revoked = revokedOf(offsets)
      const folded = Math.round((revoked.length * share) / 100)
      const document = RevocationPolicy.documentOf(revoked, folded)
      const all = revoked.every((one) => denies(document, RevocationPolicy.sessionNameOf(one.requestId), one.issuedBy))
      const until = RevocationPolicy.foldedUntil(revoked, folded)
      const later = denies(document, "jitsudo-req_later", until === null ? start : until + 1000)
      return all && !later && !denies(document, "somebody-else", start)
    }
    const outcome = await Effect.runPromise(
      Arbitrary.checkEffect(
        Arbitrary.schema(
          Schema.Struct({
            offsets: Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 10_000_000 }))).check(
              Schema.isMaxLength(40)
            ),
            share: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100 }))
          })
        ),
        (sample) => Effect.sync(() => law(sample)),
        { runs: 500, seed: 7 }
      )
    )
    assert.strictEqual(outcome._tag, "Passed")
  })

  it("folds no more than the quota makes necessary", () => {
    for (const count of [0, 1, 100, 210, 250, 1000]) {
      const revoked = revokedOf(Array.from({ length: count }, (_, index) => index * 1000))
      const folded = RevocationPolicy.leastFolded(revoked)
      assert.isAtMost(RevocationPolicy.documentOf(revoked, folded).length, RevocationPolicy.quota)
      if (folded > 0) {
        assert.isAbove(RevocationPolicy.documentOf(revoked, folded - 1).length, RevocationPolicy.quota)
      }
    }
  })
})
