/**
 * The pages of the development issuer: plain HTML that works without script, by keyboard and with a screen reader.
 * Every foreign text is escaped; nothing is loaded from anywhere, and the policy header says so.
 */
import { createHash } from "node:crypto"
import { people } from "./People.ts"

export const escape = (text: string): string =>
  text.replaceAll(/[&<>"']/gu, (character) => `&#${character.codePointAt(0)};`)

const style = `
:root { color-scheme: light dark; font: 1.05rem/1.5 system-ui, sans-serif; }
body { max-width: 34rem; margin: 3rem auto; padding: 0 1rem; }
.notice { border-left: .3rem solid #c80; padding-left: .8rem; }
button, input { font: inherit; padding: .5rem .8rem; }
button { width: 100%; margin: .3rem 0; text-align: left; cursor: pointer; }
code { font-size: 1.3em; letter-spacing: .1em; }
`

const styleHash = createHash("sha256").update(style).digest("base64")

/** Headers of every page. */
export const pageHeaders: Readonly<Record<string, string>> = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; frame-ancestors 'none'`,
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

const page = (title: string, body: string): string => `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)} - jitsudo development issuer</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escape(title)}</h1>
${body}
<p class="notice">This is the development issuer of <strong>jitsudod dev</strong>. It asks for no password: whoever reaches this page on this machine may be anybody that it names. It is for trying jitsudo, never for real access.</p>
</main>
</body>
</html>
`

const hidden = (name: string, value: string) => `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`

export interface DeviceForm {
  readonly action: string
  readonly xsrf: string
}

/** Asks for the code that the device shows. */
export const enterCode = (form: DeviceForm, code: string, problem: string | undefined): string =>
  page(
    "Sign in on a device",
    `${problem === undefined ? "" : `<p role="alert"><strong>${escape(problem)}</strong></p>`}
<form method="post" action="${escape(form.action)}">
${hidden("xsrf", form.xsrf)}
<p><label for="user_code">The code that the program shows</label></p>
<p><input id="user_code" name="user_code" value="${escape(code)}" autocomplete="off" autocapitalize="characters" spellcheck="false" required autofocus></p>
<button type="submit">Continue</button>
</form>`
  )

/** Asks whether the code is the one on the device. */
export const confirmCode = (form: DeviceForm, code: string, client: string): string =>
  page(
    "Is this your code?",
    `<p><code>${escape(code)}</code></p>
<p>Continue only if the program <strong>${escape(client)}</strong> that you started shows the same code.</p>
<form method="post" action="${escape(form.action)}">
${hidden("xsrf", form.xsrf)}${hidden("user_code", code)}
<button type="submit" name="confirm" value="yes" autofocus>Yes, continue</button>
<button type="submit" name="abort" value="yes">No, stop</button>
</form>`
  )

/** Asks who signs in. */
export const choosePerson = (action: string, client: string): string =>
  page(
    "Who are you?",
    `<p>The program <strong>${escape(client)}</strong> will act as the person whom you choose.</p>
<form method="post" action="${escape(action)}">
${people
  .map(
    (person) =>
      `<button type="submit" name="person" value="${person.id}"><strong>${person.name}</strong>, ${person.role} (${person.email}, ${person.groups.join(", ")})</button>`
  )
  .join("\n")}
<button type="submit" name="person" value="">Nobody, stop</button>
</form>`
  )

export const signedIn = (): string => page("Signed in", "<p>You can close this page and go back to the program.</p>")

export const failed = (problem: string): string =>
  page(
    "That did not work",
    `<p role="alert">${escape(problem)}</p><p>Start again from the program that sent you here.</p>`
  )
