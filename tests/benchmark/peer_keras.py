#!/usr/bin/env python3
"""The same training in Keras 3, at its best settings; training_rate.py starts it.

    KERAS_BACKEND=jax peer_keras.py DATA.h5 --network reference --batch 32 --rows 12000

One process on one core, fit() with jit_compile. Prints samples per second of every epoch; the last one counts.
Needs keras, h5py and a backend: tensorflow or jax.
"""
import argparse
import os
import time

# One core for all threads of whichever backend, before it counts the cores.
os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import h5py  # noqa: E402
import keras  # noqa: E402

WIDTHS = {"reference": [64, 32], "wide": [2048, 2048]}


class Rate(keras.callbacks.Callback):
    def __init__(self, rows):
        super().__init__()
        self.rows = rows

    def on_epoch_begin(self, epoch, logs=None):
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.start
        print(f"keras {keras.__version__} {keras.backend.backend()} epoch={epoch + 1} "
              f"samples_per_second={self.rows / seconds:.0f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--network", choices=WIDTHS, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--steps-per-execution", type=int, default=25)
    args = parser.parse_args()

    with h5py.File(args.data) as file:
        rows = args.rows // args.batch * args.batch
        x = file["x_train"][:rows].reshape(rows, -1).astype("float32") / 255
        y = file["y_train"][:rows].astype("int32")
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((784,)),
                              *(keras.layers.Dense(units, activation="relu") for units in WIDTHS[args.network]),
                              keras.layers.Dense(10, activation="softmax")])
    model.compile(optimizer=keras.optimizers.Adam(1e-3, epsilon=1e-7), loss="sparse_categorical_crossentropy",
                  jit_compile=True, steps_per_execution=min(args.steps_per_execution, rows // args.batch))
    model.fit(x, y, batch_size=args.batch, epochs=args.epochs, shuffle=True, verbose=0, callbacks=[Rate(rows)])


if __name__ == "__main__":
    main()
