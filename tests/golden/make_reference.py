#!/usr/bin/env python3
"""reference.safetensors, as the Python library writes it: what the reader is tested on."""
import pathlib
import numpy as np
from safetensors.numpy import save_file

save_file(
    {
        "matrix": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
        "bytes": np.array([1, 2, 255], dtype=np.uint8),
        "half": np.array([1.5, -2, 65504], dtype=np.float16),
        "scalar": np.array(-7, dtype=np.int64),
        "double": np.array([0.1], dtype=np.float64),
        "small": np.array([-3, 3], dtype=np.int16),
        "empty": np.zeros((0, 4), dtype=np.float32),
        "flag": np.array([True, False]),
    },
    pathlib.Path(__file__).with_name("reference.safetensors"),
    metadata={"uuid": "0000", "text": "grüße\n"},
)
