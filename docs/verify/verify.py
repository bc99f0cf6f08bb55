#!/usr/bin/env python3
"""Verifies evidence from a jitsudo audit log (docs/spec/audit.md) without any code of jitsudo.

    verify.py PATH [SEQ:HASH] [--keys FILE] [--seen CHECKPOINT]

PATH is an export (NDJSON), a receipt (.tlog-proof) or a directory of tiles. SEQ:HASH is a head of the chain seen before.
FILE has the log's public keys, one a line, each with the sizes that it speaks for if it was exchanged: receipts and tiles
need it. CHECKPOINT is a signed checkpoint seen before, which must fit what is verified.

Exit code: 0 intact or proved, 1 tampered with, 2 could not check. Needs nothing but Python 3."""
import base64, hashlib, json, os, re, sys

FIELDS = {"v", "time", "actor", "action", "outcome", "requestId", "provider", "role", "resourceScope", "details"}
PROOF = b"c2sp.org/tlog-proof@v1\n"
sha = lambda data: hashlib.sha256(data).digest()
leaf_of = lambda payload: sha(b"\0" + payload)
node = lambda left, right: sha(b"\1" + left + right)

def check(good, seq, why):
    if not good: print(f"TAMPERED: entry {seq}: {why}"); sys.exit(1)

def unchecked(why):
    print(f"NOT CHECKED: {why}", file=sys.stderr); sys.exit(2)

# --- Ed25519 (RFC 8032, section 5.1), verification only: clear rather than fast, and nothing in it is secret.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P

def add(p, q):  # extended coordinates: X, Y, Z, T
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)

def times(n, p):
    total = (0, 1, 1, 0)
    while n > 0:
        if n & 1: total = add(total, p)
        p, n = add(p, p), n >> 1
    return total

def point(encoded):
    y, sign = int.from_bytes(encoded, "little") & (1 << 255) - 1, encoded[31] >> 7
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P: x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or y >= P or (x == 0 and sign): return None
    if x & 1 != sign: x = P - x
    return (x, y, 1, x * y % P)

def encoded(p):
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")

BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

def signed(key, message, signature):
    a, s = point(key), int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or s >= L: return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    minus_a = (P - a[0], a[1], 1, P - a[3])
    return encoded(add(times(s, BASE), times(k, minus_a))) == signature[:32]

# --- Signed notes, checkpoints, and the log's keys (c2sp.org/signed-note, c2sp.org/tlog-checkpoint).
def unbase64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text: raise ValueError("base64 in another spelling")
    return data

def read_keys(path):
    keys = []
    for line in open(path, encoding="utf-8"):
        if line.strip() == "" or line.strip().startswith("#"): continue
        vkey, *sizes = line.split()
        name, key_id, key = vkey.split("+", 2)
        key = unbase64(key)
        if len(key) != 33 or key[0] != 1 or sha(name.encode() + b"\n" + key)[:4].hex() != key_id: raise ValueError(f"no key: {line}")
        first, last = re.fullmatch(r"(\d*)-(\d*)", sizes[0] if sizes else "-").groups()
        keys.append((name, key_id, key[1:], int(first or 0), int(last or 2**53)))
    if not keys: raise ValueError("no key")
    return keys

def parse_checkpoint(note):
    """Size, root, the text that is signed, and the signatures as name, key id, signature."""
    text, separator, signatures = note.rpartition("\n\n")
    if not separator or not signatures.endswith("\n") or re.search("[\0-\t\x0b-\x1f]", note): raise ValueError("no signed note")
    origin, size, root, *extensions = text.split("\n")
    root = unbase64(root)
    if not origin or not re.fullmatch("0|[1-9][0-9]*", size) or len(root) != 32 or "" in extensions: raise ValueError("no checkpoint")
    found = []
    for line in signatures[:-1].split("\n"):
        dash, name, signature = line.split(" ")
        if dash != "\u2014" or len(unbase64(signature)) < 5 or not name or "+" in name: raise ValueError("no signature line")
        found.append((name, unbase64(signature)[:4].hex(), unbase64(signature)[4:]))
    return origin, int(size), root, (text + "\n").encode(), found

def believe(note, keys):
    """Size and root, if a key of the log that speaks for the size signed them, and none of its keys' signatures is wrong."""
    origin, size, root, text, found = parse_checkpoint(note)
    known = {(name, key_id): (key, first, last) for name, key_id, key, first, last in keys if name == origin}
    speaks = False
    for name, key_id, signature in found:
        if (name, key_id) not in known: continue
        key, first, last = known[name, key_id]
        if not signed(key, text, signature): raise ValueError(f"the signature of {name}+{key_id} is not one of this checkpoint")
        speaks = speaks or first <= size <= last
    if not speaks: raise ValueError("no key of the log that speaks for this size signed this checkpoint")
    return size, root

