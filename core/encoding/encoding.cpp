// SPDX-License-Identifier: Apache-2.0
#include "core/encoding/encoding.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

namespace ropescope {
namespace {

HeadMaps storedHaropeMaps(const WeightTable& w, const std::string& prefix, Convention convention) {
    const auto factor = [&](const char* name) {
        const at::Tensor& t = w.at(prefix + "learnable_rot." + name);
        return t.requires_grad() ? t : t.to(at::kDouble);  // exact where no training has to pay for it
    };
    return haropeMaps(haropeFactors(factor("A_u"), factor("A_v"), factor("sigma")), convention);
}

WeightTable initialHarope(const std::string& prefix, int heads, int headDim) {
    const std::string rot = prefix + "learnable_rot.";
    // softplus(ln(e - 1)) = 1: singular values start at one.
    return {{rot + "A_u", at::zeros({heads, headDim, headDim})},
            {rot + "A_v", at::zeros({heads, headDim, headDim})},
            {rot + "sigma", at::full({heads, headDim}, std::log(std::expm1(1.0)))}};
}

constexpr std::array<Encoding, 4> kEncodings = {{
    {"none", PositionTable::None, Rotation::None, nullptr, nullptr},
    {"absolute", PositionTable::Added, Rotation::None, nullptr, nullptr},
    {"axial", PositionTable::None, Rotation::Axial, nullptr, nullptr},
    {"harope", PositionTable::None, Rotation::Axial, storedHaropeMaps, initialHarope},
}};

}  // namespace

std::span<const Encoding> encodings() {
    return kEncodings;
}

Result<const Encoding*> findEncoding(std::string_view name) {
    std::string known;
    for (const Encoding& e : kEncodings) {
        if (e.name == name) return &e;
        known += (known.empty() ? "" : ", ") + std::string(e.name);
    }
    return failure({ErrorKind::Usage, "encoding", "", "no such positional encoding", printable(name), known,
                    "Choose one of the known encodings"});
}

}  // namespace ropescope
