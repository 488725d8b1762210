// SPDX-License-Identifier: Apache-2.0
#include "core/engine/network/prompt.h"

#include <ATen/ATen.h>

#include "core/engine/network/flow_inputs.h"

namespace ropescope {
namespace {

Result<Prompt> readEmbeddings(const GenerateRequest& request, const Painter& painter) {
    const TextRecipe& recipe = painter.text();
    const auto in = NamedInputs::open(request.text.embeddings,
                                      "Embeddings are encoder_hidden_states [1,T,e] and pooled_projections [1,p], of a "
                                      "negative prompt with negative_ before the name");
    if (!in) return failure(in.error());
    Prompt prompt;
    const auto take = [&](const std::string& prefix, at::Tensor& text, at::Tensor& pooled) -> Result<void> {
        const auto words = in->read(prefix + "encoder_hidden_states", {1, -1, recipe.width});
        if (!words) return failure(words.error());
        const auto one = in->read(prefix + "pooled_projections", {1, recipe.pooled});
        if (!one) return failure(one.error());
        for (const auto& [name, values] : {std::pair("encoder_hidden_states", *words), {"pooled_projections", *one}})
            if (!at::isfinite(values).all().item<bool>())
                return failure(in->error(prefix + name, "values are not finite", "", "numbers"));
        text = *words, pooled = *one;
        return {};
    };
    if (auto taken = take("", prompt.text, prompt.pooled); !taken) return failure(taken.error());
    // Guidance without its other side says which tensor is missing.
    if (painter.guidance(request) != 1)
        if (auto taken = take("negative_", prompt.negativeText, prompt.negativePooled); !taken)
            return failure(taken.error());
    return prompt;
}

Result<Prompt> encodePrompts(const GenerateRequest& request, Painter& painter, const JobContext& context) {
    EncoderRun run{painter.weights().type(), painter.weights().device(), request.text.memory};
    run.begun = [&](const std::string& encoder) {
        if (context.onShare) context.onShare(-1, "reading the prompt: " + encoder);
    };
    run.goOn = [&] { return !context.stop.stop_requested(); };
    run.room = [&](std::uint64_t bytes) { return makeRoom(painter.weights(), bytes, request.text.memory); };
    auto own = embedText(request.text.encoders, request.model.path, request.text.prompt, painter.text(), run);
    if (!own) return failure(own.error());
    Prompt prompt{own->text, own->pooled, {}, {}, std::move(own->tokens)};
    if (context.onNote)
        for (const EncodedText& part : prompt.tokens.parts) context.onNote(describeTokens(part));
    if (painter.guidance(request) == 1) return prompt;
    const auto other = embedText(request.text.encoders, request.model.path, request.text.negative, painter.text(), run);
    if (!other) return failure(other.error());
    prompt.negativeText = other->text, prompt.negativePooled = other->pooled;
    return prompt;
}

}  // namespace

Result<Prompt> readPrompt(const GenerateRequest& request, Painter& painter, const JobContext& context) {
    return whileReading([&] {
        return request.text.embeddings.empty() ? encodePrompts(request, painter, context)
                                               : readEmbeddings(request, painter);
    });
}

}  // namespace ropescope