# --- The tree (RFC 6962, section 2.1), one hash for each bit of its size.
class Tree:
    def __init__(self, size=0, hashes=()):
        self.size, self.hashes = size, list(hashes)
        if bin(size).count("1") != len(self.hashes) or any(len(one) != 32 for one in self.hashes): raise ValueError("no tree")
    def append(self, leaf):
        rest = self.size
        while rest & 1: leaf, rest = node(self.hashes.pop(), leaf), rest >> 1
        self.hashes.append(leaf); self.size += 1
    def root(self):
        if not self.hashes: return sha(b"")
        root = self.hashes[-1]
        for left in reversed(self.hashes[:-1]): root = node(left, root)
        return root

def fits(tree, seen):
    """The tree is the one of the checkpoint seen before, if it has its size."""
    check(not seen or tree.size != seen[0] or tree.root() == seen[1], tree.size, "not the log of the checkpoint seen before: rewritten")

def check_payload(payload, seq):
    payload = json.loads(payload)
    check(set(payload) == FIELDS and payload["v"] == 1, seq, "no payload of format 1")
    return payload

def verify_export(file, known, keys, seen):
    try:
        first = json.loads(file.readline())
        if (first["format"], first["v"]) != ("jitsudo-audit", 1): raise ValueError("another format or version")
        seq, prev, covered = first["from"] - 1, first["prevHash"], "tree" in first
        tree = Tree(seq, map(bytes.fromhex, first["tree"])) if covered else Tree() if seen and seq == 0 else None
        if seen and tree is None: raise ValueError("no tree before the first entry: nothing can be held against a checkpoint")
    except Exception as error: unchecked(error)
    check(seq > 0 or prev == "0" * 64, 1, "does not begin with nothing before it")
    start, last, redacted, found, checkpoints, trusted = seq, None, 0, known in (None, f"{seq}:{prev}"), 0, 0
    if tree: fits(tree, seen)
    try:
        for raw in file:
            line = json.loads(raw.decode()); check(last is None and raw.endswith(b"\n"), seq + 1, "lines after the last, or half a line")
            if "head" in line: last = line; continue
            if "checkpoint" in line:
                _, size, root, *_ = parse_checkpoint(line["checkpoint"])
                check(covered and size == seq, seq + 1, "a checkpoint that is not of the entries before it")
                check(root == tree.root(), seq, "the entries are not those of the checkpoint: rewritten"); checkpoints += 1
                if not keys: continue
                try: believe(line["checkpoint"], keys); trusted += 1
                except ValueError as error: check(False, seq, f"checkpoint: {error}")
                continue
            check(line["seq"] == seq + 1, seq + 1, f"missing, doubled or displaced: here stands {line['seq']}"); seq += 1
            check(line["prevHash"] == prev, seq, "does not follow the entry before it")
            leaf = leaf_of(line["payload"].encode())
            prev = sha(b"\1" + bytes.fromhex(prev) + seq.to_bytes(8, "big") + leaf).hex()
            check(line["hash"] == prev, seq, "payload or hash was edited"); payload = check_payload(line["payload"], seq)
            open_texts = {d["textHash"] for d in payload["details"].values() if isinstance(d, dict) and "textHash" in d}
            for t in line["texts"]:
                check(re.fullmatch("[0-9a-f]{32}", t["salt"]) and t["hash"] in open_texts
                      and sha(bytes.fromhex(t["salt"]) + t["text"].encode()).hex() == t["hash"], seq, "a text was edited")
                open_texts.remove(t["hash"])
            redacted += len(open_texts); found = found or known == f"{seq}:{prev}"
            if tree: tree.append(leaf); fits(tree, seen)
    except (ValueError, KeyError, TypeError, AttributeError) as error: check(False, seq + 1, f"malformed: {error}")
    check(last == {"head": {"seq": seq, "hash": prev}, "count": seq - start}, seq + 1, "cut off, or the last line is forged")
    check(found, known and known.split(":")[0], "the head seen before is not in this log")
    check(not seen or seen[0] <= seq, seq + 1, f"cut off: the checkpoint seen before has {seen and seen[0]} entries")
    fit = f", {checkpoints} checkpoints fit, {trusted} signed" if covered else ""
    print(f"intact: {seq - start} entries, {redacted} texts redacted{fit}, head {seq}:{prev}")

