# SPDX-License-Identifier: Apache-2.0
# The LibTorch of the PyPI wheel as one imported target. find_package(Torch) is not used: without a CUDA toolkit it
# ends in an error, with one it drags the toolkit into every program.
set(ROPESCOPE_TORCH_ROOT "${CMAKE_SOURCE_DIR}/.deps/torch" CACHE PATH
    "Folder that holds torch/ (the unpacked wheel) and, beside it, nvidia/")
if(NOT EXISTS "${ROPESCOPE_TORCH_ROOT}/torch/lib/libtorch_cpu.so")
    message(FATAL_ERROR "LibTorch is not at ${ROPESCOPE_TORCH_ROOT}. Run tools/setup, or set ROPESCOPE_TORCH_ROOT.")
endif()
add_library(ropescope_torch INTERFACE)
target_include_directories(ropescope_torch SYSTEM INTERFACE
    "${ROPESCOPE_TORCH_ROOT}/torch/include" "${ROPESCOPE_TORCH_ROOT}/torch/include/torch/csrc/api/include")
target_link_libraries(ropescope_torch INTERFACE
    "${ROPESCOPE_TORCH_ROOT}/torch/lib/libtorch_cpu.so" "${ROPESCOPE_TORCH_ROOT}/torch/lib/libc10.so")
target_link_options(ropescope_torch INTERFACE "LINKER:-rpath,${ROPESCOPE_TORCH_ROOT}/torch/lib"
    "LINKER:--disable-new-dtags" "LINKER:--allow-shlib-undefined")
