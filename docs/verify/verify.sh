#!/usr/bin/env bash
# Verifies evidence from a jitsudo audit log (docs/spec/audit.md) without any code of jitsudo.
#
#     verify.sh FILE [SEQ:HASH] [--keys KEYS] [--seen CHECKPOINT]
#
# FILE is an export (NDJSON) or a receipt (.tlog-proof). SEQ:HASH is a head of the chain seen before. KEYS has the log's
# public keys, one a line, each with the sizes that it speaks for if it was exchanged; a receipt needs it. CHECKPOINT is
# a signed checkpoint seen before, which must fit what is verified. For directories of tiles there is verify.py.
#
# Exit code: 0 intact or proved, 1 tampered with, 2 could not check. Needs bash, jq, openssl 3, and what every Unix has.
set -u; export LC_ALL=C
tampered() { echo "TAMPERED: $1"; exit 1; }
unchecked() { echo "NOT CHECKED: $1" >&2; exit 2; }
for tool in jq openssl iconv od mktemp; do command -v "$tool" >/dev/null || unchecked "$tool is needed"; done
if command -v sha256sum >/dev/null; then tool="sha256sum"; else tool="openssl dgst -sha256 -r"; fi
sha() { sum=$($tool) sum=${sum%% *}; } # sets sum, so that nothing more than the tool has to be started
bytes() { local hex=$1 escaped=""; while [ -n "$hex" ]; do escaped+="\\x${hex:0:2}" hex=${hex:2}; done; printf '%b' "$escaped"; }
hex() { openssl base64 -d -A <<<"$1" | od -An -v -tx1 | tr -d ' \n'; }
node() { sha < <(bytes "01$1$2"); }
# base64 in its one spelling: of 32 bytes, and of any number of them
hash64='^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$'
base64='^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=|[A-Za-z0-9+/][AQgw]==)?$'

file="" known="" keys="" seen=""
while [ $# -gt 0 ]; do
  case $1 in
    --keys) keys=${2:?--keys FILE}; shift ;;
    --seen) seen=${2:?--seen CHECKPOINT}; shift ;;
    *) if [ -z "$file" ]; then file=$1; else known=$1; fi ;;
  esac
  shift
done
# What comes from a file is checked before it is reckoned with: bash would run what stands in an arithmetic expression.
[ -f "$file" ] && [ -r "$file" ] || unchecked "usage: verify.sh FILE [SEQ:HASH] [--keys KEYS] [--seen CHECKPOINT]"

# Variables cannot hold NUL, so what has one would be read as if it had not.
[ "$(tr -d '\0' <"$file" | wc -c)" -eq "$(wc -c <"$file")" ] || tampered "a byte that is no text"

