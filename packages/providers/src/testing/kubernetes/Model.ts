/**
 * Whether a body has the shape that Kubernetes' own OpenAPI gives it: known fields, of the right type.
 *
 * The model is the one that the official client is generated from and carries as `attributeTypeMap` (release 1.36 of the
 * API with version 2.0.1). It says nothing of which fields are required, of formats or of bounds; `Rules.ts` does.
 */
import type { Cause } from "./Status.ts"

interface Attribute {
  readonly baseName: string
  readonly type: string
}

export interface Model {
  /** What is wrong with a body of this type. */
  readonly whyNot: (type: string, body: unknown) => ReadonlyArray<Cause>
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The model of the installed client. Rejects when it is not installed. */
export const load = async (): Promise<Model> => {
  const client: Readonly<Record<string, unknown>> = { ...(await import("@kubernetes/client-node")) }

  const attributesOf = (type: string): ReadonlyArray<Attribute> | undefined => {
    const model = client[type]
    if (typeof model !== "function" || !("getAttributeTypeMap" in model)) return undefined
    const map: unknown = typeof model.getAttributeTypeMap === "function" ? model.getAttributeTypeMap() : undefined
    return Array.isArray(map) ? map : undefined
  }

  const walk = (type: string, value: unknown, at: string): ReadonlyArray<Cause> => {
    const wrong = (message: string): ReadonlyArray<Cause> => [{ reason: "FieldValueTypeInvalid", field: at, message }]
    // The client writes what is not there as nothing, and others as null.
    if (value === undefined || value === null) return []
    const element = /^(?:Array|Set)<(.*)>$/u.exec(type)?.[1]
    if (element !== undefined) {
      return Array.isArray(value)
        ? value.flatMap((one: unknown, index) => walk(element, one, `${at}[${index}]`))
        : wrong("must be a list")
    }
    const mapped = /^\{ \[key: string\]: (.*); \}$/u.exec(type)?.[1]
    if (mapped !== undefined) {
      return isRecord(value)
        ? Object.entries(value).flatMap(([key, one]) => walk(mapped, one, `${at}.${key}`))
        : wrong("must be an object")
    }
    switch (type) {
      case "string":
      case "boolean":
      case "number":
        return typeof value === type ? [] : wrong(`must be a ${type}`)
      case "Date":
        return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? [] : wrong("must be a date")
    }
    const attributes = attributesOf(type)
    if (attributes === undefined) return []
    if (!isRecord(value)) return wrong("must be an object")
    return Object.entries(value).flatMap(([field, one]) => {
      const attribute = attributes.find(({ baseName }) => baseName === field)
      const below = at === "" ? field : `${at}.${field}`
      return attribute === undefined
        ? [{ reason: "FieldValueInvalid", field: below, message: `unknown field "${below}"` }]
        : walk(attribute.type, one, below)
    })
  }

  return { whyNot: (type, body) => walk(type, body, "") }
}
