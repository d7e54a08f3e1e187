#!/usr/bin/env python3
"""PyTorch on the network of launch/examples/language_model.cfg: samples per second of the last epoch.

    torch_language_model.py licenses.h5 --batch 32 --rows 960 [--compile]

Two pre-norm causal blocks (scaled_dot_product_attention, one product for queries, keys and values), fused Adam, one
thread; DistributedDataParallel over Gloo when started with RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT. --batch is the
global batch.
"""
import argparse
import os
import time

import h5py
import torch
from torch import distributed, nn

VOCABULARY, LENGTH, WIDTH, HEADS, INNER, DROPOUT = 100, 128, 128, 4, 512, 0.1


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.inputs, self.output = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.dense = nn.Sequential(nn.Linear(WIDTH, INNER), nn.GELU(approximate="tanh"), nn.Linear(INNER, WIDTH),
                                   nn.Dropout(DROPOUT))

    def forward(self, x):
        shape = x.shape[0], LENGTH, HEADS, WIDTH // HEADS
        q, k, v = (part.reshape(shape).transpose(1, 2) for part in self.inputs(self.first(x)).chunk(3, dim=-1))
        attended = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + nn.functional.dropout(self.output(attended.transpose(1, 2).reshape(x.shape)), DROPOUT, self.training)
        return x + self.dense(self.second(x))


class LanguageModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(VOCABULARY, WIDTH), nn.Parameter(torch.zeros(LENGTH, WIDTH))
        self.blocks = nn.Sequential(Block(), Block(), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, VOCABULARY))

    def forward(self, ids):
        return self.blocks(self.tokens(ids) + self.positions)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--rows", type=int, default=960)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="by torch.compile")
    args = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(1)
    rank, ranks = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    with h5py.File(args.data) as file:
        x = torch.from_numpy(file["x_train"][:args.rows]).long()
        y = torch.from_numpy(file["y_train"][:args.rows]).long()
    model = network = LanguageModel()
    if ranks > 1:
        distributed.init_process_group("gloo")
        model = nn.parallel.DistributedDataParallel(network, gradient_as_bucket_view=True, static_graph=True)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)

    def loss_of(ids, wanted):
        return nn.functional.cross_entropy(model(ids).flatten(0, 1), wanted.flatten())

    if args.compile:
        loss_of = torch.compile(loss_of)
    for epoch in range(args.epochs):
        order = torch.randperm(args.rows, generator=torch.Generator().manual_seed(epoch))
        batches = order[rank::ranks].split(args.batch // ranks)
        if ranks > 1:
            distributed.barrier()
        begin = time.perf_counter()
        for rows in batches:
            optimizer.zero_grad()
            loss_of(x.index_select(0, rows), y.index_select(0, rows)).backward()
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
