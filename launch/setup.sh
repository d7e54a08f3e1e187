#!/usr/bin/env bash
# Installs what building Lockstep needs; `setup.sh tests`: what its tests need, too.
# On Debian and Ubuntu it installs packages, as root or through sudo. Elsewhere, or without root, it
# lists what is missing by the names of CMake, Debian, Spack and modules. It changes nothing else.
set -euo pipefail

build_packages=(
  git cmake ninja-build g++ pkg-config openmpi-bin libopenmpi-dev libhdf5-dev
  libboost-program-options-dev libopenblas-dev nlohmann-json3-dev libfmt-dev librandom123-dev
  libxxhash-dev libssl-dev zlib1g-dev libpng-dev libzip-dev libmuparser-dev
  libprotobuf-dev protobuf-compiler libonnx-dev
)
data_packages=(dataset-fashion-mnist)
test_packages=(
  ccache libgtest-dev libgmock-dev mpich libmpich-dev hdf5-tools python3 python3-h5py python3-numpy strace
  iproute2 openssh-server
)
# The tests also run on an emulated CPU of another kind.
[ "$(uname -m)" != x86_64 ] || test_packages+=(g++-aarch64-linux-gnu qemu-user-static)

say() { printf 'setup: %s\n' "$*"; }

# Those of the packages that are not installed, one a line.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      printf '%s\n' "$package"
  done
}

# "root", "sudo", or nothing if packages cannot be installed.
install_right() {
  if [ "$(id -u)" -eq 0 ]; then
    echo root
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    echo sudo
  fi
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# A daemon that comes with a package (the tests run sshd by themselves) starts neither now nor with
# the machine.
install_packages() (
  say "installing with apt-get: $*"
  policy=/usr/sbin/policy-rc.d
  if [ ! -e $policy ]; then
    trap 'as_root rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
    as_root chmod 755 $policy
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" || exit
  case " $* " in
    *" openssh-server "*)
      ! command -v systemctl >/dev/null || as_root systemctl --quiet disable ssh.service ssh.socket || true
      ;;
  esac
)

# Prints a line of the list of what is missing if the probe (a command) fails.
need() {
  local cmake_name=$1 debian=$2 spack=$3 module=$4
  shift 4
  "$@" >/dev/null 2>&1 && return
  printf '  %-22s %-30s %-26s %s\n' "$cmake_name" "$debian" "$spack" "$module"
}

# Whether the C++ compiler finds a header, with pkg-config's directories for a package if there are any.
has_header() {
  local header=$1 package=${2:-} flags=()
  [ -z "$package" ] || read -r -a flags <<<"$(pkg-config --cflags "$package" 2>/dev/null || true)"
  "${CXX:-c++}" "${flags[@]}" -E -x c++ -include "$header" /dev/null
}

has_hdf5() {
  command -v h5cc || command -v h5pcc || pkg-config --exists hdf5 || has_header hdf5.h
}

has_blas() { pkg-config --exists openblas || pkg-config --exists cblas; }

has_compiler() {
  "${CXX:-c++}" -std=c++20 -E -x c++ -include compare /dev/null
}

list_missing() {
  need "(git)" git git git command -v git
  need "(CMake 3.22)" cmake cmake cmake command -v cmake
  need "(Ninja)" ninja-build ninja ninja command -v ninja
  need "(C++20 compiler)" g++ gcc gcc/12 has_compiler
  need PkgConfig pkg-config pkgconf pkgconf command -v pkg-config
  need MPI "openmpi-bin libopenmpi-dev" openmpi openmpi command -v mpicxx
  need HDF5 libhdf5-dev hdf5 hdf5 has_hdf5
  need Boost libboost-program-options-dev "boost+program_options" boost \
    has_header boost/program_options.hpp
  need "(OpenBLAS)" libopenblas-dev openblas openblas has_blas
  need nlohmann_json nlohmann-json3-dev nlohmann-json nlohmann_json \
    has_header nlohmann/json.hpp nlohmann_json
  need fmt libfmt-dev fmt fmt has_header fmt/format.h fmt
  need "(Random123)" librandom123-dev random123 random123 has_header Random123/philox.h
  need "(xxHash)" libxxhash-dev xxhash xxhash pkg-config --exists libxxhash
  need OpenSSL libssl-dev openssl openssl has_header openssl/evp.h openssl
  need ZLIB zlib1g-dev zlib zlib has_header zlib.h zlib
  need PNG libpng-dev libpng libpng has_header png.h libpng
  need "(libzip)" libzip-dev libzip libzip pkg-config --exists libzip
  need muparser libmuparser-dev muparser muparser has_header muParser.h muparser
  need Protobuf libprotobuf-dev protobuf protobuf pkg-config --exists protobuf
  need ONNX libonnx-dev onnx onnx has_header onnx/onnx_pb.h
  [ "${1:-}" = tests ] || return 0
  need GTest "libgtest-dev libgmock-dev" googletest googletest has_header gmock/gmock.h gmock
  need "(Python 3, h5py)" "python3-h5py python3-numpy" py-h5py python has_h5py
  need "(HDF5 tools)" hdf5-tools "hdf5+tools" hdf5 command -v h5dump
  need "(strace)" strace strace strace command -v strace
  need "(ip)" iproute2 iproute2 iproute2 has_program ip
  need "(sshd)" openssh-server openssh openssh has_program sshd
  [ "$(uname -m)" = x86_64 ] || return 0
  need "(aarch64 compiler)" g++-aarch64-linux-gnu - - command -v aarch64-linux-gnu-g++
  need "(aarch64 emulator)" qemu-user-static qemu qemu command -v qemu-aarch64-static
}

has_program() { PATH=$PATH:/usr/sbin:/sbin command -v "$1"; }

has_h5py() { python3 -c 'import h5py, numpy'; }

# Fails if the build would. Tests whose packages are missing are skipped, and generated images take
# the dataset's place.
report_missing() {
  local missing
  missing=$(list_missing "${1:-}")
  if [ -z "$missing" ]; then
    say "everything that the build needs is there"
    return 0
  fi
  say "missing; load the modules or install the packages, then start again:"
  printf '  %-22s %-30s %-26s %s\n%s\n' "CMake" "Debian, Ubuntu" "Spack" "module" "$missing"
  [ -z "$(list_missing)" ]
}

main() {
  local wanted=("${build_packages[@]}" "${data_packages[@]}") missing=() right
  case "${1:-}" in
    "") ;;
    tests) wanted+=("${test_packages[@]}") ;;
    *)
      echo "usage: setup.sh [tests]" >&2
      return 64
      ;;
  esac
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    report_missing "${1:-}"
    return
  fi
  mapfile -t missing < <(missing_packages "${wanted[@]}")
  if [ "${#missing[@]}" -eq 0 ]; then
    say "every package is there"
    return 0
  fi
  right=$(install_right)
  if [ -z "$right" ]; then
    say "not root and no sudo: cannot install ${missing[*]}"
    report_missing "${1:-}"
    return
  fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q || say "apt-get update failed"
  install_packages "${missing[@]}" || {
    # A package that this release lacks (the dataset, above all) must not stop the others.
    say "apt-get could not install all of them at once; trying one by one"
    local package
    for package in "${missing[@]}"; do
      install_packages "$package" || say "cannot install $package"
    done
    report_missing "${1:-}"
  }
}

main "$@"
