#!/usr/bin/env bash
# Verifies an export of a jitsudo audit log (docs/spec/audit.md). Usage: verify.sh FILE [SEQ:HASH of a head seen before]
# Exit code: 0 intact, 1 tampered with, 2 could not check. Needs bash, jq, openssl, and what every Unix has.
set -u; export LC_ALL=C
tampered() { echo "TAMPERED: $1"; exit 1; }
unchecked() { echo "NOT CHECKED: $1" >&2; exit 2; }
sha() { local digest; digest=$(openssl dgst -sha256 -r); echo "${digest%% *}"; }
bytes() { printf '%b' "$(sed 's/../\\x&/g' <<<"$1")"; }
command -v jq >/dev/null && command -v openssl >/dev/null || unchecked "jq and openssl are needed"
{ exec <"${1:?usage: verify.sh FILE [SEQ:HASH]}"; } 2>/dev/null || unchecked "cannot read $1"
IFS= read -r line && jq -e '.format == "jitsudo-audit" and .v == 1' <<<"$line" >/dev/null 2>&1 || unchecked "no export of format 1"
seq=$(($(jq .from <<<"$line") - 1)) start=$seq prev=$(jq -r .prevHash <<<"$line") known=${2-} found=${2:+no} last="" redacted=0
[ "$seq" -gt 0 ] || [ "$prev" = "$(printf '0%.0s' {1..64})" ] || tampered "does not begin with nothing before entry 1"
[ "$known" = "$seq:$prev" ] && found=""
# jq would read bytes that are no UTF-8, and lone surrogates, as U+FFFD, and so find the right hash.
iconv -f UTF-8 -t UTF-8 "$1" >/dev/null 2>&1 || tampered "bytes that are no UTF-8"
surrogate=$(grep -nE '(^|[^\])(\\\\)*\\u[dD][89abABcdefCDEF]' "$1") && tampered "a lone surrogate in line ${surrogate%%:*}"
# Sequence number, hashes, number of texts and of redacted ones; nothing at all for an entry that is malformed.
entry='(.payload | fromjson) as $p | [$p.details[] | objects | .textHash // empty] as $all | [.texts[].hash] as $here
  | select(($p | keys) == ["action","actor","details","outcome","provider","requestId","resourceScope","role","time","v"]
    and $p.v == 1 and ($here | unique | length) == ($here | length) and $here - $all == []
    and all(.texts[]; .salt | test("^[0-9a-f]{32}\\z")))
  | [.seq, .prevHash, .hash, ($here | length), ($all - $here | length)] | join(" ")'
while IFS= read -r line || { [ -n "$line" ] && tampered "half a line behind entry $seq"; }; do
  [ -z "$last" ] || tampered "lines after the last"
  case $line in '{"head":'*) last=$line; continue ;; esac
  fields=$(jq -er "$entry" <<<"$line" 2>/dev/null) || tampered "entry $((seq + 1)): malformed, or not with its own texts"
  read -r number before hash texts gone <<<"$fields"
  [ "$number" = $((seq + 1)) ] || tampered "entry $((seq + 1)): missing, doubled or displaced: here stands $number"
  seq=$number; [ "$before" = "$prev" ] || tampered "entry $seq: does not follow the entry before it"
  leaf=$({ printf '\0'; jq -j .payload <<<"$line"; } | sha); prev=$(bytes "01$prev$(printf %016x "$seq")$leaf" | sha)
  [ "$hash" = "$prev" ] || tampered "entry $seq: payload or hash was edited"
  for ((i = 0; i < texts; i++)); do
    salted=$({ bytes "$(jq -r ".texts[$i].salt" <<<"$line")"; jq -j ".texts[$i].text" <<<"$line"; } | sha)
    [ "$salted" = "$(jq -r ".texts[$i].hash" <<<"$line")" ] || tampered "entry $seq: a text was edited"
  done
  redacted=$((redacted + gone)); [ "$known" = "$seq:$prev" ] && found=""
done
[ "$last" = "{\"head\":{\"seq\":$seq,\"hash\":\"$prev\"},\"count\":$((seq - start))}" ] || tampered "cut off behind entry $seq, or the last line is forged"
[ -z "$found" ] || tampered "the head seen before (${known%%:*}) is not in this log"
echo "intact: $((seq - start)) entries, $redacted texts redacted, head $seq:$prev"