def verify_receipt(text, keys):
    try:
        lines, _, note = text.decode().partition("\n\n")
        _, extra, index, *proof = lines.split("\n")
        if not extra.startswith("extra ") or not re.fullmatch("index (0|[1-9][0-9]*)", index): raise ValueError("no receipt of an entry")
        payload, index, proof = unbase64(extra[6:]), int(index[6:]), [unbase64(line) for line in proof]
        if any(len(one) != 32 for one in proof): raise ValueError("a hash of the proof is none")
        size, root = believe(note, keys)
        check_payload(payload.decode(), index + 1)
    except (ValueError, TypeError, AttributeError) as error: check(False, "of the receipt", error)
    check(index < size, index + 1, f"not in a tree of size {size}")
    at, last, hash = index, size - 1, leaf_of(payload)  # RFC 9162, section 2.1.3.2
    for one in proof:
        check(last > 0, index + 1, "the proof is too long")
        if at & 1 or at == last:
            hash = node(one, hash)
            while at and not at & 1: at, last = at >> 1, last >> 1
        else: hash = node(hash, one)
        at, last = at >> 1, last >> 1
    check(last == 0 and hash == root, index + 1, "not in the tree of the checkpoint")
    print(f"proved: entry {index + 1} is in the log at size {size}:\n{payload.decode()}")

def verify_tiles(directory, known, keys, seen):
    read = lambda path: open(os.path.join(directory, path), "rb").read()
    try: note = read("checkpoint").decode()
    except Exception as error: unchecked(error)
    try: size, root = believe(note, keys)
    except ValueError as error: check(False, 1, f"checkpoint: {error}")
    check(not seen or seen[0] <= size, size + 1, f"cut off: the checkpoint seen before has {seen and seen[0]} entries")
    def path_of(level, index, width):
        parts = [f"{index % 1000:03}"]
        while index >= 1000: index //= 1000; parts.insert(0, f"x{index % 1000:03}")
        return f"tile/{level}/{'/'.join(parts)}" + (f".p/{width}" if width < 256 else "")
    def file_of(level, index, width, seq):
        try: return read(path_of(level, index, width))
        except OSError: check(False, seq, f"no file {path_of(level, index, width)}")
    tree, prev, found, levels = Tree(), b"\0" * 32, known in (None, "0:" + "0" * 64), []
    def place(hash, level):
        if level == len(levels): levels.append([])
        levels[level].append(hash)
        if len(levels[level]) < 256: return
        compare(level, (tree.size >> 8 * (level + 1)) - 1)
        top = Tree()
        for one in levels[level]: top.append(one)
        levels[level] = []; place(top.root(), level + 1)
    def compare(level, index):
        hashes = levels[level]
        check(file_of(level, index, len(hashes), tree.size) == b"".join(hashes), tree.size, f"not those of tile {path_of(level, index, len(hashes))}")
    fits(tree, seen)
    for start in range(0, size, 256):
        width = min(256, size - start)
        bundle, at = file_of("entries", start // 256, width, start + 1), 0
        for seq in range(start + 1, start + width + 1):
            end = at + 2 + int.from_bytes(bundle[at:at + 2], "big")
            payload, at = bundle[at + 2:end], end
            check(end <= len(bundle), seq, "missing: the bundle ends before it")
            try: check_payload(payload.decode(), seq)
            except (ValueError, TypeError) as error: check(False, seq, f"malformed: {error}")
            leaf = leaf_of(payload); tree.append(leaf); place(leaf, 0)
            prev = sha(b"\1" + prev + seq.to_bytes(8, "big") + leaf)
            found = found or known == f"{seq}:{prev.hex()}"; fits(tree, seen)
        check(at == len(bundle), start + width, "more in the bundle than the tree has")
    check(tree.root() == root, size, "the entries are not those of the checkpoint")
    for level, hashes in enumerate(levels):
        if hashes: compare(level, (size >> 8 * level) // 256)
    check(found, known and known.split(":")[0], "the head seen before is not in this log")
    print(f"intact: {size} entries, 0 texts redacted, 1 checkpoints fit, 1 signed, head {size}:{prev.hex()}")

def main(path, known=None, *more, keys=None, seen=None):
    try:
        keys = read_keys(keys) if keys else []
        seen = believe(open(seen, newline="", encoding="utf-8").read(), keys) if seen else None
        file = None if os.path.isdir(path) else open(path, "rb")
        receipt = file is not None and file.read(len(PROOF)) == PROOF
        if not keys and (file is None or receipt): raise ValueError("receipts and tiles need --keys")
        if file is None: return verify_tiles(path, known, keys, seen)
        if receipt: return verify_receipt(PROOF + file.read(), keys)
        file.seek(0)
    except (OSError, ValueError, AttributeError) as error: unchecked(error)
    verify_export(file, known, keys, seen)

words, options = sys.argv[1:], {}
for name in ("keys", "seen"):
    if f"--{name}" in words: at = words.index(f"--{name}"); options[name] = (words[at + 1:at + 2] or [""])[0]; del words[at:at + 2]
if not 1 <= len(words) <= 2: print(__doc__, file=sys.stderr); sys.exit(2)
main(*words, **options)
