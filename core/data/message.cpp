// SPDX-License-Identifier: Apache-2.0
#include "core/data/message.h"

#include <array>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace ropescope {
namespace {

constexpr std::array<std::string_view, std::variant_size_v<Body>> kBodyNames = {"",
                                                                                "Hello",
                                                                                "Alive",
                                                                                "ShareProgress",
                                                                                "GenerateProgress",
                                                                                "Part",
                                                                                "Error",
                                                                                "OpenRequest",
                                                                                "AtlasRequest",
                                                                                "HeadsRequest",
                                                                                "DevicesRequest",
                                                                                "GenerateRequest",
                                                                                "SavePngRequest",
                                                                                "ModelCard",
                                                                                "AtlasReport",
                                                                                "HeadsReport",
                                                                                "DevicesReport",
                                                                                "GenerateResult",
                                                                                "SavedFile",
                                                                                "SelfCheckRequest",
                                                                                "SelfCheckReport",
                                                                                "AtlasProgress",
                                                                                "CalibrateRequest",
                                                                                "CalibrationReport",
                                                                                "CompareRequest",
                                                                                "CompareReport",
                                                                                "ClassifyRequest",
                                                                                "ClassifyResult",
                                                                                "TokensRequest",
                                                                                "TokensReport",
                                                                                "AttentionRequest",
                                                                                "AttentionReport",
                                                                                "ReadSettingsRequest",
                                                                                "PictureSettings",
                                                                                "LorasRequest",
                                                                                "LorasReport",
                                                                                "DecodeRequest",
                                                                                "DecodedStep",
                                                                                "TensorsRequest",
                                                                                "TensorsReport"};

template <class T, class Variant>
struct IsMember;
template <class T, class... Members>
struct IsMember<T, std::variant<Members...>> : std::disjunction<std::is_same<T, Members>...> {};

template <class Target>
bool holdsOneOf(const Body& body) {
    return std::visit([](const auto& value) { return IsMember<std::decay_t<decltype(value)>, Target>::value; }, body);
}

template <class Target>
Target narrowed(const Body& body) {
    return std::visit(
        [](const auto& value) -> Target {
            if constexpr (IsMember<std::decay_t<decltype(value)>, Target>::value) {
                return value;
            } else {
                throw std::invalid_argument("the message body holds something else");
            }
        },
        body);
}

template <std::size_t... I>
Body madeAt(std::size_t index, std::index_sequence<I...>) {
    Body body;
    ((index == I ? (body.emplace<I>(), void()) : void()), ...);
    return body;
}

}  // namespace

Request requestOf(const Body& body) {
    return narrowed<Request>(body);
}
Reply replyOf(const Body& body) {
    return narrowed<Reply>(body);
}
bool isRequest(const Body& body) {
    return holdsOneOf<Request>(body);
}
bool isReply(const Body& body) {
    return holdsOneOf<Reply>(body);
}
Body bodyOf(const Request& request) {
    return std::visit([](const auto& value) -> Body { return value; }, request);
}
Body bodyOf(const Reply& reply) {
    return std::visit([](const auto& value) -> Body { return value; }, reply);
}

std::string_view bodyName(const Body& body) {
    return kBodyNames[body.index()];
}

Result<Body> bodyFromName(std::string_view name) {
    for (std::size_t i = 0; i < kBodyNames.size(); ++i) {
        if (kBodyNames[i] == name) return madeAt(i, std::make_index_sequence<std::variant_size_v<Body>>());
    }
    return failure({.code = "WIRE-02", .place = "wire", .reason = "unknown message type", .found = printable(name)});
}

}  // namespace ropescope
