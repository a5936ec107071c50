"""formats_io.py - arrays written as the field's projects write them: safetensors, npz and torch's zip pickles.

Standard library and numpy only.  An array is an `A`: its values as float64 (what a reader must see), the
dtype it is stored in, and for torch files a memory order.  The pickles are made by Python's own pickler
with stand-ins for torch's names, the zip around them as torch's writer makes it: stored entries aligned to
64 bytes, sizes only in data descriptors and in the central directory.
"""
import collections, io, json, os, pickle, struct, sys, types, zlib
import numpy as np

DTYPES = {"f32": ("F32", np.float32, "FloatStorage"), "f16": ("F16", np.float16, "HalfStorage"),
          "bf16": ("BF16", None, "BFloat16Storage"), "f64": ("F64", np.float64, "DoubleStorage"),
          "i64": ("I64", np.int64, "LongStorage"), "i32": ("I32", np.int32, "IntStorage")}


def to_bf16(a):
    b = np.ascontiguousarray(a, np.float32).view(np.uint32)
    return ((b + 0x7FFF + (b >> 16 & 1)) >> 16).astype(np.uint16)


class A:
    """An array as it is stored; v is what the stored bits say, in float64."""

    def __init__(self, values, dtype="f32", order="C"):
        values = np.asarray(values, np.float64)
        self.dtype, self.order, self.shape = dtype, order, values.shape
        if dtype == "bf16":
            self.bits = to_bf16(values).reshape(values.shape)
            self.v = (self.bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
        else:
            self.bits = values.astype(DTYPES[dtype][1])
            self.v = self.bits.astype(np.float64)

    def bytes(self, order="C"):
        return self.bits.tobytes(order)


def safetensors(path, tensors, metadata=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    head, data = {}, b""
    if metadata:
        head["__metadata__"] = metadata
    for name, a in tensors.items():
        raw = a.bytes()
        head[name] = {"dtype": DTYPES[a.dtype][0], "shape": list(a.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def shards(folder, base, parts):
    """parts: a list of {name: A}; the index file that the Hugging Face libraries write."""
    where, total = {}, 0
    for i, part in enumerate(parts):
        name = "%s-%05d-of-%05d.safetensors" % (base, i + 1, len(parts))
        safetensors(os.path.join(folder, name), part)
        where.update({k: name for k in part})
        total += sum(a.bits.nbytes for a in part.values())
    with open(os.path.join(folder, base + ".safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": where}, f, indent=2)


def npz(path, tensors, compressed=False):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    (np.savez_compressed if compressed else np.savez)(
        path, **{k: np.array(a.bits, order=a.order) for k, a in tensors.items()})


# --- torch

def stand_in(module, name):
    for part in (module.split(".")[0], module):
        sys.modules.setdefault(part, types.ModuleType(part))
    if not hasattr(sys.modules[module], name):
        def f(*a):
            raise AssertionError("only its name is pickled")
        f.__module__, f.__name__, f.__qualname__ = module, name, name
        setattr(sys.modules[module], name, f)
    return getattr(sys.modules[module], name)


class Storage:
    def __init__(self, raw, kind, n):
        self.raw, self.kind, self.n = raw, kind, n


class Tensor:
    """What torch pickles of a tensor: a view into a storage."""

    def __init__(self, storage, offset, shape, stride):
        self.args = storage, offset, tuple(shape), tuple(stride), False, collections.OrderedDict()

    def __reduce_ex__(self, protocol):
        return stand_in("torch._utils", "_rebuild_tensor_v2"), self.args


class Parameter:
    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce_ex__(self, protocol):
        return stand_in("torch._utils", "_rebuild_parameter"), (self.tensor, True, collections.OrderedDict())


def strides(shape, order):
    out, step = [], 1
    for n in reversed(shape) if order == "C" else shape:
        out.append(step)
        step *= n
    return tuple(reversed(out)) if order == "C" else tuple(out)


def tensor(a):
    s = Storage(a.bytes(a.order), DTYPES[a.dtype][2], a.bits.size)
    return Tensor(s, 0, a.shape, strides(a.shape, a.order))


def one_storage(arrays):
    """Several tensors, one after the other in one storage, a few unused elements before each."""
    raw, at, out = b"", 0, {}
    for name, a in arrays.items():
        raw += b"\xff" * (3 * a.bits.itemsize) + a.bytes(a.order)
        out[name] = at + 3
        at += 3 + a.bits.size
    first = next(iter(arrays.values()))
    s = Storage(raw, DTYPES[first.dtype][2], at)
    return {name: Tensor(s, out[name], a.shape, strides(a.shape, a.order)) for name, a in arrays.items()}


def state_dict(items):
    """An OrderedDict with the _metadata that Module.state_dict() hangs on it."""
    d = collections.OrderedDict((k, tensor(v) if isinstance(v, A) else v) for k, v in items.items())
    d._metadata = collections.OrderedDict([("", {"version": 1}), ("encoder", {"version": 1})])
    return d


def zip_entry(out, directory, name, data, align):
    crc, at = zlib.crc32(data), out.tell()
    extra = b""
    if align:
        pad = -(at + 30 + len(name) + 4) % 64
        extra = b"FB" + struct.pack("<H", pad) + b"Z" * pad
    head = struct.pack("<HHHHHIIIHH", 0, 0x0808, 0, 0, 0, 0, 0, 0, len(name), len(extra))
    out.write(b"PK\3\4" + head + name.encode() + extra + data)
    out.write(b"PK\7\10" + struct.pack("<III", crc, len(data), len(data)))
    directory.append(b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", 0, 0, 0x0808, 0, 0, 0, crc, len(data), len(data),
                                            len(name), 0, 0, 0, 0, 0, at) + name.encode())


def torch_save(path, what, compress=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    kept = []

    class Pickler(pickle._Pickler):
        def persistent_id(self, o):
            if not isinstance(o, Storage):
                return None
            if not any(o is k for k in kept):
                kept.append(o)
            key = next(i for i, k in enumerate(kept) if k is o)
            return "storage", stand_in("torch", o.kind), str(key), "cpu", o.n

    text = io.BytesIO()
    Pickler(text, 2).dump(what)
    base = os.path.basename(path).rsplit(".", 1)[0]
    out, directory = io.BytesIO(), []
    zip_entry(out, directory, base + "/data.pkl", text.getvalue(), True)
    zip_entry(out, directory, base + "/byteorder", b"little", True)
    for i, s in enumerate(kept):
        zip_entry(out, directory, base + "/data/%d" % i, s.raw, True)
    zip_entry(out, directory, base + "/version", b"3\n", True)
    zip_entry(out, directory, base + "/.data/serialization_id", b"0" * 40, True)
    at = out.tell()
    listing = b"".join(directory)
    out.write(listing + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(directory), len(directory), len(listing), at, 0))
    with open(path, "wb") as f:
        f.write(out.getvalue())
