#!/usr/bin/env bash
# From a fresh clone to a trained network: installs what is missing, builds, makes the dataset,
# trains the reference network on two MPI ranks, evaluates it and runs the demo, whose exit code it
# ends with.
# Everything it makes lies in build-quickstart/ beside the sources. It can be run again.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
build=$root/build-quickstart
lockstep=$build/launch/lockstep
images=/usr/share/datasets/fashion-mnist

step() { printf '\n== %s\n' "$*"; }

# mpirun for two ranks; Open MPI refuses root, and more ranks than cores, unless it is told.
mpirun_two() {
  local options=(-n 2)
  if mpirun --version 2>/dev/null | grep -qiE 'open.?(mpi|rte)'; then
    [ "$(id -u)" -ne 0 ] || export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    [ "$(nproc)" -ge 2 ] || options+=(--oversubscribe)
  fi
  mpirun "${options[@]}" "$@"
}

step "1/6 What the build needs"
"$root/launch/setup.sh"

step "2/6 Building in $build"
# The release preset, in a directory of its own.
(cd -- "$root" && cmake --preset release -B "$build" -DLOCKSTEP_TESTS=OFF)
cmake --build "$build" --parallel "$(nproc)"

step "3/6 The dataset"
data=$build/fashion_mnist.h5
kind="Fashion-MNIST"
if [ ! -d "$images" ]; then
  data=$build/glyphs.h5
  kind="generated glyphs"
  echo "The package dataset-fashion-mnist is not installed: $kind take the place of its images."
fi
if [ -f "$data" ]; then
  echo "$data is there already."
elif [ -d "$images" ]; then
  "$lockstep" import idx "$images" --out "$data"
else
  "$lockstep" import synthetic --rows 60000 --test-rows 10000 --out "$data"
fi

step "4/6 Training the reference network on 2 ranks"
run=$build/run
mpirun_two "$lockstep" train "$root/launch/examples/fashion_mnist.cfg" \
  --data "$data" --run-dir "$run" --resume never --overwrite

step "5/6 Evaluating $run/final.h5 on the test images"
result=$("$lockstep" evaluate "$run/final.h5" --data "$data" --json)
accuracy=$(sed -n 's/.*"accuracy"[^0-9]*\([0-9.eE+-]*\).*/\1/p' <<<"$result" | head -n 1)
[ -n "$accuracy" ] || {
  printf 'quickstart: expected an accuracy from lockstep evaluate, got: %s\n' "$result" >&2
  exit 1
}

echo "Test accuracy on $kind: $accuracy"

step "6/6 The demo: the same bits on any number of ranks"
proof=0
"$lockstep" demo || proof=$?

cat <<EOF

What next, from $root:
  build-quickstart/launch/lockstep doctor         is this machine set up well?
  build-quickstart/launch/lockstep inspect build-quickstart/run/final.h5
                                                  what was written; Keras opens it, too
  build-quickstart/launch/lockstep import --help  your own data: IDX, CSV, NumPy
  build-quickstart/launch/lockstep train --help   your own network
  launch/slurm.sbatch, launch/pbs.pbs             batch scripts to copy
EOF
exit "$proof"
