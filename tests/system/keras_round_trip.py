"""Run by a Python with Keras 3: loads each of the files, writes what it predicts from rows.npy to NAME.out.npy, and
saves it again as NAME.again.keras and NAME.again.h5. Prints what each knows of its optimizer, as JSON."""
import json
import os
import pathlib
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np

try:
    import keras_hub
except ImportError:
    pass

if not keras.__version__.startswith("3"):
    sys.exit(f"expected Keras 3, got {keras.__version__}")
known = {}
for name in sys.argv[1:]:
    path = pathlib.Path(name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = keras.models.load_model(path)
    rows = np.load(path.parent / "rows.npy")
    np.save(name + ".out.npy", model.predict(rows, verbose=0))
    known[name] = {"warnings": [str(warning.message) for warning in caught],
                   "optimizer": [[variable.path.split("/")[-1], variable.numpy().ravel()[:3].tolist()]
                                 for variable in model.optimizer.variables],
                   "iterations": int(model.optimizer.iterations)}
    model.save(name + ".again.keras")
    model.save(name + ".again.h5")
print(json.dumps(known))
