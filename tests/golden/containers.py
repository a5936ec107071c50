#!/usr/bin/env python3
"""containers.py - files that hold tensors, and files that lie about it.

usage: containers.py OUT      writes OUT/*.npz, OUT/shards/, and OUT/bad/ with OUT/bad.tsv (file, what is said of it)

numpy, the safetensors library and zipfile write the good ones; the bad ones are those with a few bytes changed.
All dates are fixed, so that the same files come out again.
"""
import io, json, os, struct, sys, zipfile
import numpy as np
from safetensors.numpy import save_file

out = sys.argv[1]
for d in ("", "bad", "shards", "bad/shards"):
    os.makedirs(f"{out}/{d}", exist_ok=True)
bad = []


def arrays():
    return {
        "W": (np.arange(12, dtype=np.float32) / 4).reshape(3, 4),
        "F": np.asfortranarray((np.arange(15, dtype=np.float64) / 8).reshape(3, 5)),
        "F3": np.asfortranarray(np.arange(24, dtype=np.int16).reshape(2, 3, 4)),
        "half": np.array([1.5, -2, 65504], np.float16),
        "scalar": np.array(-7, np.int64),
        "flag": np.array([True, False]),
        "empty": np.zeros((0, 4), np.float32),
        "bytes": np.array([1, 2, 255], np.uint8),
        "text": np.array("relu"),
    }


def npy(a, version=None):
    f = io.BytesIO()
    np.lib.format.write_array(f, a, version=version)
    return f.getvalue()


def header(text, data=b"", version=1, length=None):
    """A .npy with this dictionary, whatever it says."""
    text = text.encode() + b" " * (-(len(text) + 11) % 64) + b"\n"
    n = len(text) if length is None else length
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", n) + text + data


class Unseekable(io.RawIOBase):
    def __init__(self):
        self.b = b""

    def writable(self):
        return True

    def write(self, p):
        self.b += bytes(p)
        return len(p)


def pack(entries, deflate=False, stream=False, zip64=False):
    f = Unseekable() if stream else io.BytesIO()
    with zipfile.ZipFile(f, "w") as z:
        for name, data in entries:
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
            with z.open(info, "w", force_zip64=zip64) as o:
                o.write(data)
    return f.b if stream else f.getvalue()


def write(name, data):
    with open(f"{out}/{name}", "wb") as f:
        f.write(data)


def wrong(name, data, says):
    write(f"bad/{name}", data)
    bad.append((name, says))


def patch(data, at, fmt, *values):
    b = bytearray(data)
    struct.pack_into(fmt, b, at, *values)
    return bytes(b)


good = [(k + ".npy", npy(a)) for k, a in arrays().items()]
write("plain.npz", pack(good, zip64=True))
write("packed.npz", pack(good, deflate=True, zip64=True))
write("streamed.npz", pack(good, deflate=True, stream=True))
W = arrays()["W"]
write("versions.npz", pack([(f"v{v}.npy", npy(W, (v, 0))) for v in (1, 2, 3)] +
                           [("notes.txt", b"no array"), ("py2.npy",
                             header("{'shape': (3L, 4L), 'descr': '<f4', 'fortran_order': False}", W.tobytes()))]))

