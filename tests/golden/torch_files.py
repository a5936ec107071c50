#!/usr/bin/env python3
"""torch_files.py - zip files as torch.save writes them, and some that lie, without torch.

usage: torch_files.py OUT     writes OUT/*.pt and OUT/bad.tsv (file, what is said of it)

Python's own pickler writes data.pkl.  Stub modules stand for torch's, so that it emits what it emits for torch's
classes: the same globals, tuples and persistent ids (torch/_utils.py, torch/serialization.py).  The zip is laid out
as torch's writer does: data at multiples of 64 by an extra field "FB", sizes in a descriptor after the data.
"""
import collections, io, os, pickle, struct, sys, types, zlib
import numpy as np

out = sys.argv[1]
os.makedirs(f"{out}/bad", exist_ok=True)
bad = []


def module(name):
    m = sys.modules[name] = types.ModuleType(name)
    return m


def function(mod, name):
    def f(*args):
        raise RuntimeError("stub")
    f.__module__, f.__name__, f.__qualname__ = mod.__name__, name, name
    setattr(mod, name, f)
    return f


def cls(mod, name, **body):
    c = type(name, (body.pop("base", object),), body)
    c.__module__, c.__qualname__ = mod.__name__, name
    setattr(mod, name, c)
    return c


torch, utils, storage_module = module("torch"), module("torch._utils"), module("torch.storage")
linear, mine = module("torch.nn.modules.linear"), module("my_dictionaries")
v2, v3 = function(utils, "_rebuild_tensor_v2"), function(utils, "_rebuild_tensor_v3")
rebuild_parameter = function(utils, "_rebuild_parameter")
rebuild_q = function(utils, "_rebuild_qtensor")
KINDS = {"f4": "FloatStorage", "f8": "DoubleStorage", "f2": "HalfStorage", "bf16": "BFloat16Storage", "i8": "LongStorage",
         "i4": "IntStorage", "i2": "ShortStorage", "i1": "CharStorage", "u1": "ByteStorage", "b1": "BoolStorage",
         "f8e4": "Float8_e4m3fnStorage"}
CLASSES = {k: cls(torch, n) for k, n in KINDS.items()}
untyped = cls(storage_module, "UntypedStorage")


class Named:
    """A global that is not a class, as torch.uint16 is one."""
    __module__ = "torch"

    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return self.name


setattr(torch, "uint16", Named("uint16"))
cls(torch, "Size", base=tuple, __reduce__=lambda self: (torch.Size, (tuple(self),)))


class Storage:
    def __init__(self, kind, data, count=None, key=None, typename=None):
        self.kind, self.data, self.key, self.typename = kind, data, key, typename
        size = {"bf16": 2, "f8e4": 1}.get(kind) or np.dtype(kind if kind != "raw" else "u1").itemsize
        self.count = len(data) // size if count is None else count


class Tensor:
    def __init__(self, storage, offset, size, stride, dtype=None, how=v2):
        self.args = (storage, offset, size, stride, False, collections.OrderedDict())
        self.dtype, self.how = dtype, how

    def __reduce_ex__(self, protocol):
        if self.dtype is not None:
            return v3, self.args + (self.dtype,)
        return self.how, self.args


class Parameter:
    def __init__(self, t):
        self.t = t

    def __reduce_ex__(self, protocol):
        return rebuild_parameter, (self.t, True, collections.OrderedDict())


def tensor(a, kind=None, key=None):
    kind = kind or a.dtype.str[1:]
    stride, n = [], 1
    for s in reversed(a.shape):
        stride.insert(0, n)
        n *= s
    return Tensor(Storage(kind, a.tobytes(), key=key), 0, tuple(a.shape), tuple(stride))


class Pickler(pickle._Pickler):
    def __init__(self, f, protocol):
        super().__init__(f, protocol)
        self.storages, self.n = {}, 0

    def persistent_id(self, x):
        if not isinstance(x, Storage):
            return None
        if id(x) not in self.storages:
            self.storages[id(x)] = (x.key or str(self.n), x)
            self.n += 1
        key = self.storages[id(x)][0]
        return ("storage", CLASSES.get(x.kind, untyped) if x.typename is None else x.typename, key, "cpu", x.count)


def dump(x, protocol=2):
    f = io.BytesIO()
    p = Pickler(f, protocol)
    p.dump(x)
    return f.getvalue(), {key: s.data for key, s in p.storages.values()}


