// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "core/data/field.h"
#include "core/data/generation.h"
#include "core/data/model.h"

namespace ropescope {

/// How the text encoders of a model cut a prompt into tokens.
struct TokensRequest {
    ModelRef model;
    std::string encoders;  ///< as in TextSettings
    std::string prompt;
};

/// What one encoder makes of a prompt.
struct EncodedText {
    std::string encoder;              ///< its folder or file: "text_encoder_2", "t5xxl_fp16"
    int first = -1;                   ///< its first token's number among the text tokens of the joint attention; -1:
                                      ///< only a pooled vector enters
    int length = 0;                   ///< tokens it is given, padding included
    int used = 0;                     ///< of them, without padding
    int cut = 0;                      ///< tokens of the prompt that did not fit
    std::vector<std::string> pieces;  ///< the used ones, as text
};
struct TokensReport {
    std::vector<EncodedText> parts;
};

/// Where one head looks, for chosen tokens: at one sampling step of a run, or, for a model that classifies, in one
/// picture. The engine keeps the latents of its last run; of another run it repeats the steps before.
struct AttentionRequest {
    GenerateRequest run;  ///< its first image; of guided runs the conditional half. A ViT takes the model alone of it
    int step = 0;         ///< 0 .. steps-1: the network's first evaluation in that step; 0 for a ViT
    HeadId head;
    std::vector<int> patches;  ///< picture tokens, row by row; with `words` empty too: all picture tokens
    std::vector<int> words;    ///< text tokens, as the joint attention counts them; of a ViT the tokens before the
                               ///< patches
    std::string image;         ///< the picture file a ViT is given; empty for a run
};

/// Attention to or from the chosen tokens, for every token.
struct TokenWeights {
    std::vector<float> image;  ///< [rows*cols], row by row
    std::vector<float> text;   ///< [T]
};
struct AttentionReport {
    Grid grid;
    JointShares shares;
    double entropy = 0;   ///< mean over picture queries, nats
    double time = 0;      ///< of the step, 0..1000
    TokenWeights looks;   ///< mean over the chosen tokens of their attention rows: both parts together sum to 1
    TokenWeights seen;    ///< how much of every token's attention goes to the chosen ones, in [0, 1]
    TokensReport tokens;  ///< what the text tokens are; empty where only embeddings were given
};

template <class V>
void fields(V& v, TokensRequest& r) {
    v("model", r.model), v("encoders", r.encoders), v("prompt", r.prompt);
}
template <class V>
void fields(V& v, EncodedText& t) {
    v("encoder", t.encoder), v("first", t.first), v("length", t.length), v("used", t.used), v("cut", t.cut),
        v("pieces", t.pieces);
}
template <class V>
void fields(V& v, TokensReport& r) {
    v("parts", r.parts);
}
template <class V>
void fields(V& v, AttentionRequest& r) {
    v("run", r.run), v("step", r.step), v("head", r.head), v("patches", r.patches), v("words", r.words),
        v("image", r.image);
}
template <class V>
void fields(V& v, TokenWeights& w) {
    v("image", w.image), v("text", w.text);
}
template <class V>
void fields(V& v, AttentionReport& r) {
    v("grid", r.grid), v("shares", r.shares), v("entropy", r.entropy), v("time", r.time), v("looks", r.looks),
        v("seen", r.seen), v("tokens", r.tokens);
}

}  // namespace ropescope
