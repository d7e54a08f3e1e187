"""Run by a Python with PyTorch: in each directory, out.npy of network.py and m.safetensors for rows.npy."""
import importlib.util
import json
import pathlib
import sys

import numpy as np
import torch

TYPES = {"F32": np.float32, "I64": np.int64}


def load_file(path):
    """As safetensors.torch.load_file()."""
    bytes = path.read_bytes()
    length = int.from_bytes(bytes[:8], "little")
    tensors = {}
    for name, entry in json.loads(bytes[8:8 + length]).items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        numbers = np.frombuffer(bytes[8 + length + first:8 + length + last], TYPES[entry["dtype"]])
        tensors[name] = torch.from_numpy(numbers.reshape(entry["shape"]).copy())
    return tensors


failed = False
for directory in map(pathlib.Path, sys.argv[1:]):
    try:
        spec = importlib.util.spec_from_file_location("network", directory / "network.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        kind, = (value for value in vars(module).values() if isinstance(value, type))
        network = kind()
        network.load_state_dict(load_file(directory / "m.safetensors"))
        network.eval()
        with torch.no_grad():
            np.save(directory / "out.npy", network(torch.from_numpy(np.load(directory / "rows.npy"))).numpy())
    except Exception as error:
        failed = True
        print(f"{directory.name}: {type(error).__name__}: {error}", file=sys.stderr)
sys.exit(failed)
