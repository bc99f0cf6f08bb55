/** What `BadInput.findings` looks for, it finds: permissive builds of the API, and what is said about each. */
import { Api, Problems } from "@jitsudo/client"
import { Elevations, Records, Transitions } from "@jitsudo/core"
import * as Effect from "effect/Effect"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as Layer from "effect/Layer"
import { describe, expect, it, vi } from "vitest"
import type * as SoundDecoding from "../../src/http/Decoding.ts"
import type * as SoundJsonText from "../../src/http/JsonText.ts"
import * as Server from "../../src/http/Server.ts"
import { findings } from "./support/BadInput.ts"
import { startWorld, type WorldOptions } from "./support/World.ts"

type Mutation = "none" | "without decoding" | "says back" | "names no field" | "looks away" | "any depth"
const mutation = vi.hoisted((): { now: Mutation } => ({ now: "none" }))

vi.mock("../../src/http/JsonText.ts", async (original) => {
  const sound = await original<typeof SoundJsonText>()
  return {
    ...sound,
    isTooDeep: (text: string) => mutation.now !== "any depth" && sound.isTooDeep(text),
    repeatedNames: (text: string) => (mutation.now === "looks away" ? [] : sound.repeatedNames(text))
  }
})

vi.mock("../../src/http/Decoding.ts", async (original) => {
  const sound = await original<typeof SoundDecoding>()
  const permissive = Layer.succeed(
    Api.Decoding,
    Api.Decoding.of((httpEffect) =>
      Effect.catchIf(
        httpEffect,
        (error) => HttpApiError.HttpApiSchemaError.is(error),
        (error) =>
          Effect.gen(function* () {
            if (mutation.now === "without decoding") return yield* Effect.fail(error)
            const request = yield* HttpServerRequest.HttpServerRequest
            const sent = mutation.now === "says back" ? yield* Effect.orDie(request.text) : ""
            return yield* new Problems.BadRequest({ code: "invalid_input", hint: "correct it", detail: sent })
          })
      )
    )
  )
  return {
    ...sound,
    get layer() {
      return ["without decoding", "says back", "names no field"].includes(mutation.now) ? permissive : sound.layer
    }
  }
})

const tried = async (name: Mutation, only: ReadonlyArray<string>, options: WorldOptions = {}) => {
  mutation.now = name
  const world = await startWorld(options)
  try {
    return (await findings(world, { only, most: 1000 })).found.join("\n")
  } finally {
    await world.close()
    mutation.now = "none"
  }
}

/** The listener over a use case that writes before it looks. */
const writesFirst = (options: Server.ServerOptions) =>
  Server.layer(options).pipe(
    Layer.provide(
      Layer.effect(
        Elevations.Elevations,
        Effect.gen(function* () {
          const sound = yield* Elevations.Elevations
          const transitions = yield* Transitions.Transitions
          return Elevations.Elevations.of({
            ...sound,
            request: (by, input, origin) =>
              Effect.gen(function* () {
                const { now } = yield* transitions.facts({})
                yield* Effect.orDie(
                  transitions.commit({
                    now,
                    records: [Records.plain(Records.systemActor, "request.created", "success", { role: "?" })]
                  })
                )
                return yield* sound.request(by, input, origin)
              })
          })
        })
      )
    )
  )

describe("a build of the API", () => {
  it("as it is, is found to be in order", async () => {
    expect(await tried("none", ["requests.create", "requests.deny"])).toBe("")
  })

  it("without decoding is found to answer 500, and to take the same field twice", async () => {
    const found = await tried("without decoding", ["requests.create"])
    expect(found).toMatch(/requests\.create, durationSeconds missing: answers 500/u)
    expect(found).toMatch(/requests\.create, bytes that are not UTF-8: answers/u)
    expect(found).toMatch(/requests\.create, a field twice/u)
  })

  it("that says back what was sent is found to do so", async () => {
    expect(await tried("says back", ["requests.deny"])).toMatch(
      /comment with 300,000 characters: says back what was sent/u
    )
  })

  it("that names no field is found to do so", async () => {
    expect(await tried("names no field", ["requests.deny"])).toMatch(/digest missing: does not name digest/u)
  })

  it("that takes the last of two values is found to have done it", async () => {
    const found = await tried("looks away", ["requests.cancel"])
    expect(found).toMatch(/requests\.cancel, a field twice/u)
  })

  it("that goes down without end is found to break", async () => {
    expect(await tried("any depth", ["policies.evaluate"])).toMatch(/input nested 10,000 levels deep: answers/u)
  })

  it("that writes before it looks is found to leave something", async () => {
    const found = await tried("none", ["requests.create"], { listener: writesFirst })
    expect(found).toMatch(/provider is meaningless \(1\): leaves/u)
  })
})
