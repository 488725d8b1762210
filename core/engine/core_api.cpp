// SPDX-License-Identifier: Apache-2.0
#include "core/engine/core_api.h"

#include <c10/util/Exception.h>

#include <iostream>
#include <new>
#include <optional>

#include "core/checkpoint/tensor_table.h"
#include "core/encoding/changes.h"
#include "core/engine/bench/bench.h"
#include "core/engine/check/self_check.h"
#include "core/engine/machine/device.h"
#include "core/engine/measure/attention.h"
#include "core/engine/measure/calibrate.h"
#include "core/engine/measure/classify.h"
#include "core/engine/measure/compare.h"
#include "core/engine/measure/forward.h"
#include "core/engine/measure/pair.h"
#include "core/engine/measure/sweep.h"
#include "core/engine/network/text_prompt.h"
#include "core/engine/run/decoder.h"
#include "core/engine/run/generate.h"
#include "core/engine/weights/convert.h"
#include "core/engine/weights/fold.h"
#include "core/engine/weights/heads.h"
#include "core/model/lora.h"
#include "core/training/dataset.h"
#include "core/training/evaluate_command.h"
#include "core/training/study_command.h"
#include "core/training/train_command.h"

namespace ropescope {
namespace {

Error outOfMemory(const std::string& detail) {
    return {ErrorKind::Device,
            "GP-02",
            "",
            "the memory does not suffice",
            printable(detail, 160),
            "",
            "Choose a smaller size or batch, --precision bf16 or --device cpu"};
}

/// Exceptions end here and nowhere else: broken preconditions and LibTorch's own failures become one message.
template <class Work>
auto guarded(const Work& work) -> decltype(work()) {
    try {
        return work();
    } catch (const RefusedChange& refused) {
        return failure(refused.error);
    } catch (const std::bad_alloc&) {
        return failure(outOfMemory("allocation refused"));
    } catch (const c10::Error& error) {
        const std::string text = error.what_without_backtrace();
        if (isMemoryError(error)) return failure(outOfMemory(text));
        return failure({ErrorKind::Internal, "internal", "", "the calculation failed", printable(text, 200), "", ""});
    } catch (const std::exception& error) {
        if (isMemoryError(error)) return failure(outOfMemory(error.what()));
        return failure(
            {ErrorKind::Internal, "internal", "", "the calculation failed", printable(error.what(), 200), "", ""});
    }
}

template <class T>
Result<Reply> asReply(Result<T> result) {
    if (!result) return failure(std::move(result.error()));
    return Reply(std::move(*result));
}

Result<LabelledPictures> testSet(const std::string& folder) {
    auto set = readIdxFolder(folder, Split::Test);
    if (!set) return failure(std::move(set.error()));
    return LabelledPictures{std::move(set->images), std::move(set->labels)};
}

struct Answer {
    const JobContext& context;
    Result<Reply> operator()(const OpenRequest& r) const { return asReply(describeFile(r.model)); }
    Result<Reply> operator()(const TensorsRequest& r) const { return asReply(reportTensors(r)); }
    Result<Reply> operator()(const AtlasRequest& r) const { return asReply(reportAtlas(r, context)); }
    Result<Reply> operator()(const HeadsRequest& r) const { return asReply(reportHeads(r, context)); }
    Result<Reply> operator()(const DevicesRequest&) const { return Reply(devicesReport()); }
    Result<Reply> operator()(const GenerateRequest& r) const {
        const HeavyWork heavy;
        return asReply(generate(r, context));
    }
    Result<Reply> operator()(const CalibrateRequest& r) const {
        const HeavyWork heavy;
        return asReply(calibrate(r, context));
    }
    Result<Reply> operator()(const CompareRequest& r) const {
        const std::optional<HeavyWork> heavy = r.needsData() ? std::optional<HeavyWork>(std::in_place) : std::nullopt;
        return asReply(compareHeads(r, context));
    }
    Result<Reply> operator()(const ClassifyRequest& r) const { return asReply(classify(r)); }
    Result<Reply> operator()(const SelfCheckRequest& r) const { return asReply(selfCheck(r, context)); }
    Result<Reply> operator()(const TokensRequest& r) const { return asReply(tokensOf(r)); }
    Result<Reply> operator()(const LorasRequest& r) const { return asReply(matchLoras(r)); }
    Result<Reply> operator()(const AttentionRequest& r) const {
        const HeavyWork heavy;
        return asReply(attentionOf(r, context));
    }
    Result<Reply> operator()(const DecodeRequest& r) const {
        const HeavyWork heavy;
        return asReply(decodeStep(r, context.stop));
    }
    Result<Reply> operator()(const PairRequest& r) const {
        const HeavyWork heavy;
        return asReply(runPair(r, context));
    }
    Result<Reply> operator()(const SweepRequest& r) const {
        const HeavyWork heavy;
        return asReply(sweep(r, context, testSet));
    }
    Result<Reply> operator()(const SavePngRequest&) const { return notHere(); }
    Result<Reply> operator()(const ReadSettingsRequest&) const { return notHere(); }
    static Result<Reply> notHere() { throw std::logic_error("the media library reads and writes pictures"); }
};

int exitCode(const Result<int>& result) {
    if (result) return *result;
    std::cerr << result.error().message() << "\n";
    return result.error().exitCode();
}

class Core final : public CoreApi {
public:
    Result<Reply> run(const Request& request, const JobContext& context) override {
        return guarded([&] { return std::visit(Answer{context}, request); });
    }
    Result<void> inspect(const InspectCommand& command) override {
        return guarded([&] { return inspectModel(command); });
    }
    Result<void> forward(const ForwardCommand& command) override {
        return guarded([&] { return forwardToFile(command); });
    }
    Result<std::string> fold(const ExportCommand& command) override {
        return guarded([&] { return foldModel(command); });
    }
    Result<std::string> convert(const ExportCommand& command) override {
        return guarded([&] { return convertModel(command); });
    }
    int train(const std::vector<std::string>& arguments) override {
        return exitCode(guarded([&]() -> Result<int> { return runTrain(arguments); }));
    }
    int evaluate(const std::vector<std::string>& arguments) override {
        return exitCode(guarded([&]() -> Result<int> { return runEvaluate(arguments); }));
    }
    int study(const std::vector<std::string>& arguments) override {
        return exitCode(guarded([&]() -> Result<int> { return runStudyCommand(arguments); }));
    }
    int bench(const std::vector<std::string>& arguments) override {
        return exitCode(guarded([&]() -> Result<int> { return runBench(arguments); }));
    }
};

}  // namespace
}  // namespace ropescope

extern "C" ropescope::CoreApi* ropescopeCore() {
    static ropescope::Core core;
    return &core;
}
