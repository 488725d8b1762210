// SPDX-License-Identifier: Apache-2.0
#pragma once

// Compiles a function for the widest vectors of several machines; the loader chooses. Such functions call nothing that
// is not inlined, and their files are compiled with -fopenmp-simd (core/kernel/CMakeLists.txt).
#if defined(__x86_64__) && defined(__GNUC__)
#define ROPESCOPE_VECTOR __attribute__((target_clones("default", "arch=haswell", "arch=skylake-avx512")))
#else
#define ROPESCOPE_VECTOR
#endif
