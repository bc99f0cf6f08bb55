/** Rights in the badge system: `PUT /grants/ID` opens a door until an instant, `DELETE` shuts it, and it lists both. */
import { definePlugin, defineProvider, type Provider, refusal, Time } from "@jitsudo/core"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

interface Grant {
  readonly id: string
  readonly door: string
  readonly until: number
  readonly installation: string | null
}

/** A refusal that promises: nothing was changed. */
const refuse = (reason: Provider.ProviderReason, message: string, hint: string, retryable = false) =>
  refusal({ reason, message, hint, retryable, effect: "none" })

// #region plugin
export const plugin = definePlugin({
  name: "badges",
  config: Schema.Struct({
    url: Schema.String.check(Schema.isPattern(/^https?:\/\/[^\s?#]+$/u)),
    token: Schema.RedactedFromValue(Schema.NonEmptyString),
    doors: Schema.NonEmptyArray(Schema.NonEmptyString)
  }),
  // Two sections for one system would take each other's grants for strangers.
  territory: ({ url }) => [url],
  make: ({ doors, token, url }) => {
    // #endregion plugin
    const call = async (signal: AbortSignal, method: string, path: string, body?: unknown): Promise<Response> => {
      const headers = { authorization: `Bearer ${Redacted.value(token)}`, "content-type": "application/json" }
      const sent = body === undefined ? {} : { body: JSON.stringify(body) }
      const response = await fetch(new URL(path, url), { method, headers, signal, ...sent })
      if (response.ok || response.status === 404) return response
      if (response.status === 429) throw refuse("ProviderThrottled", "the badge system is busy", "Try again.", true)
      // Whatever else is thrown may have had an effect: jitsudo then takes back what it may have left.
      if (response.status >= 500) throw new Error("the badge system is in trouble")
      throw refuse("ProviderDenied", "the badge system refuses", "Is `providers.badges.token` right?")
    }
    return defineProvider({
      name: "badges",
      capabilities: {
        nativeExpiry: true,
        earlyRevocation: { supported: true, withinSeconds: 0, note: "The door stays shut from then on." },
        listing: true,
        inspection: true,
        minDurationSeconds: 60,
        maxDurationSeconds: 43_200
      },
      parse: (ask) => {
        if (ask.role !== "reader") throw refuse("InvalidRole", "a door has one role: reader", "Ask for that.")
        if (doors.includes(ask.resourceScope)) return ask
        throw refuse("InvalidScope", "jitsudo does not open this door", "Add it to `providers.badges.doors`.")
      },
      check: async ({ resourceScope }, _, signal) => {
        if ((await call(signal, "GET", `/doors/${encodeURIComponent(resourceScope)}`)).ok)
          return { maxDurationSeconds: 43_200, facts: {} }
        throw refuse("RoleNotFound", "there is no such door", "See the floor plan.")
      },
      // #region grant
      grant: async ({ canonical, grantee, installation = null, now, requestId }, signal) => {
        const until = now + canonical.durationSeconds * 1000
        const asked = { door: canonical.resourceScope, who: grantee.subject, until, installation }
        // The first `until` of an id stays: a repeat neither makes a second grant nor a longer one.
        const granted: Grant = await (await call(signal, "PUT", `/grants/${requestId}`, asked)).json()
        return { issuedAt: now, notAfter: Time.make(granted.until), reference: {}, credentials: {} }
      },
      end: async ({ requestId }, signal) => void (await call(signal, "DELETE", `/grants/${requestId}`)),
      // #endregion grant
      resourceKey: ({ resourceScope }) => resourceScope,
      inspect: async ({ requestId }, signal) =>
        (await call(signal, "GET", `/grants/${requestId}`)).ok ? "active" : "ended",
      list: async (signal) => {
        const grants: ReadonlyArray<Grant> = await (await call(signal, "GET", "/grants")).json()
        const marks = grants.map((one) => ({ ...one, requestId: one.id, resourceKey: one.door, reference: {} }))
        return marks.map((mark) => ({ ...mark, notAfter: Time.make(mark.until) }))
      }
    })
  }
})
