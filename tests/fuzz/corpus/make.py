#!/usr/bin/env python3
"""The seeds: a tiny store segment, labels and a vocabulary; the pickles of tests/golden/torch; arrays."""
import io
import json
import pathlib
import zipfile
import numpy as np
from safetensors.numpy import save_file

here = pathlib.Path(__file__).parent
u8, u16, u32, u64, f16, f32 = np.uint8, np.uint16, np.uint32, np.uint64, np.float16, np.float32


def a(values, dtype):
    return np.array(values, dtype=dtype)


save_file(
    {
        "tokens": a([10, 11, 12, 10, 13], u16), "token_flags": a([3, 0, 0, 3, 0], u8), "text_ptr": a([0, 3, 5], u64),
        "feature_ptr": a([0, 2, 3, 3], u64), "act_pos": a([1, 4, 2], u32), "act_val": a([1, 3, 1.5], f16),
        "act_scale": a([2, 1, 1], f32), "density": a([0.5, 0.25, 0], f32), "max": a([6, 1.5, 0], f32),
        "mean": a([4, 1.5, 0], f32), "count": a([2, 1, 0], u64),
        "hist_edge": a([[0, 3, 6], [0, 1, 2], [0, 0, 0]], f32), "hist_count": a([[1, 1], [0, 1], [0, 0]], u64),
        "ctx_ptr": a([0, 3, 4, 4], u64), "ctx_pos": a([4, 1, 2, 2], u32), "ctx_val": a([6, 2, 0, 1.5], f32),
        "ctx_kind": a([0, 1, 2, 0], u8), "ctx_interval": a([0, 3, 0, 0], u8),
    },
    here / "segment.safetensors",
    metadata={"coverage": "full", "first_token": "0", "n_tokens_indexed": "5", "n_tokens_kept": "4"},
)
save_file(
    {
        "bytes": np.frombuffer(b"twosevenseven too", u8), "offset": a([0, 3, 8, 17], u64),
        "feature": a([0, 1, 1], u32), "source": a([0, 1, 0], u16), "score": a([0, 0.5, np.nan], f32),
    },
    here / "labels.safetensors",
    metadata={"sources": json.dumps([{"name": "lexical", "kind": "lexical"}, {"name": "x", "kind": "machine"}])},
)
save_file(
    {
        "bytes": np.frombuffer(" grün <e>".encode(), u8), "offset": a([0, 3, 4, 7, 10], u64),
        "special": a([0, 0, 0, 1], u8),
    },
    here / "vocab.safetensors",
)

# the storages that fuzz_pickle.c lays beside these have the sizes of state2.pt's
golden = here.parent.parent / "golden" / "torch"
for name in ("state2", "state4", "values", "values4", "module", "dtype"):
    with zipfile.ZipFile(golden / f"{name}.pt") as z:
        entry = next(n for n in z.namelist() if n.endswith("/data.pkl"))
        (here / f"{name}.pkl").write_bytes(z.read(entry))
for i, array in enumerate((np.zeros((3, 4), f32), np.asfortranarray(np.zeros((2, 3), f16)), np.array(7, u16))):
    f = io.BytesIO()
    np.lib.format.write_array(f, array, version=(min(i + 1, 3), 0))
    (here / f"{'abc'[i]}.npy").write_bytes(f.getvalue())
