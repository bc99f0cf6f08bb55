/** Addresses that secrets may be sent to: https, or http on this machine. */
import * as Result from "effect/Result"

const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/u.test(hostname)

const parseUrl = (text: string): Result.Result<URL, string> => {
  if (!URL.canParse(text) || !/^https?:\/\//iu.test(text)) {
    return Result.fail(`${JSON.stringify(text)} is not an address such as https://jitsudo.example.com`)
  }
  const url = new URL(text)
  if (url.username !== "" || url.password !== "") return Result.fail("an address must not hold a user or a password")
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    return Result.fail(`${url.origin} would carry tokens in the clear: use https (http is for this machine only)`)
  }
  return Result.succeed(url)
}

/** The origin of a daemon, `https://jitsudo.example.com`, or what is wrong with it. */
export const parse = (text: string): Result.Result<string, string> =>
  Result.flatMap(parseUrl(text), (url) =>
    url.pathname === "/" && url.search === "" && url.hash === ""
      ? Result.succeed(url.origin)
      : Result.fail(`${JSON.stringify(text)} has a path; name the daemon by scheme, host and port alone`)
  )

/** An issuer, which may have a path. */
export const parseIssuer = (text: string): Result.Result<URL, string> =>
  Result.flatMap(parseUrl(text), (url) =>
    url.search === "" && url.hash === "" ? Result.succeed(url) : Result.fail(`${JSON.stringify(text)} is not an issuer`)
  )
