"""Run by a Python with TensorBoard: what its reader finds in a directory, as JSON."""
import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

reader = EventAccumulator(sys.argv[1], size_guidance={"tensors": 0})
reader.Reload()
found = {"scalars": [], "histograms": []}
for tag in reader.Tags()["tensors"]:
    plugin = reader.SummaryMetadata(tag).plugin_data.plugin_name
    for event in reader.Tensors(tag):
        found[plugin].append((event.step, tag, tensor_util.make_ndarray(event.tensor_proto).tolist()))
json.dump(found, sys.stdout)
