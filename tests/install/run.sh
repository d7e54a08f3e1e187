#!/usr/bin/env bash
# Installs a build of Lockstep into a temporary prefix, builds the stranger's project of this folder against it
# and runs that on three ranks.
#
#   run.sh BUILD_DIRECTORY CXX_COMPILER MPI_COMPILER MPIEXEC [flags of mpiexec]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$1 compiler=$2 mpi_compiler=$3
shift 3

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
prefix=$scratch/prefix

quietly() { "$@" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }; }

quietly cmake --install "$build" --prefix "$prefix"
[ -x "$prefix/bin/lockstep" ] || { echo "expected the program in $prefix/bin"; exit 1; }
if grep -rqF -e "$build" -e "$(cd "$here/../.." && pwd)" "$prefix"/lib*/cmake "$prefix/include"; then
  echo "the installed package names the directories that it was built in"
  exit 1
fi
quietly cmake -S "$here" -B "$scratch/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$prefix" \
  -DCMAKE_CXX_COMPILER="$compiler" -DMPI_C_COMPILER="$mpi_compiler"
quietly cmake --build "$scratch/build"

said=$(timeout -k 5 60 "$@" "$scratch/build/train_in_memory" 2>&1)
echo "$said"
# Nothing but the accuracy, and that above 0.9.
[[ $said =~ ^accuracy\ (0\.9[0-9]*|1\.000)$ && $said != "accuracy 0.900" ]]
