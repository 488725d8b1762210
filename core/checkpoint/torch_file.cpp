// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/table_contents.h"

namespace ropescope {
Result<void> readTorchZip(TensorTable::Contents& contents, WeightChoice) {
    return failure({ErrorKind::Refused,
                    "ZC-09",
                    place({contents.file.path()}),
                    "PyTorch zip files cannot be read yet",
                    {},
                    {},
                    {}});
}
}  // namespace ropescope
