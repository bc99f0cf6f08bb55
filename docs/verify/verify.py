#!/usr/bin/env python3
"""Verifies an export of a jitsudo audit log (docs/spec/audit.md). Usage: verify.py FILE [SEQ:HASH of a head seen before]
Exit code: 0 intact, 1 tampered with, 2 could not check. Needs nothing but Python 3."""
import hashlib, json, re, sys
FIELDS = {"v", "time", "actor", "action", "outcome", "requestId", "provider", "role", "resourceScope", "details"}
sha = lambda data: hashlib.sha256(data).digest()
def check(good, seq, why):
    if not good: print(f"TAMPERED: entry {seq}: {why}"); sys.exit(1)
try:
    file, known = open(sys.argv[1], "rb"), sys.argv[2] if len(sys.argv) > 2 else None
    first = json.loads(file.readline())
    if (first["format"], first["v"]) != ("jitsudo-audit", 1): raise ValueError("another format or version")
    seq, prev = first["from"] - 1, first["prevHash"]
    check(seq > 0 or prev == "0" * 64, 1, "does not begin with nothing before it")
except Exception as error:
    print(f"NOT CHECKED: {error}", file=sys.stderr); sys.exit(2)
start, last, redacted, found = seq, None, 0, known in (None, f"{seq}:{prev}")
try:
    for raw in file:
        line = json.loads(raw.decode()); check(last is None and raw.endswith(b"\n"), seq + 1, "lines after the last, or half a line")
        if "head" in line: last = line; continue
        check(line["seq"] == seq + 1, seq + 1, f"missing, doubled or displaced: here stands {line['seq']}"); seq += 1
        check(line["prevHash"] == prev, seq, "does not follow the entry before it")
        prev = sha(b"\1" + bytes.fromhex(prev) + seq.to_bytes(8, "big") + sha(b"\0" + line["payload"].encode())).hex()
        check(line["hash"] == prev, seq, "payload or hash was edited"); payload = json.loads(line["payload"])
        check(set(payload) == FIELDS and payload["v"] == 1, seq, "no payload of format 1")
        open_texts = {d["textHash"] for d in payload["details"].values() if isinstance(d, dict) and "textHash" in d}
        for t in line["texts"]:
            check(re.fullmatch("[0-9a-f]{32}", t["salt"]) and t["hash"] in open_texts
                  and sha(bytes.fromhex(t["salt"]) + t["text"].encode()).hex() == t["hash"], seq, "a text was edited")
            open_texts.remove(t["hash"])
        redacted += len(open_texts); found = found or known == f"{seq}:{prev}"
except (ValueError, KeyError, TypeError, AttributeError) as error: check(False, seq + 1, f"malformed: {error}")
check(last == {"head": {"seq": seq, "hash": prev}, "count": seq - start}, seq + 1, "cut off, or the last line is forged")
check(found, known and known.split(":")[0], "the head seen before is not in this log")
print(f"intact: {seq - start} entries, {redacted} texts redacted, head {seq}:{prev}")