def torch_zip(entries, aligned=True):
    data, central = b"", b""
    for name, body in entries:
        name, crc, at = name.encode(), zlib.crc32(body), len(data)
        pad = (-(at + 30 + len(name) + 4)) % 64 if aligned else 0
        extra = b"FB" + struct.pack("<H", pad) + b"Z" * pad if aligned else b""
        data += struct.pack("<IHHHHHIIIHH", 0x04034b50, 0, 0x0808, 0, 0, 0, 0, 0, 0, len(name), len(extra)) + name + extra
        data += body + struct.pack("<IIII", 0x08074b50, crc, len(body), len(body))
        central += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014b50, 0, 0, 0x0808, 0, 0, 0, crc, len(body), len(body),
                               len(name), 0, 0, 0, 0, 0, at) + name
    n = len(entries)
    return data + central + struct.pack("<IHHHHIIH", 0x06054b50, 0, 0, n, n, len(central), len(data), 0)


def save(name, x, protocol=2, order=b"little", drop=(), folder="archive", pkl=None, storages=None):
    p, s = dump(x, protocol) if pkl is None else (pkl, storages or {})
    entries = [(f"{folder}/data.pkl", p)] + ([(f"{folder}/byteorder", order)] if order else [])
    entries += [(f"{folder}/data/{k}", v) for k, v in s.items() if k not in drop] + [(f"{folder}/version", b"3\n")]
    with open(f"{out}/{name}", "wb") as f:
        f.write(torch_zip(entries))
    return p


def wrong(name, says, x=None, **more):
    save(f"bad/{name}.pt", x, **more)
    bad.append((f"{name}.pt", says))


def bf16(a):
    return (np.asarray(a, np.float32).view(np.uint32) >> 16).astype(np.uint16)


W = (np.arange(12, dtype=np.float32) / 4).reshape(3, 4)
shared = Storage("f4", np.arange(24, dtype=np.float32).tobytes())
# a state dict, with the attribute that nn.Module.state_dict() gives it
state = collections.OrderedDict([
    ("encoder.weight", tensor(W)), ("encoder.bias", tensor(np.array([0.5, -1, 2], np.float16))),
    ("decoder.weight", Tensor(shared, 0, (4, 3), (1, 4))),        # a transposed view
    ("row", Tensor(shared, 8, (4,), (1,))),                       # a row of the same storage
    ("every", Tensor(shared, 1, (3, 2, 2), (8, 4, 2))),           # a strided view in three dimensions
    ("broadcast", Tensor(shared, 5, (2, 3), (0, 0))),
    ("b", tensor(bf16([1, -2.5]), "bf16")), ("n", tensor(np.array(32, np.int64))), ("mask", tensor(np.array([True, False]))),
    ("d", tensor(np.array([0.1]))), ("i32", tensor(np.array([-3], np.int32))), ("i16", tensor(np.array([-4], np.int16))),
    ("i8", tensor(np.array([-5], np.int8))), ("u8", tensor(np.array([250], np.uint8))),
    ("none", Tensor(Storage("f4", b""), 0, (0, 4), (4, 1))), ("w", Parameter(tensor(W + 1))),
])
state._metadata = collections.OrderedDict([("", {"version": 1})])
for protocol in (2, 3, 4, 5):
    save(f"state{protocol}.pt", state, protocol)
# what OpenAI's autoencoders and trainers' checkpoints hold beside tensors
values = {
    "pre_bias": tensor(W[0], key="13"), "activation": "TopK", "activation_state_dict": {"k": 32, "postact_fn": "ReLU"},
    "lr": 0.125, "none": None, "yes": True, "no": False, "sizes": [1, 2, (3, 300, 70000, -1)], "big": 1 << 70, "long": 1 << 40,
    "minus": -(1 << 40), "text": "gr\u00fc\u00dfe", "nul": "a\0b", "nan": float("nan"), "inf": float("inf"), 7: "seven",
    "size": torch.Size((2, 3)), "np": np.float64(0.25), "np32": np.float32(-1.5), "npi": np.int64(-9), "npb": np.bool_(True),
    "set": {5}, "class": CLASSES["f4"], "again": "TopK",
}
save("values.pt", values)
save("values4.pt", values, 4, folder="any name", order=None)
save("lone.pt", tensor(W))
# a whole module: its class is not known, and need not be
encoder = cls(linear, "Linear")()
encoder.__dict__.update(training=False, _parameters={"weight": Parameter(tensor(W, key="0")), "bias": None}, _buffers={}, _modules={},
                        in_features=4)
model = cls(mine, "AutoEncoder")()
model.__dict__.update(training=True, _parameters={}, _buffers={"threshold": tensor(W[1], key="13")}, _modules={"encoder": encoder})
encoder.__dict__["_parent"] = model                             # a ring: left out where it closes
save("module.pt", model)
# one number that stands for four pebibytes
save("huge.pt", {"W": Tensor(Storage("f4", W[0].tobytes(), key="13"), 1, (1 << 40, 1 << 10), (0, 0))})
# types that came after the typed storages: an untyped one, counted in bytes, and the dtype
raw = Storage("raw", np.array([1, 65535], np.uint16).tobytes(), 4, "14")
save("dtype.pt", {"t": Tensor(raw, 0, (2,), (1,), dtype=torch.uint16)})

