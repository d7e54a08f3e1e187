"""What an interpolated n-gram model says of a language model's test set: its cross-entropy, in nats a token.

    python3 tests/benchmark/ngram_baseline.py licenses.h5 [--order 3]

Reads a file that `lockstep import text --next` wrote, and predicts exactly the targets that `lockstep evaluate` does,
from the tokens before them in the same row. p(c | context) is the sum over orders 1 to n of l_k count(context_k c) /
count(context_k), and l_0 / numbers; the weights l of the orders whose context was seen are fitted by expectation
maximisation to the last tenth of the training text (Jelinek and Mercer, 1980), for counts of the rest; then all of it is
counted.
"""
import argparse
from collections import Counter, defaultdict

import h5py
import numpy as np


def running_text(x, y):
    """The tokens of overlapping rows, each once."""
    step = next((s for s in range(1, x.shape[1]) if len(x) > 1 and np.array_equal(x[1, :-s], x[0, s:])), x.shape[1])
    return np.concatenate([x[0], y[0, -1:], y[1:, -step:].ravel()]).tolist()


def counts_of(tokens, order):
    """counts[k][context of k tokens][next]"""
    counts = [defaultdict(Counter) for _ in range(order)]
    for i, token in enumerate(tokens):
        for k in range(min(order, i + 1)):
            counts[k][tuple(tokens[i - k:i])][token] += 1
    return [{context: (sum(nexts.values()), nexts) for context, nexts in level.items()} for level in counts]


def shares(counts, numbers, before, token):
    """What each order gives the token; of orders whose context was never seen there is none."""
    result = [1 / numbers]
    for k, level in enumerate(counts):
        found = level.get(tuple(before[len(before) - k:])) if len(before) >= k else None
        if found is None:
            break
        result.append(found[1][token] / found[0])
    return result


def fit(counts, numbers, samples, rounds=30):
    """weights[m]: of m orders that know the context."""
    rows = defaultdict(list)
    for before, token in samples:
        row = shares(counts, numbers, before, token)
        rows[len(row)].append(row)
    weights = {}
    for size in range(1, len(counts) + 2):
        l = np.full(size, 1 / size)
        if rows[size]:
            p = np.array(rows[size])
            for _ in range(rounds):
                l = (l * p / (p @ l)[:, None]).mean(axis=0)
        weights[size] = l
    return weights


def cross_entropy(path, order):
    with h5py.File(path) as file:
        x, y, x_test, y_test = (file[name][:].astype(int) for name in ("x_train", "y_train", "x_test", "y_test"))
    numbers = int(max(x.max(), y.max(), y_test.max())) + 1
    tokens = running_text(x, y)
    cut = len(tokens) * 9 // 10
    held_out = [(tokens[i - order + 1:i], tokens[i]) for i in range(cut, len(tokens))]
    weights = fit(counts_of(tokens[:cut], order), numbers, held_out)
    counts = counts_of(tokens, order)
    nats = 0.0
    for row, targets in zip(x_test.tolist(), y_test.tolist()):
        for t, target in enumerate(targets):
            p = shares(counts, numbers, row[max(0, t + 2 - order):t + 1], target)
            nats -= np.log(weights[len(p)] @ p)
    return nats / y_test.size


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--order", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{cross_entropy(arguments.data, arguments.order):.4f}")
