#!/usr/bin/env bash
# Builds lockstep::nn and bits.cpp for aarch64, runs them under qemu and compares the lines with bits.txt.
# Nothing is installed: the libraries of that architecture are downloaded and unpacked below DIRECTORY, once.
# Exit code 77, with the reason, if compiler, emulator or libraries cannot be had.
#
#   aarch64.sh DIRECTORY
set -euo pipefail
source=$(cd "$(dirname "$0")/../.." && pwd)
mkdir -p "${1:?usage: aarch64.sh DIRECTORY}"
directory=$(cd "$1" && pwd)
sysroot=$directory/sysroot
packages=(libfmt-dev libxxhash-dev libssl-dev libopenblas-pthread-dev nlohmann-json3-dev librandom123-dev libgomp1)

skip() {
  printf 'skipped: %s\n' "$*"
  exit 77
}

for program in aarch64-linux-gnu-g++ qemu-aarch64-static apt-get dpkg-deb cmake ninja; do
  command -v "$program" >/dev/null || skip "$program is not installed"
done

# apt-get for the other architecture, with lists and a state of its own: an empty machine of that kind.
apt_arm64() {
  apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::lists="$directory/apt/lists" \
    -o Dir::State::status="$directory/apt/status" -o Dir::Cache="$directory/apt/cache" \
    -o APT::Sandbox::User=root -o Debug::NoLocking=1 -o APT::Update::Post-Invoke-Success= "$@"
}

download_libraries() {
  mkdir -p "$directory"/apt/{lists,cache/archives}/partial
  : >"$directory/apt/status"
  apt_arm64 update || true  # a source without arm64 need not matter
  apt_arm64 install -y --download-only --no-install-recommends "${packages[@]}"
}

if [ ! -e "$sysroot/complete" ]; then
  download_libraries >"$directory/download.log" 2>&1 || {
    tail -n 5 "$directory/download.log"
    skip "this machine's package sources have no arm64 packages of ${packages[*]}"
  }
  rm -rf "$sysroot"
  mkdir "$sysroot"
  for package in "$directory"/apt/cache/archives/*.deb; do dpkg-deb -x "$package" "$sysroot"; done
  [ -e "$sysroot/lib" ] || ln -s usr/lib "$sysroot/lib"
  rm -rf "$directory/apt"
  touch "$sysroot/complete"
fi

# With less optimisation than elsewhere: a fourth less to wait, and no bit depends on that either.
options=(-DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG")
if command -v ccache >/dev/null; then options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache); fi
build() {
  cmake -S "$source" -B "$directory/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLOCKSTEP_NN_ONLY=ON \
    -DCMAKE_TOOLCHAIN_FILE="$source/tests/reference/aarch64-toolchain.cmake" \
    -DLOCKSTEP_SYSROOT="$sysroot" "${options[@]}" &&
    cmake --build "$directory/build" --target bits
}

if ! build >"$directory/build.log" 2>&1; then
  tail -n 60 "$directory/build.log"
  exit 1
fi
qemu-aarch64-static -L "$sysroot" -E LD_LIBRARY_PATH=/usr/lib/aarch64-linux-gnu/openblas-pthread \
  "$directory/build/tests/reference/bits" "$source/tests/reference/bits.txt"