# lies about tensors
base = Storage("f4", W.tobytes())


def view(offset, size, stride, storage=base, **more):
    return {"W": Tensor(storage, offset, size, stride, **more)}


leads = "has an offset, shape or stride that leads out of its storage"
wrong("offset", leads, view(1, (3, 4), (4, 1)))
wrong("shape", leads, view(0, (4, 4), (4, 1)))
wrong("stride", leads, view(0, (3, 4), (5, 1)))
wrong("stride-large", leads, view(0, (3, 4), (1 << 62, 1)))
wrong("stride-wraps", leads, view(0, (3, 4), ((1 << 63) - 1, (1 << 63) - 1)))
wrong("offset-large", leads, view((1 << 63) - 1, (1,), (1,)))
wrong("offset-empty", leads, view(13, (0,), (1,)))
wrong("offset-negative", "a storage offset that is no number from 0 on", view(-1, (1,), (1,)))
wrong("offset-text", "a storage offset that is no number from 0 on", view("0", (1,), (1,)))
wrong("shape-negative", "a shape that is no tuple", view(0, (-1, 4), (4, 1)))
wrong("shape-text", "a shape that is no tuple", view(0, ("3", 4), (4, 1)))
wrong("shape-dims", "a shape that is no tuple", view(0, (1,) * 9, (1,) * 9))
wrong("shape-large", "too large to be true", view(0, (1 << 40, 1 << 40), (0, 0)))
wrong("shape-huge", "too large to be true", view(0, (1 << 62, 1), (0, 0)))
wrong("strides-negative", "strides that are no tuple", view(0, (3, 4), (-4, 1)))
wrong("strides-few", "strides that are no tuple", view(0, (3, 4), (4,)))
wrong("count", "has storage '0' of 48 bytes, which is not what it declares",
      view(0, (3, 4), (4, 1), Storage("f4", W.tobytes(), 13)))
wrong("count-small", "has storage '0' of 48 bytes, which is not what it declares",
      view(0, (2, 4), (4, 1), Storage("f4", W.tobytes(), 11)))
wrong("count-large", "which is not what it declares", view(0, (3, 4), (4, 1), Storage("f4", W.tobytes(), (1 << 62) + 12)))
wrong("count-type", "which is not what it declares", view(0, (3, 4), (4, 1), Storage("f8", W.tobytes(), 12)))
wrong("storage-missing", "in storage '0', which is not in the file", view(0, (3, 4), (4, 1)), drop=("0",))
wrong("storage-path", "in storage '../../x', which is not in the file",
      view(0, (3, 4), (4, 1), Storage("f4", W.tobytes(), key="../../x")), drop=("../../x",))
wrong("type", "is of 'Float8_e4m3fnStorage', which is not read here", view(0, (12,), (1,), Storage("f8e4", bytes(12))))
wrong("type-foreign", "is of 'AutoEncoder', which is not read here",
      view(0, (3, 4), (4, 1), Storage("f4", W.tobytes(), typename=mine.AutoEncoder)))
wrong("storage-bare", "is a bare storage", {"s": base})
wrong("big-endian", "its byteorder is 'big'", {"W": tensor(W)}, order=b"big")
wrong("quantized", "would call 'torch._utils._rebuild_qtensor'", view(0, (3, 4), (4, 1), how=rebuild_q))
wrong("twice", "tensor 'a.b' is there twice", {"a": {"b": tensor(W)}, "a.b": tensor(W)})
wrong("twice-value", "'a.b' is there twice", {"a": {"b": 1}, "a.b": 2})
wrong("key", "neither text nor a whole number", {(1, 2): tensor(W)})
wrong("key-nul", "has a NUL in it", {"a\0b": tensor(W)})

# pickles that no torch.save writes: the opcode, and its byte
good, _ = dump({"k": 1})
deep = []
for _ in range(200):
    deep = [deep]
laugh = ["lol"]
for _ in range(30):
    laugh = [laugh, laugh]
