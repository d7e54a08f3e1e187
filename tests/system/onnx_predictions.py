"""Run by a Python with ONNX Runtime: in each directory, out.npy of m.onnx for rows.npy."""
import pathlib
import sys

import numpy as np
import onnxruntime

failed = False
for directory in map(pathlib.Path, sys.argv[1:]):
    try:
        session = onnxruntime.InferenceSession(str(directory / "m.onnx"), providers=["CPUExecutionProvider"])
        np.save(directory / "out.npy", session.run(["output"], {"input": np.load(directory / "rows.npy")})[0])
    except Exception as error:
        failed = True
        print(f"{directory.name}: {error}", file=sys.stderr)
sys.exit(failed)
