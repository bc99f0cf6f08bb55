/**
 * ARM's own model of its authorization API, as the SDK carries it: the mappers that AutoRest generated from Azure's
 * OpenAPI documents (`Microsoft.Authorization`, 2022-04-01 and 2020-10-01). They say for each type which properties
 * there are, how they are called on the wire, which are required and which only the service writes.
 */
import * as mappers from "@azure/arm-authorization/dist-esm/src/models/mappers.js"

interface MapperType {
  readonly name: string
  readonly className?: string
  readonly modelProperties?: Readonly<Record<string, Mapper>>
  readonly element?: Mapper
}

interface Mapper {
  readonly serializedName?: string
  readonly required?: boolean
  readonly readOnly?: boolean
  readonly type: MapperType
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isMapper = (value: unknown): value is Mapper => isObject(value) && isObject(value["type"])

/** The names of the types that there are. */
export const has = (className: string): boolean => Object.hasOwn(mappers, className)

const propertiesOf = (className: string): ReadonlyArray<Mapper> => {
  const mapper: unknown = Reflect.get(mappers, className)
  if (!isMapper(mapper)) throw new Error(`the SDK has no mapper ${className}`)
  return Object.values(mapper.type.modelProperties ?? {})
}

const pathOf = (mapper: Mapper): ReadonlyArray<string> => (mapper.serializedName ?? "").split(".")

const at = (value: unknown, path: ReadonlyArray<string>): unknown =>
  path.reduce<unknown>((inner, key) => (isObject(inner) ? inner[key] : undefined), value)

const wrongType = (mapper: Mapper, value: unknown, where: string, sent: boolean): ReadonlyArray<string> => {
  const { className, element, name } = mapper.type
  if (value === null) return sent ? [`${where} is null`] : []
  switch (name) {
    case "String":
      return typeof value === "string" ? [] : [`${where} is no text`]
    case "Boolean":
      return typeof value === "boolean" ? [] : [`${where} is no truth value`]
    case "DateTime":
      return typeof value === "string" && !Number.isNaN(Date.parse(value)) ? [] : [`${where} is no date`]
    case "Sequence":
      if (!Array.isArray(value)) return [`${where} is no list`]
      return element === undefined
        ? []
        : value.flatMap((one, index) => wrongType(element, one, `${where}[${index}]`, sent))
    case "Composite":
      return className === undefined ? [] : objections(className, value, sent, where)
    default:
      return [`${where} has the type ${name}, which is not understood here`]
  }
}

/** Keys that no property of the type leads to. */
const unknownIn = (
  value: Readonly<Record<string, unknown>>,
  paths: ReadonlyArray<ReadonlyArray<string>>,
  where: string
): ReadonlyArray<string> =>
  Object.entries(value).flatMap(([key, inner]) => {
    const through = paths.filter(([first]) => first === key).map(([, ...rest]) => rest)
    if (through.length === 0) return [`${where}.${key} is unknown`]
    if (through.some((rest) => rest.length === 0) || !isObject(inner)) return []
    return unknownIn(inner, through, `${where}.${key}`)
  })

/** What the model has against a value of this type; `sent`: by us, so what only the service writes is one more. */
export const objections = (
  className: string,
  value: unknown,
  sent: boolean,
  where = className
): ReadonlyArray<string> => {
  if (!isObject(value)) return [`${where} is no object`]
  const properties = propertiesOf(className)
  return [
    ...unknownIn(value, properties.map(pathOf), where),
    ...properties.flatMap((mapper) => {
      const path = pathOf(mapper)
      const found = at(value, path)
      const name = `${where}.${path.join(".")}`
      if (found === undefined) return mapper.required === true ? [`${name} is missing`] : []
      return [
        ...(sent && mapper.readOnly === true ? [`${name} is not ours to write`] : []),
        ...wrongType(mapper, found, name, sent)
      ]
    })
  ]
}
