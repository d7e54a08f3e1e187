#!/usr/bin/env bash
# Installs what is missing, builds, runs every test: the release build with Open MPI, the unit tests again under
# AddressSanitizer and UBSan, the tests with threads again under ThreadSanitizer, and the collective tests and the
# system tests of training, resume and faults again with MPICH. Without it that part is reported as skipped. Ends with
# "N passed, N failed, N skipped".
#
#   tests/run.sh            everything
#   tests/run.sh release    only these presets (release, asan, tsan, mpich)
#
# LOCKSTEP_LONG_TESTS=1 makes the test of many steps fifty times as long.
set -euo pipefail
cd "$(dirname "$0")/.."
source=$PWD

presets=("$@")
[ ${#presets[@]} -gt 0 ] || presets=(release asan tsan mpich)

launch/setup.sh tests

# What two presets compile alike is compiled once.
options=()
if command -v ccache >/dev/null; then
  export CCACHE_DIR=$source/build-ccache
  options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
fi

passed=0 failed=0 skipped=0
skipped_names=()

# attribute FILE NAME: a number of the first testsuite of CTest's JUnit file.
attribute() { grep -om1 "$2=\"[0-9]*\"" "$1" | tr -dc 0-9; }

count() {
  local tests failures left_out
  tests=$(attribute "$1" tests)
  failures=$(attribute "$1" failures)
  left_out=$(attribute "$1" skipped)
  passed=$((passed + tests - failures - left_out))
  failed=$((failed + failures))
  skipped=$((skipped + left_out))
}

# run_preset NAME [ctest arguments]
run_preset() {
  local preset=$1 junit=$source/build-$1/results.xml
  shift
  local log=build-$preset/build.log
  # GCC 12's ThreadSanitizer does not start where addresses are as random as newer kernels make them.
  local run=()
  [ "$preset" != tsan ] || ! setarch -R true 2>/dev/null || run=(setarch -R)
  printf '\n=== %s: build ===\n' "$preset"
  mkdir -p "build-$preset"
  cmake --preset "$preset" "${options[@]}" >"$log" 2>&1 || { cat "$log"; exit 1; }
  "${run[@]}" cmake --build --preset "$preset" >>"$log" 2>&1 || { tail -n 60 "$log"; exit 1; }
  if grep 'warning:' "$log"; then
    echo "tests/run.sh: the build must be free of warnings"
    exit 1
  fi
  printf '=== %s: test ===\n' "$preset"
  rm -f "$junit"
  # Open MPI's ranks mostly wait in tests, so more of them run at once than there are cores; MPICH's
  # spin while they wait.
  local jobs=$((3 * $(nproc)))
  [ "$preset" != mpich ] || jobs=$(nproc)
  "${run[@]}" ctest --preset "$preset" --output-junit "$junit" -j "$jobs" "$@" || true
  count "$junit"
}

for preset in "${presets[@]}"; do
  if [ "$preset" = mpich ] && ! command -v mpicc.mpich >/dev/null; then
    skipped=$((skipped + 1))
    skipped_names+=("mpich: mpicc.mpich is not installed")
    continue
  fi
  run_preset "$preset"
done

printf '\n'
for name in "${skipped_names[@]}"; do printf 'skipped: %s\n' "$name"; done
printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
