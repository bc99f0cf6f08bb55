/** A live stream of events as a browser would read it. */
import type { World } from "./World.ts"

export interface Event {
  readonly id: string
  readonly event: string
  readonly state: string
  readonly version: number
}

export interface Follower {
  readonly status: number
  readonly headers: Headers
  /** What came so far. */
  readonly events: ReadonlyArray<Event>
  /** The bytes as they came. */
  readonly text: () => string
  /** Waits for so many events, or for the end. */
  readonly until: (count: number) => Promise<ReadonlyArray<Event>>
  /** Waits for the end of the stream. */
  readonly ended: Promise<void>
  readonly stop: () => void
}

const parse = (block: string): Event | undefined => {
  const fields = new Map(
    block.split("\n").flatMap((line) => {
      const at = line.indexOf(":")
      return at < 0 ? [] : [[line.slice(0, at), line.slice(at + 1).trim()] as const]
    })
  )
  const data = fields.get("data")
  if (data === undefined) return undefined
  const { state, version }: { state: string; version: number } = JSON.parse(data)
  return { id: fields.get("id") ?? "", event: fields.get("event") ?? "message", state, version }
}

export const follow = async (
  world: World,
  id: string,
  options: { readonly token: string; readonly lastEventId?: string }
): Promise<Follower> => {
  const abort = new AbortController()
  const response = await fetch(`${world.url}/api/v1alpha1/requests/${id}/events`, {
    signal: abort.signal,
    headers: {
      authorization: `Bearer ${options.token}`,
      accept: "text/event-stream",
      ...(options.lastEventId === undefined ? {} : { "last-event-id": options.lastEventId })
    }
  })
  const events: Array<Event> = []
  let text = ""
  let wake = (): void => undefined
  let over = false
  const read = async () => {
    let rest = ""
    const decoder = new TextDecoder()
    try {
      for await (const chunk of response.body ?? []) {
        const part = decoder.decode(chunk, { stream: true })
        text += part
        rest += part
        const blocks = rest.split("\n\n")
        rest = blocks.pop() ?? ""
        for (const block of blocks) {
          const event = parse(block)
          if (event !== undefined) events.push(event)
        }
        wake()
      }
    } catch (error) {
      // Stopped by the test, or cut off by the daemon: an end like another.
      if (!(error instanceof Error)) throw error
    } finally {
      over = true
      wake()
    }
  }
  const ended = read()
  return {
    status: response.status,
    headers: response.headers,
    events,
    text: () => text,
    until: async (count) => {
      while (events.length < count && !over) {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
      return events
    },
    ended,
    stop: () => abort.abort()
  }
}
