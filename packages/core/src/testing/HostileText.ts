/**
 * Text that somebody may send as a role, a scope, a reason, metadata or a name, to see what it does.
 *
 * `unspeakable` may never be part of a role or a scope: it cannot be shown as what it is. The rest may be accepted where
 * the platform's grammar has room for it, and must then mean exactly itself.
 */

export interface HostileText {
  readonly name: string
  readonly text: string
  readonly unspeakable: boolean
}

const speakable = (name: string, text: string): HostileText => ({ name, text, unspeakable: false })
const unspeakable = (name: string, text: string): HostileText => ({ name, text, unspeakable: true })

export const hostileTexts: ReadonlyArray<HostileText> = [
  unspeakable("nothing", ""),
  unspeakable("a NUL", "reader\u0000admin"),
  unspeakable("a line feed", "reader\nadmin"),
  unspeakable("a carriage return", "reader\r"),
  unspeakable("an escape sequence", "\u001b[2Jreader"),
  unspeakable("a C1 control", "reader\u009b1m"),
  unspeakable("a right-to-left override", "nimda\u202ereader"),
  unspeakable("a zero-width space", "read\u200ber"),
  unspeakable("a lone surrogate", "reader\ud800"),
  unspeakable("100,000 characters", "r".repeat(100_000)),
  speakable("a single quote", "reader' or '1'='1"),
  speakable("double quotes and braces", '"}],"Effect":"Allow","x":[{"y":"'),
  speakable("a star", "*"),
  speakable("globs", "read?r-[a-z]*"),
  speakable("a path upwards", "../../admin"),
  speakable("an absolute path", "/"),
  speakable("a path in the role", "team/admin"),
  speakable("an ARN", "arn:aws:iam::999999999999:role/admin"),
  speakable("a template", "${aws:username}{scope}{role}"),
  speakable("percent signs", "%2e%2e%2fadmin%00"),
  speakable("markup", "<script>alert(1)</script>&amp;"),
  speakable("a shell command", "$(id) `id` ; id | id > /dev/null"),
  speakable("Cyrillic look-alikes", "r\u0435\u0430d\u0435r"),
  speakable("full-width letters", "\uff41\uff44\uff4d\uff49\uff4e"),
  speakable("a decomposed letter", "cafe\u0301"),
  speakable("a composed letter", "caf\u00e9"),
  speakable("a prototype's name", "__proto__"),
  speakable("emoji", "\u{1f6a8}\u{1f6a8}")
]