one = [("W.npy", npy(W))]
z, zd = pack(one), pack(one, deflate=True)
central, central_d = z.index(b"PK\1\2"), zd.index(b"PK\1\2")
wrong("cut.npz", z[:-30], "cut short or damaged")
wrong("half.npz", z[:100], "cut short or damaged")
wrong("empty.npz", b"PK\5\6" + bytes(18), "is an empty zip file")
wrong("encrypted.npz", patch(patch(z, central + 8, "<H", 1), 6, "<H", 1), "entry 'W.npy' is encrypted")
wrong("method.npz", patch(patch(z, central + 10, "<H", 14), 8, "<H", 14), "entry 'W.npy' is packed by method 14")
wrong("local.npz", patch(z, 0, "<I", 0x04034b51), "is none of")
wrong("local-size.npz", patch(z, 18, "<I", 7), "entry 'W.npy' is not where the directory says")
wrong("local-name.npz", patch(z, 26, "<H", 700), "entry 'W.npy' is not where the directory says")
wrong("sizes.npz", patch(patch(z, central + 24, "<I", 400), 22, "<I", 400), "its two sizes differ")
huge = patch(patch(z, central + 20, "<II", 1 << 30, 1 << 30), 18, "<II", 1 << 30, 1 << 30)
wrong("beyond.npz", huge, "entry 'W.npy' reaches beyond the end of the file")
wrong("bomb.npz", patch(patch(zd, central_d + 24, "<I", 1 << 30), 22, "<I", 1 << 30), "more than deflate can")
wrong("counts.npz", patch(z, len(z) - 22 + 8, "<HH", 2, 2), "counts 2 entries and lists 1")
twice = pack([("W.npy", npy(W)), ("V.npy", npy(W))])
end = len(twice) - 22
wrong("uncounted.npz", patch(twice, end + 8, "<HH", 1, 1), "counts 1 entries and lists more than 1")
wrong("twice.npz", twice.replace(b"V.npy", b"W.npy"), "entry 'W.npy' is there twice")
# a zip in a zip, whose outer directory lists the inner entry too
nested = pack([("A.npy", pack(one))])
start = nested.rindex(b"PK\1\2")
inner = bytearray(z[central:-22])
struct.pack_into("<I", inner, 42, nested.index(b"PK\3\4", 4))
end = bytearray(nested[-22:])
struct.pack_into("<HHI", end, 8, 2, 2, len(nested) - 22 - start + len(inner))
wrong("overlap.npz", nested[:-22] + bytes(inner) + bytes(end), "entry 'W.npy' overlaps another")

f4 = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }"
for name, data, says in [
    ("magic", b"NUMPY" * 20, "array 'W' is no .npy array"),
    ("version", header(f4 % "(1,)", bytes(4), 4), "version 4.0"),
    ("short", b"\x93NUMPY\1\0", "array 'W' is no .npy array"),
    ("long", header(f4 % "(1,)", bytes(4), 1, 9999), "header is not whole"),
    ("longer", header(f4 % "(1,)", bytes(4), 2, 1 << 30), "would be 1073741824 bytes long"),
    ("negative", header(f4 % "(-1,)", bytes(4)), "'shape' in its .npy header has a negative size"),
    ("fraction", header(f4 % "(1.5,)", bytes(4)), "'shape' in its .npy header is not a tuple"),
    ("number", header(f4 % "(4)", bytes(16)), "'shape' in its .npy header is not a tuple"),
    ("large", header(f4 % "(4294967296, 4294967296, 4)", bytes(4)), "'shape' in its .npy header is too large"),
    ("larger", header(f4 % "(99999999999999999999999,)", bytes(4)), "'shape' in its .npy header is too large"),
    ("bytes", header(f4 % "(4611686018427387904,)", b""), "do not fit its dtype and shape"),
    ("dims", header(f4 % "(1,1,1,1,1,1,1,1,1)", bytes(4)), "more than 8 dimensions"),
    ("few", header(f4 % "(3, 4)", bytes(44)), "44 bytes of data, which do not fit"),
    ("many", header(f4 % "(3, 4)", bytes(52)), "52 bytes of data, which do not fit"),
    ("big-endian", npy(W.astype(">f4")), "big-endian"),
    ("complex", npy(W.astype(np.complex64)), "is '<c8', a type that is not read here"),
    ("record", npy(np.zeros(2, [("a", "<f4")])), "is a structure"),
    ("call", header("{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }"), "'descr'"),
    ("order", header("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,), }", bytes(4)), "neither True nor False"),
    ("unknown", header("{'descr': '<f4', 'hook': 1, 'shape': (1,), }", bytes(4)), "'hook' in its .npy header is unknown"),
    ("missing", header("{'descr': '<f4', 'shape': (1,), }", bytes(4)), "'fortran_order' in its .npy header is missing"),
    ("again", header("{'descr': '<f4', 'descr': '<f4', }", bytes(4)), "'descr' in its .npy header is there twice"),
    ("after", header(f4 % "(1,)" + "+1", bytes(4)), "followed by something else"),
    ("list", header("['<f4']", bytes(4)), "the dictionary in its .npy header is missing"),
]:
    wrong(f"npy-{name}.npz", pack([("W.npy", data)]), says)

# seen when the data are asked for, or by verify; large enough that a look at the header does not see all
zeros, half = npy(np.zeros((256, 256), np.float32)), npy(np.zeros((256, 128), np.float32))


