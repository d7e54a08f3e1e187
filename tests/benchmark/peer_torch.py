#!/usr/bin/env python3
"""The same training in a newer PyTorch, at its best settings; training_rate.py starts it.

    peer_torch.py DATA.h5 --network reference --batch 32 --rows 12000 [--mode compile]

One process on one thread, or DistributedDataParallel over Gloo in as many as RANK, WORLD_SIZE, MASTER_ADDR and
MASTER_PORT say. --batch is the global batch. Prints samples per second of every epoch; the last one counts.
Needs torch, h5py and, for --mode compile, a C++ compiler.
"""
import argparse
import os
import time

import h5py
import torch
from torch import distributed, nn

WIDTHS = {"reference": [784, 64, 32, 10], "wide": [784, 2048, 2048, 10]}


def dense_network(widths):
    layers = []
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--network", choices=WIDTHS, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--mode", choices=["eager", "compile"], default="eager")
    args = parser.parse_args()

    torch.set_num_threads(1)
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if ranks > 1:
        distributed.init_process_group("gloo")
    with h5py.File(args.data) as file:
        x = torch.from_numpy(file["x_train"][:args.rows]).flatten(1).float() / 255
        y = torch.from_numpy(file["y_train"][:args.rows]).long()

    torch.manual_seed(1)
    network = dense_network(WIDTHS[args.network])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)
    model = network
    if ranks > 1:
        model = nn.parallel.DistributedDataParallel(network, gradient_as_bucket_view=True, static_graph=True)

    def loss_of(images, labels):
        return nn.functional.cross_entropy(model(images), labels)

    if args.mode == "compile":
        loss_of = torch.compile(loss_of)
    local = args.batch // ranks
    for epoch in range(args.epochs):
        generator = torch.Generator().manual_seed(epoch)
        batches = torch.randperm(args.rows, generator=generator)[rank::ranks].split(local)
        if len(batches[-1]) < local:
            batches = batches[:-1]  # another shape would be compiled again
        if ranks > 1:
            distributed.barrier()
        start = time.perf_counter()
        for rows in batches:
            optimizer.zero_grad()
            loss_of(x.index_select(0, rows), y.index_select(0, rows)).backward()
            optimizer.step()
        if ranks > 1:
            distributed.barrier()
        seconds = time.perf_counter() - start
        if rank == 0:
            print(f"torch {torch.__version__} {args.mode} processes={ranks} epoch={epoch + 1} "
                  f"samples_per_second={len(batches) * args.batch / seconds:.0f}", flush=True)
    if ranks > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
