# Debian's cross-compiler; the libraries come from LOCKSTEP_SYSROOT, where aarch64.sh has unpacked them.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_TRY_COMPILE_PLATFORM_VARIABLES LOCKSTEP_SYSROOT)

set(CMAKE_FIND_ROOT_PATH ${LOCKSTEP_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# Alternatives (openblas.pc) are links that only an installation makes.
set(libraries ${LOCKSTEP_SYSROOT}/usr/lib/aarch64-linux-gnu)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${LOCKSTEP_SYSROOT})
set(ENV{PKG_CONFIG_LIBDIR}
  ${libraries}/pkgconfig:${libraries}/openblas-pthread/pkgconfig:${LOCKSTEP_SYSROOT}/usr/share/pkgconfig)
set(CMAKE_CXX_FLAGS_INIT "-isystem ${LOCKSTEP_SYSROOT}/usr/include/aarch64-linux-gnu")
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-rpath-link,${libraries}")
set(CMAKE_SKIP_RPATH ON)  # the emulator looks below LOCKSTEP_SYSROOT
