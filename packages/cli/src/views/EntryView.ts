/** Entries of the audit log for people and programs. What an entry says is in its canonical text. */
import type { Dto } from "@jitsudo/client"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { Screen } from "../Output.ts"
import type { Column } from "../Table.ts"
import type { Style } from "../Terminal.ts"

const Payload = Schema.fromJsonString(
  Schema.Struct({
    time: Schema.String,
    actor: Schema.Struct({
      issuer: Schema.String,
      subject: Schema.String,
      email: Schema.NullOr(Schema.String),
      kind: Schema.String
    }),
    action: Schema.String,
    outcome: Schema.String,
    requestId: Schema.NullOr(Schema.String),
    provider: Schema.NullOr(Schema.String),
    role: Schema.NullOr(Schema.String),
    resourceScope: Schema.NullOr(Schema.String),
    details: Schema.JsonObject
  })
)

const decode = Schema.decodeUnknownOption(Payload)

/** An entry with what it says beside its text; `said` is null where the text is none of ours. */
export const read = (entry: typeof Dto.AuditEntry.Type) => {
  const said = Option.getOrNull(decode(entry.payload))
  return {
    seq: entry.seq,
    ...said,
    payload: entry.payload,
    prevHash: entry.prevHash,
    hash: entry.hash,
    texts: entry.texts,
    said
  }
}
export type EntryRead = ReturnType<typeof read>

/** For programs: fields as they are in the text, the text itself, and the hashes. */
export const forPrograms = ({ said: _, ...entry }: EntryRead) => entry

const outcomeStyle: Readonly<Record<string, Style>> = { failure: "red", refused: "yellow" }

const target = ({ said }: EntryRead): string =>
  said === null
    ? ""
    : [said.provider, said.role, said.resourceScope].filter((part) => part !== null && part !== "").join(" ")

export const columns = (_screen: Screen): ReadonlyArray<Column<EntryRead>> => [
  { title: "SEQ", cell: ({ seq }) => String(seq) },
  { title: "TIME", cell: ({ said }) => said?.time.replace(/\.\d+Z$/u, "Z") ?? "(unreadable)" },
  { title: "ACTOR", cell: ({ said }) => said?.actor.email ?? said?.actor.subject ?? "", flexible: true },
  { title: "ACTION", cell: ({ said }) => said?.action ?? "" },
  { title: "OUTCOME", cell: ({ said }) => ({ text: said?.outcome ?? "", style: outcomeStyle[said?.outcome ?? ""] }) },
  { title: "REQUEST", cell: ({ said }) => said?.requestId ?? "" },
  { title: "TARGET", cell: target, flexible: true }
]
