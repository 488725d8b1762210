// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

#include <exception>
#include <string>
#include <vector>

#include "core/data/error.h"
#include "core/data/model.h"
#include "core/data/request.h"

// Where to compute. LibTorch's CUDA library is opened when a driver and a device answer, before LibTorch itself is
// asked for CUDA anywhere, so that the program starts and runs without either.

namespace ropescope {

struct CudaDevices {
    std::vector<std::string> names;  ///< usable devices, in the driver's order
    std::vector<double> gibibytes;   ///< memory of each
    std::string reason;              ///< why there is none, when there is none
};

/// Probed once per process. Checked by tests/core/engine/device_test.cpp.
[[nodiscard]] const CudaDevices& cudaDevices();

/// "auto" (a GPU where one works), "cpu", "cuda" or "cuda:N". Errors: Usage for other words, Device with the reason
/// when the GPU asked for is not there.
[[nodiscard]] Result<at::Device> chooseDevice(const std::string& name);

[[nodiscard]] at::ScalarType scalarType(Precision precision);

/// Sets LibTorch's threads for the calling thread (0: all cores) and returns their number.
int useThreads(int threads);

/// While one lives, something samples or runs a network: light work then keeps to one thread.
class HeavyWork {
public:
    HeavyWork();
    ~HeavyWork();
    HeavyWork(const HeavyWork&) = delete;
    HeavyWork& operator=(const HeavyWork&) = delete;
    [[nodiscard]] static bool runs();
};

/// "CPU, 2 threads, fp32" or "NVIDIA H200, bf16".
[[nodiscard]] std::string describeCompute(at::Device device, Precision precision, int threads);

/// Memory that can still be taken there, in bytes: of the machine without swap, or of the GPU, after what
/// LibTorch only keeps for later has been given back. 0: not known.
[[nodiscard]] std::uint64_t freeBytes(at::Device device);

/// Whether an exception of LibTorch or the standard library says that memory has run out.
[[nodiscard]] bool isMemoryError(const std::exception& error);

/// What the control groups of a container or a batch job leave to this process, the tightest of them (cgroup v2 and
/// v1); the largest number without a limit. `list`: /proc/self/cgroup, `root`: /sys/fs/cgroup.
[[nodiscard]] std::uint64_t leftInGroups(const std::string& list, const std::string& root);

[[nodiscard]] DevicesReport devicesReport();

}  // namespace ropescope
