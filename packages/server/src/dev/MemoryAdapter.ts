/**
 * Storage of the development issuer: sessions, codes and refresh tokens in this process's memory, each until it
 * expires. `oidc-provider` says what each method must do; its own in-memory storage is shared by all issuers of a
 * process, and this one is not.
 */
import type { Adapter, AdapterFactory, AdapterPayload } from "oidc-provider"

interface Entry {
  readonly payload: AdapterPayload
  readonly expiresAt: number
}

/** Entries that expired are dropped after this many writes. */
const sweepEvery = 500

export const make = (now: () => number = Date.now): AdapterFactory => {
  const entries = new Map<string, Entry>()
  let writes = 0

  const live = (key: string): AdapterPayload | undefined => {
    const entry = entries.get(key)
    if (entry === undefined || entry.expiresAt > now()) return entry?.payload
    entries.delete(key)
    return undefined
  }

  const sweep = () => {
    writes += 1
    if (writes % sweepEvery === 0) for (const key of entries.keys()) live(key)
  }

  return (model): Adapter => {
    const prefix = `${model}:`

    const findBy = (matches: (payload: AdapterPayload) => boolean): AdapterPayload | undefined => {
      for (const key of entries.keys()) {
        const payload = key.startsWith(prefix) ? live(key) : undefined
        if (payload !== undefined && matches(payload)) return payload
      }
      return undefined
    }

    return {
      upsert: async (id, payload, expiresIn) => {
        sweep()
        entries.set(`${prefix}${id}`, {
          payload,
          expiresAt: expiresIn === undefined ? Number.POSITIVE_INFINITY : now() + expiresIn * 1000
        })
      },
      find: async (id) => live(`${prefix}${id}`),
      findByUid: async (uid) => findBy((payload) => payload.uid === uid),
      findByUserCode: async (userCode) => findBy((payload) => payload.userCode === userCode),
      consume: async (id) => {
        const payload = live(`${prefix}${id}`)
        if (payload !== undefined) payload.consumed = Math.floor(now() / 1000)
      },
      destroy: async (id) => {
        entries.delete(`${prefix}${id}`)
      },
      revokeByGrantId: async (grantId) => {
        for (const [key, { payload }] of entries) if (payload.grantId === grantId) entries.delete(key)
      }
    }
  }
}