# --- Signed checkpoints (c2sp.org/signed-note, c2sp.org/tlog-checkpoint). Each function sets `why` where it fails.
work=$(mktemp -d) || unchecked "no place for temporary files"
trap 'rm -rf "$work"' EXIT
parse() { # NOTE, with an x behind its end: sets origin, size, root (hexadecimal), text, signatures
  local note=${1%x} root64 more; why="no signed checkpoint"
  [[ $note == *$'\n\n'* && $note == *$'\n' && ${note//$'\n'/} != *[[:cntrl:]]* ]] || return 1
  text=${note%$'\n\n'*}$'\n' signatures=${note##*$'\n\n'}
  { IFS= read -r origin && IFS= read -r size && IFS= read -r root64; } <<<"$text" || return 1
  more=${text#*$'\n'*$'\n'*$'\n'}
  [[ -n $origin && $size =~ ^(0|[1-9][0-9]{0,15})$ && $root64 =~ $hash64 && $'\n'$more != *$'\n\n'* ]] || return 1
  local line='^(— [^ +]+ [A-Za-z0-9+/]{8,}={0,2}'$'\n'')+$'
  [[ $signatures =~ $line ]] || return 1
  root=$(hex "$root64")
}
believe() { # NOTE, as for parse: one of the keys that speaks for the size signed it
  local name signature key range id speaks="" line
  parse "$1" || return 1
  printf '%s' "$text" >"$work/text"
  while read -r _ name signature; do
    why="no signed checkpoint"; [[ $signature =~ $base64 ]] || return 1
    signature=$(hex "$signature") id=${signature:0:8}
    while read -r key range; do
      [[ -n $key && $key != '#'* && ${key%%+*} == "$name" && $name == "$origin" ]] || continue
      line=${key#*+}
      [ "${line%%+*}" = "$id" ] || continue
      why="the signature of $name+$id is not one of this checkpoint"
      line=$(hex "${line#*+}")
      [[ ${#line} = 66 && ${line:0:2} = 01 && ${#signature} = 136 ]] || return 1
      { bytes "302a300506032b6570032100${line:2}"; } >"$work/key" # RFC 8410, section 4
      bytes "${signature:8}" >"$work/signature"
      openssl pkeyutl -verify -pubin -keyform DER -inkey "$work/key" -rawin -in "$work/text" -sigfile "$work/signature" \
        >/dev/null 2>&1 || return 1
      why="no sizes FROM-TO: $range"; [[ ${range:--} =~ ^([0-9]{0,15})-([0-9]{0,15})$ ]] || return 1
      [ "$size" -ge "${BASH_REMATCH[1]:-0}" ] && [ "$size" -le "${BASH_REMATCH[2]:-$size}" ] && speaks=yes
    done <"$keys"
  done <<<"${signatures%$'\n'}"
  why="no key of the log that speaks for size $size signed this checkpoint"
  [ -n "$speaks" ]
}
# An openssl that cannot verify Ed25519 would call every signature wrong.
if [ -n "$keys" ]; then
  [ -r "$keys" ] || unchecked "cannot read $keys"
  case $(openssl version) in OpenSSL\ [3-9]*|OpenSSL\ [1-9][0-9]*) ;; *) unchecked "signatures need OpenSSL 3: here is $(openssl version)" ;; esac
fi
seen_size="" seen_root=""
if [ -n "$seen" ]; then
  note=$(cat "$seen" && echo x) || unchecked "cannot read $seen"
  [ -n "$keys" ] || unchecked "--seen needs --keys"
  believe "${note%$'\n'x}"$'\n'x || unchecked "$seen: $why"
  seen_size=$size seen_root=$root
fi

# --- A receipt (c2sp.org/tlog-proof).
fields='["action","actor","details","outcome","provider","requestId","resourceScope","role","time","v"]'
if IFS= read -r line <"$file" && [ "$line" = "c2sp.org/tlog-proof@v1" ]; then
  [ -n "$keys" ] || unchecked "a receipt needs --keys"
  whole=$(cat "$file" && echo x)
  [[ $whole == *$'\n\n'* ]] || tampered "no receipt of an entry"
  { IFS= read -r line && IFS= read -r extra && IFS= read -r index; } <<<"${whole%%$'\n\n'*}"
  [[ ${extra:0:6} = "extra " && ${extra:6} =~ $base64 && $index =~ ^index\ (0|[1-9][0-9]{0,15})$ ]] || tampered "no receipt of an entry"
  note=${whole#*$'\n\n'}
  believe "${note%$'\n'x}"$'\n'x || tampered "its checkpoint: $why"
  index=${index#index } at=$index last=$((size - 1))
  openssl base64 -d -A <<<"${extra:6}" >"$work/payload"
  iconv -f UTF-8 -t UTF-8 "$work/payload" >/dev/null 2>&1 && jq -e "keys == $fields and .v == 1" "$work/payload" >/dev/null 2>&1 ||
    tampered "no payload of format 1"
  [ "$index" -lt "$size" ] || tampered "entry $((index + 1)) is not in a tree of size $size"
  sha < <(printf '\0'; cat "$work/payload")
  while IFS= read -r one; do # RFC 9162, section 2.1.3.2
    [[ $one =~ $hash64 ]] && [ "$last" -gt 0 ] || tampered "a line of the proof is no hash, or there are too many"
    one=$(hex "$one")
    if [ $((at & 1)) = 1 ] || [ "$at" = "$last" ]; then
      node "$one" "$sum"
      while [ "$at" -gt 0 ] && [ $((at & 1)) = 0 ]; do at=$((at >> 1)) last=$((last >> 1)); done
    else node "$sum" "$one"; fi
    at=$((at >> 1)) last=$((last >> 1))
  done < <(lines=${whole%%$'\n\n'*}; tail -n +4 <<<"$lines")
  [ "$last" = 0 ] && [ "$sum" = "$root" ] || tampered "entry $((index + 1)) is not in the tree of the checkpoint"
  echo "proved: entry $((index + 1)) is in the log at size $size:"; cat "$work/payload"; echo
  exit 0
fi

# --- An export.
[[ ${line-} == '{'* ]] && jq -e '.format == "jitsudo-audit" and .v == 1' <<<"$line" >/dev/null 2>&1 || unchecked "no export of format 1"
covered="" stack=() # the tree: the root of one complete subtree for each bit of its size
read -r from prev covered hashes < <(jq -r '[.from, .prevHash, if .tree then "yes" else "no" end, (.tree // [])[]] | join(" ")' <<<"$line")
[[ $from =~ ^[1-9][0-9]{0,14}$ && $prev =~ ^[0-9a-f]{64}$ ]] || unchecked "no export of format 1"
for one in $hashes; do [[ $one =~ ^[0-9a-f]{64}$ ]] && stack+=("$one") || unchecked "no tree before the first entry"; done
seq=$((from - 1)) start=$((from - 1)) found=${known:+no} last="" redacted=0 checkpoints=0 trusted=0
for ((bits = 0, rest = seq; rest > 0; rest >>= 1)); do bits=$((bits + (rest & 1))); done
[ "$covered" = no ] || [ "$bits" = "${#stack[@]}" ] || unchecked "no tree before the first entry"
growing=""; [ "$covered" = no ] && [ -z "$seen" ] || growing=yes
[ "$covered" = yes ] || [ -z "$seen" ] || [ "$seq" = 0 ] || unchecked "no tree before the first entry, to hold against a checkpoint"
append() { # LEAF of the entry at seq
  local rest=$((seq - 1)) top
  sum=$1
  while [ $((rest & 1)) = 1 ]; do
    top=$((${#stack[@]} - 1)); node "${stack[top]}" "$sum"; unset "stack[$top]"; rest=$((rest >> 1))
  done
  stack+=("$sum")
}
tree() { # sets sum: the root
  local at=$((${#stack[@]} - 1))
  if [ "$at" -lt 0 ]; then sha </dev/null; return; fi
  sum=${stack[at]}
  while [ "$at" -gt 0 ]; do at=$((at - 1)); node "${stack[at]}" "$sum"; done
}
fits() { # the tree is the one of the checkpoint seen before, if it has its size
  [ "$seq" = "$seen_size" ] || return 0
  tree; [ "$sum" = "$seen_root" ] || tampered "entry $seq: not the log of the checkpoint seen before: rewritten"
}
[ "$seq" -gt 0 ] || [ "$prev" = "$(printf '0%.0s' {1..64})" ] || tampered "does not begin with nothing before entry 1"
[ "$known" = "$seq:$prev" ] && found=""
fits
[ -z "$(tail -c 1 "$file")" ] || tampered "the file ends in the middle of a line"
# jq would read bytes that are no UTF-8, and lone surrogates, as U+FFFD, and so find the right hash.
iconv -f UTF-8 -t UTF-8 "$file" >/dev/null 2>&1 || tampered "bytes that are no UTF-8"
surrogate=$(grep -nE '(^|[^\])(\\\\)*\\u[dD][89abABcdefCDEF]' "$file") && tampered "a lone surrogate in line ${surrogate%%:*}"
# One line for each line, by one jq for all: an entry's sequence number, hashes, number of redacted texts, texts (salt,
# text, hash), payload; a checkpoint's note; the last line as it stands; or nothing, for what is malformed.
entry='def number: if type == "number" then tostring else error end;
  (.payload | fromjson) as $p | [$p.details[] | objects | .textHash // empty] as $all | [.texts[].hash] as $here
  | select(($p | keys) == '"$fields"' and $p.v == 1 and ($here | unique | length) == ($here | length) and $here - $all == []
    and all(.texts[]; .salt | test("^[0-9a-f]{32}\\z")) and all(.prevHash, .hash; test("^[0-9a-f]{64}\\z"))
    and (.payload | test("^[{][^\n]*[}]\\z")))
  | ["entry", (.seq | number), .prevHash, .hash, ($all - $here | length | tostring), ($here | length | tostring)]
    + [.texts[] | .salt, "=" + (.text | @base64), .hash] + [.payload] | join(" ")'
lines='. as $raw | ((fromjson | if has("head") then "last " + $raw
  elif has("checkpoint") then "checkpoint " + (.checkpoint | if test("\u0000") then error else @base64 end) else ('"$entry"') end)? // "malformed")'
while read -r kind rest; do
  [ -z "$last" ] || tampered "lines after the last"
  case $kind in
    last) last=$rest; continue ;;
    checkpoint)
      note=$(openssl base64 -d -A <<<"$rest" && echo x)
      parse "$note" || tampered "entry $((seq + 1)): $why"
      [ "$covered" = yes ] && [ "$size" = "$seq" ] || tampered "entry $((seq + 1)): a checkpoint that is not of the entries before it"
      tree; [ "$sum" = "$root" ] || tampered "entry $seq: the entries are not those of the checkpoint: rewritten"
      checkpoints=$((checkpoints + 1))
      if [ -n "$keys" ]; then believe "$note" || tampered "entry $seq: checkpoint: $why"; trusted=$((trusted + 1)); fi
      continue ;;
    entry) ;;
    *) tampered "entry $((seq + 1)): malformed, or not with its own texts" ;;
  esac
  read -r number before hash gone texts rest <<<"$rest"
  [ "$number" = $((seq + 1)) ] || tampered "entry $((seq + 1)): missing, doubled or displaced: here stands $number"
  seq=$number; [ "$before" = "$prev" ] || tampered "entry $seq: does not follow the entry before it"
  for ((i = 0; i < texts; i++)); do
    read -r salt encoded expected rest <<<"$rest"
    sha < <(bytes "$salt"; openssl base64 -d -A <<<"${encoded#=}")
    [ "$sum" = "$expected" ] || tampered "entry $seq: a text was edited"
  done
  printf -v position %016x "$seq"
  sha < <(printf '\0%s' "$rest"); leaf=$sum
  sha < <(bytes "01$prev$position$leaf"); prev=$sum
  [ "$hash" = "$prev" ] || tampered "entry $seq: payload or hash was edited"
  redacted=$((redacted + gone)); [ "$known" = "$seq:$prev" ] && found=""
  [ -z "$growing" ] || { append "$leaf"; fits; }
done < <(tail -n +2 "$file" | jq -Rr "$lines")
[ "$last" = "{\"head\":{\"seq\":$seq,\"hash\":\"$prev\"},\"count\":$((seq - start))}" ] || tampered "cut off behind entry $seq, or the last line is forged"
[ -z "$found" ] || tampered "the head seen before (${known%%:*}) is not in this log"
[ -z "$seen_size" ] || [ "$seen_size" -le "$seq" ] || tampered "cut off behind entry $seq: the checkpoint seen before has $seen_size entries"
fit=""; [ "$covered" = no ] || fit=", $checkpoints checkpoints fit, $trusted signed"
echo "intact: $((seq - start)) entries, $redacted texts redacted$fit, head $seq:$prev"