wrong("deep", "nested deeper than 64 levels", {"r": deep})
wrong("laughs", "stands for more than", {"r": laugh})
wrong("text-laughs", "stands for more than", {"r": [["x" * 9000] * 1000] * 1000})
for name, pkl, says in [
    ("system", b"\x80\x02cposix\nsystem\nX\2\0\0\0id\x85R.", "opcode REDUCE at byte 24 would call 'posix.system'"),
    ("eval", b"\x80\x04\x8c\x08builtins\x8c\x04eval\x93\x8c\x011\x85R0}.", "would call 'builtins.eval'"),
    ("hidden", b"\x80\x02cos\nsystem\nX\2\0\0\0id\x85R0" + good[2:], "would call 'os.system'"),
    ("getattr", b"\x80\x02c__builtin__\ngetattr\ncos\npath\nX\4\0\0\0join\x86R.", "would call '__builtin__.getattr'"),
    ("inst", b"\x80\x02(ios\nsystem\n.", "opcode INST at byte 3 is not one"),
    ("obj", b"\x80\x02(cos\nsystem\no.", "opcode OBJ at byte 14 is not one"),
    ("ext", b"\x80\x02\x82\1.", "opcode EXT1 at byte 2 is not one"),
    ("dup", b"\x80\x02}2.", "opcode DUP at byte 3 is not one"),
    ("text-int", b"\x80\x02I1\n.", "opcode INT at byte 2 is not one"),
    ("persid", b"\x80\x02Pid\n.", "opcode PERSID at byte 2 is not one"),
    ("buffer", b"\x80\x05\x97.", "opcode NEXT_BUFFER at byte 2 is not one"),
    ("unknown", b"\x80\x02\xff.", "opcode 0xff at byte 2 is not one"),
    ("protocol0", b"(dp0\n.", "opcode MARK at byte 0 begins it"),
    ("protocol1", b"}q\0.", "opcode EMPTY_DICT at byte 0 begins it"),
    ("protocol9", b"\x80\x09}.", "names a protocol other than 2 to 5"),
    ("protocol-twice", b"\x80\x02\x80\x02}.", "opcode PROTO at byte 2 is not at the beginning"),
    ("empty", b"", "it has no end"),
    ("no-stop", b"\x80\x02}", "it has no end"),
    ("after", b"\x80\x02}.}", "is followed by more bytes"),
    ("stack-empty", b"\x80\x02.", "ends with other than one value"),
    ("stack-two", b"\x80\x02}}.", "ends with other than one value"),
    ("stack-mark", b"\x80\x02(}.", "ends with other than one value"),
    ("pop-empty", b"\x80\x020.", "opcode POP at byte 2 finds the stack empty"),
    ("pop-mark", b"\x80\x02}(0.", "opcode POP at byte 4 finds the stack empty"),
    ("no-mark", b"\x80\x02}t.", "finds no mark"),
    ("append", b"\x80\x02}Na.", "adds to what holds no such items"),
    ("setitem-list", b"\x80\x02]NNs.", "adds to what holds no such items"),
    ("setitems-odd", b"\x80\x02}(Nu.", "finds a key without a value"),
    ("memo", b"\x80\x02h\5.", "asks for a value that was not remembered"),
    ("memo-large", b"\x80\x02}r\xff\xff\xff\xff.", "remembers more values"),
    ("memo-empty", b"\x80\x02q\0.", "finds the stack empty"),
    ("short", b"\x80\x02X\xff\0\0\0abc", "opcode BINUNICODE at byte 2 is cut short"),
    ("shorter", b"\x80\x02X\xff", "opcode BINUNICODE at byte 2 is cut short"),
    ("long8", b"\x80\x04\x8d" + b"\xff" * 8 + b"a.", "opcode BINUNICODE8 at byte 2 is cut short"),
    ("frame", b"\x80\x04\x95\xff\0\0\0\0\0\0\0}.", "opcode FRAME at byte 2 reaches beyond the end"),
    ("float", b"\x80\x02G\0\0", "opcode BINFLOAT at byte 2 is cut short"),
    ("utf8", b"\x80\x02X\2\0\0\0\xc3(.", "has text that is not UTF-8"),
    ("global", b"\x80\x02cos", "has no name of a global"),
    ("stack-global", b"\x80\x04NN\x93.", "has no name of a global"),
    ("call-what", b"\x80\x02N)R.", "has no name to call"),
    ("call-args", b"\x80\x02ctorch\nSize\nNR.", "has no name to call, or no arguments"),
    ("build", b"\x80\x02}}b.", "gives a state to what has none"),
    ("keywords", b"\x80\x04\x8c\1a\x8c\1b\x93)}\x8c\1xNs\x92.", "has arguments by name"),
    ("no-storage", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n(NK\0)))t R.".replace(b" ", b""),
     "has no storage as torch.save describes it"),
]:
    wrong(f"pickle-{name}", says, pkl=pkl)

with open(f"{out}/bad.tsv", "w") as f:
    f.writelines(f"{n}\t{s}\n" for n, s in bad)
