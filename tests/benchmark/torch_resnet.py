#!/usr/bin/env python3
"""PyTorch on the network of launch/examples/resnet.json: samples per second of the last epoch.

    torch_resnet.py DATA.h5 --batch 128 --rows 3072

Eager, channels_last, fused Adam, one thread; DistributedDataParallel over Gloo when started with RANK, WORLD_SIZE,
MASTER_ADDR and MASTER_PORT, each rank with batch norms of its own. --batch is the global batch.
"""
import argparse
import os
import time

import h5py
import torch
from torch import distributed, nn


def normalized(inputs, filters, size, stride):
    return [nn.Conv2d(inputs, filters, size, stride, size // 2, bias=False), nn.BatchNorm2d(filters)]


class Block(nn.Module):
    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.body = nn.Sequential(*normalized(inputs, filters, 3, stride), nn.ReLU(), *normalized(filters, filters, 3, 1))
        self.shortcut = nn.Sequential(*(normalized(inputs, filters, 1, stride) if stride > 1 else []))

    def forward(self, x):
        return nn.functional.relu(self.body(x) + self.shortcut(x))


def resnet():
    blocks = [Block(16, 16, 1), Block(16, 16, 1), Block(16, 32, 2), Block(32, 32, 1), Block(32, 64, 2), Block(64, 64, 1)]
    return nn.Sequential(nn.Unflatten(1, (1, 28)), *normalized(1, 16, 3, 1), nn.ReLU(), *blocks,
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--rows", type=int, default=3072)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(1)
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    with h5py.File(args.data) as file:
        x = torch.from_numpy(file["x_train"][:args.rows]).float() / 255
        y = torch.from_numpy(file["y_train"][:args.rows]).long()
    model = network = resnet().to(memory_format=torch.channels_last)
    if ranks > 1:
        distributed.init_process_group("gloo")
        model = nn.parallel.DistributedDataParallel(network, gradient_as_bucket_view=True, static_graph=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)
    for epoch in range(args.epochs):
        order = torch.randperm(args.rows, generator=torch.Generator().manual_seed(epoch))
        batches = order[rank::ranks].split(args.batch // ranks)
        if ranks > 1:
            distributed.barrier()
        begin = time.perf_counter()
        for rows in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x.index_select(0, rows)), y.index_select(0, rows)).backward()
            optimizer.step()
        if ranks > 1:
            distributed.barrier()
        seconds = time.perf_counter() - begin
    if rank == 0:
        print(f"torch {torch.__version__} rate={args.rows / seconds:.0f}")
    if ranks > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
