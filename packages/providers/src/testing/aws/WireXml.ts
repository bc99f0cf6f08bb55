/**
 * Answers of STS and IAM in the query protocol: XML with the services' namespaces.
 * https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 */
export type Xml = string | number | { readonly [tag: string]: Xml | ReadonlyArray<Xml> | undefined }

const namespaces = {
  sts: "https://sts.amazonaws.com/doc/2011-06-15/",
  iam: "https://iam.amazonaws.com/doc/2010-05-08/"
} as const

export type Service = keyof typeof namespaces

const escaped = (text: string): string =>
  text.replace(/[&<>"']/gu, (character) => `&#${character.codePointAt(0) ?? 0};`)

const isList = (value: Xml | ReadonlyArray<Xml>): value is ReadonlyArray<Xml> => Array.isArray(value)

const render = (value: Xml): string =>
  typeof value === "object"
    ? Object.entries(value)
        .map(([tag, inner]) => {
          if (inner === undefined) return ""
          const content = isList(inner) ? inner.map((one) => `<member>${render(one)}</member>`).join("") : render(inner)
          return `<${tag}>${content}</${tag}>`
        })
        .join("")
    : escaped(String(value))

/** The answer to an action that succeeded. */
export const answer = (service: Service, action: string, result: Xml | null, requestId: string): string =>
  `<${action}Response xmlns="${namespaces[service]}">` +
  (result === null ? "" : `<${action}Result>${render(result)}</${action}Result>`) +
  `<ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>`

/** The answer to an action that was refused. */
export const refusal = (service: Service, code: string, message: string, status: number, requestId: string): string =>
  `<ErrorResponse xmlns="${namespaces[service]}"><Error><Type>${status < 500 ? "Sender" : "Receiver"}</Type>` +
  `<Code>${escaped(code)}</Code><Message>${escaped(message)}</Message></Error>` +
  `<RequestId>${requestId}</RequestId></ErrorResponse>`
