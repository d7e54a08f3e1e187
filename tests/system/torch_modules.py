"""Run by a Python with PyTorch: modules of its own kind, as people write them, into directories below the given one:
net.safetensors, rows.npy (channels last) and out.npy."""
import json
import pathlib
import struct
import sys

import numpy as np
import torch
from torch import nn


def save_file(tensors, path):
    """As safetensors.torch.save_file()."""
    header, data = {}, b""
    for name, tensor in sorted(tensors.items()):  # by which the order of layers is lost
        numbers = np.ascontiguousarray(tensor.detach().numpy())
        header[name] = {"dtype": {"float32": "F32", "int64": "I64"}[str(numbers.dtype)], "shape": list(numbers.shape),
                        "data_offsets": [len(data), len(data) + numbers.nbytes]}
        data += numbers.tobytes()
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


class Images(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3)
        self.bn1 = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1)
        self.fc1 = nn.Linear(8 * 3 * 2, 10)
        self.fc2 = nn.Linear(10, 4)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x.movedim(-1, 1))))
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        return torch.softmax(self.fc2(torch.relu(self.fc1(x.flatten(1)))), -1)


class Texts(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 5)
        self.rnn = nn.LSTM(5, 6, num_layers=2, bidirectional=True, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        y, _ = self.rnn(self.embed(x.long()))
        return self.head(y.flip(1)[:, -1] * 0 + torch.cat([y[:, -1, :6], y[:, 0, 6:]], -1))


class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(4, 7, batch_first=True)
        self.out = nn.Linear(7 * 5, 2)

    def forward(self, x):
        return self.out(self.gru(x)[0].flatten(1))


torch.manual_seed(1)
plain = nn.Sequential(*(layer for _ in range(6) for layer in (nn.Linear(6, 6), nn.Tanh())), nn.Linear(6, 3))
for name, network, rows in (("plain", plain, torch.randn(7, 6)), ("images", Images(), torch.randn(7, 8, 6, 3)),
                            ("texts", Texts(), torch.randint(0, 20, (7, 5)).float()),
                            ("steps", Steps(), torch.randn(7, 5, 4))):
    directory = pathlib.Path(sys.argv[1]) / name
    directory.mkdir()
    network.train()
    network(rows)  # moves running statistics away from where they begin
    network.eval()
    save_file(network.state_dict(), directory / "net.safetensors")
    np.save(directory / "rows.npy", rows.numpy())
    with torch.no_grad():
        np.save(directory / "out.npy", network(rows).numpy())
