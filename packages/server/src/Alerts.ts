/**
 * The alert channels of the configuration: the daemon's log, and files of JSON lines.
 *
 * A notification has been taken when every channel has it: a file's line is on disk. Events that alert nobody are not
 * written here. Text from people is data in a JSON string.
 */
import { Notification, Time } from "@jitsudo/core"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { open } from "node:fs/promises"

export interface Channel {
  readonly name: string
  readonly type: "log" | "file"
  readonly path?: string
}

const append = (channel: string, path: string, line: string) =>
  Effect.tryPromise({
    try: async () => {
      const file = await open(path, "a", 0o600)
      try {
        await file.write(line)
        await file.datasync()
      } finally {
        await file.close()
      }
    },
    catch: (error) =>
      new Notification.NotifyError({
        channel,
        message: `cannot write ${path} (${error instanceof Error && "code" in error ? String(error.code) : "failed"})`
      })
  })

const deliverTo = (
  channel: Channel,
  notification: Notification.Notification
): Effect.Effect<void, Notification.NotifyError> =>
  Effect.flatMap(Clock.currentTimeMillis, (millis) => {
    if (channel.type === "log" || channel.path === undefined) {
      return Effect.logWarning(`alert: ${notification.event}`).pipe(
        Effect.annotateLogs({
          alert: notification.event,
          notification: notification.id,
          requestId: notification.requestId,
          ...notification.facts
        })
      )
    }
    return append(
      channel.name,
      channel.path,
      `${JSON.stringify({ time: Time.toRfc3339(Time.make(millis)), ...notification })}\n`
    )
  })

export const layer = (channels: ReadonlyArray<Channel>): Layer.Layer<Notification.Notifier> =>
  Layer.succeed(
    Notification.Notifier,
    Notification.Notifier.of({
      deliver: (notification) =>
        Notification.alerts.has(notification.event)
          ? Effect.forEach(channels, (channel) => deliverTo(channel, notification), { discard: true })
          : Effect.void
    })
  )