def resized(entry, size):
    lie = pack([("W.npy", entry)], deflate=True)
    return patch(patch(lie, lie.index(b"PK\1\2") + 24, "<I", size), 22, "<I", size)


write("bad/late-more.npz", resized(half[:128] + zeros[128:], len(half)))
write("bad/late-fewer.npz", resized(zeros[:-1024], len(zeros)))
lie = pack([("W.npy", zeros)], deflate=True)
write("bad/late-crc.npz", patch(patch(lie, lie.index(b"PK\1\2") + 16, "<I", 1), 14, "<I", 1))
write("bad/late-stored-crc.npz", patch(z, 30 + 5 + 128 + 3, "B", 9))
lie = pack([("W.npy", npy(np.random.default_rng(1).integers(0, 3, 65536).astype(np.uint8)))], deflate=True)
write("bad/late-damaged.npz", lie[:-200] + bytes(60) + lie[-140:])
small = npy(np.zeros((64, 64), np.float32))
wrong("more.npz", resized(small, len(small) - 4), "entry 'W.npy' inflates to more bytes than it declares")
wrong("fewer.npz", resized(small, len(small) + 4), "entry 'W.npy' inflates to fewer bytes than it declares")

# a safetensors index, its shards, and what can be wrong with them
a, b = {"W": W, "k": np.array(5, np.int32)}, {"V": W + 1}


def index(folder, name, weight_map, **more):
    with open(f"{out}/{folder}/{name}", "w") as f:
        json.dump({"metadata": {"total_size": 100, "format": "pt"}, "weight_map": weight_map, **more}, f, indent=1)


save_file(a, f"{out}/shards/m-00001-of-00002.safetensors")
save_file(b, f"{out}/shards/m-00002-of-00002.safetensors")
save_file(a, f"{out}/bad/shards/1.safetensors")
save_file(b, f"{out}/bad/shards/2.safetensors")
save_file({"V": W, "X": W}, f"{out}/bad/shards/3.safetensors")
index("shards", "m.safetensors.index.json", {"W": "m-00001-of-00002.safetensors", "k": "m-00001-of-00002.safetensors",
                                             "V": "m-00002-of-00002.safetensors"})
for name, weight_map, says in [
    ("missing", {"W": "1.safetensors", "V": "9.safetensors"}, "9.safetensors"),
    ("outside", {"W": "../plain.npz"}, "tensor 'W' in '../plain.npz', which is not a file beside it"),
    ("absolute", {"W": "/etc/passwd"}, "which is not a file beside it"),
    ("dots", {"W": ".."}, "which is not a file beside it"),
    ("not-text", {"W": 7}, "which is not a file beside it"),
    ("elsewhere", {"W": "2.safetensors"}, "tensor 'W' is not in shard '2.safetensors'"),
    ("nowhere", {"Z": "1.safetensors"}, "tensor 'Z' is not in shard '1.safetensors'"),
    ("two", {"W": "1.safetensors", "V": "2.safetensors", "X": "3.safetensors"}, "tensor 'V' is in two shards"),
    ("none", {}, "has no weight_map"),
]:
    index("bad/shards", f"{name}.json", weight_map)
    bad.append((f"shards/{name}.json", says))
write("bad/shards/list.json", b'{"weight_map": ["1.safetensors"]}')
bad.append(("shards/list.json", "has no weight_map"))
write("bad/shards/cut.json", b'{"weight_map": {"W": "1.safe')
bad.append(("shards/cut.json", "is not valid JSON"))

for name, data, says in [
    ("old.pt", b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.", "before torch 1.6"),
    ("bare.pkl", b"\x80\x04}.", "begins as a bare pickle"),
    ("one.npy", npy(W), "is a single .npy array"),
    ("model.gguf", b"GGUF\3\0\0\0" + bytes(16), "is a GGUF file"),
    ("lfs.npz", b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "is a git-lfs pointer"),
    ("packed.gz", b"\x1f\x8b" + bytes(20), "is packed by gzip"),
    ("nothing", b"", "too short"),
    ("text.txt", b"These are no tensors at all.\n", "is none of"),
]:
    wrong(name, data, says)
with open(f"{out}/bad.tsv", "w") as f:
    f.writelines(f"{n}\t{s}\n" for n, s in bad)
