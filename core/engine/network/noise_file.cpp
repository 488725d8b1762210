// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/noise_file.h"

#include <ATen/ATen.h>

#include "core/checkpoint/tensor_table.h"
#include "core/engine/network/request_checks.h"

namespace ropescope {

std::string sidesText(const std::vector<std::int64_t>& sides) {
    std::string text;
    for (const std::int64_t side : sides) text += (text.empty() ? "[" : ",") + std::to_string(side);
    return text.empty() ? "[]" : text + "]";
}

Result<at::Tensor> readNoise(const std::string& option, const std::string& path,
                             std::initializer_list<std::string_view> names, std::int64_t channels) {
    const auto table = TensorTable::open(path);
    if (!table) return failure(table.error());
    const TensorEntry* entry = table->tensors().size() == 1 ? table->tensors().data() : nullptr;
    for (const std::string_view name : names) entry = entry ? entry : table->find(name);
    if (!entry) {
        return failure(optionError(option, "the file holds several tensors and none of the expected name",
                                   std::to_string(table->tensors().size()) + " tensors", std::string(*names.begin()),
                                   "Store the noise under that name or alone"));
    }
    if (entry->shape.size() != 4 || entry->shape[1] != channels || entry->elements() == 0) {
        return failure(optionError(option, "the noise does not fit the model", sidesText(entry->shape),
                                   "[n," + std::to_string(channels) + ",h,w]", "Give noise of that shape"));
    }
    const auto values = table->readFloat(entry->name);
    if (!values) return failure(values.error());
    return at::from_blob(const_cast<float*>(values->data()), entry->shape, at::kFloat).clone();
}

}  // namespace ropescope
