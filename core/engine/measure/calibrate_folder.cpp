// SPDX-License-Identifier: Apache-2.0
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <filesystem>

#include "core/checkpoint/model_folder.h"
#include "core/engine/machine/device.h"
#include "core/engine/machine/media_library.h"
#include "core/engine/measure/calibration_sources.h"
#include "core/engine/measure/preprocess.h"
#include "core/engine/network/loaded_model.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/run/picture.h"
#include "core/probe/token_field.h"

namespace ropescope {
namespace {

namespace fs = std::filesystem;

bool isPicture(const fs::path& path) {
    std::string end = path.extension().string();
    std::transform(end.begin(), end.end(), end.begin(), [](unsigned char c) { return std::tolower(c); });
    return end == ".png" || end == ".jpg" || end == ".jpeg" || end == ".webp";
}

Result<std::vector<std::string>> picturesIn(const std::string& folder) {
    std::vector<std::string> all;
    const auto closed = [&](const std::string& why) {
        return failure({ErrorKind::Refused, "folder", place({folder}), "the folder cannot be read", why,
                        "a folder of pictures", "Choose another one"});
    };
    if (const std::string why = closedBecause(folder); !why.empty()) return closed(why);
    std::error_code error;
    for (auto entry = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, error);
         !error && entry != fs::recursive_directory_iterator(); entry.increment(error))
        if (isPicture(entry->path()) && entry->is_regular_file(error)) all.push_back(entry->path().string());
    if (error) return closed(error.message());
    if (all.empty())
        return failure({ErrorKind::Refused, "folder", place({folder}), "no picture lies in the folder", "none",
                        "PNG, JPEG or WebP files", "Choose another one"});
    std::sort(all.begin(), all.end());
    return all;
}

/// `count` of them at even distances, so that a folder sorted by class is not measured on its first class alone.
std::vector<std::string> spread(const std::vector<std::string>& all, int count) {
    const std::size_t n = std::min<std::size_t>(all.size(), count);
    std::vector<std::string> some;
    for (std::size_t i = 0; i < n; ++i) some.push_back(all[i * all.size() / n]);
    return some;
}

class Watching {
public:
    Watching(const LoadedModel& model, Calibration& calibration, at::Device device)
        : m_model(model), m_calibration(calibration), m_measured(calibration.layers(), model.card.layers, device) {
        m_taps.projected = [this](int layer, const at::Tensor& q, const at::Tensor& k) {
            if (const int index = m_measured.index[layer]; index >= 0)
                m_calibration.addContent(index, 0, patches(q, index), patches(k, index));
        };
        m_taps.queryKey = [this](int layer, at::Tensor& q, at::Tensor& k) {
            const int index = m_measured.index[layer];
            if (index >= 0) m_query = patches(q, index), m_key = patches(k, index);
        };
        m_taps.attention = [this](int layer, const at::Tensor& attention) {
            if (const int index = m_measured.index[layer]; index >= 0) watch(index, attention);
        };
    }

    /// [1,C,h,w], normalised.
    void picture(const at::Tensor& x) {
        (void)vitForward(m_model.vitWeights, m_model.vitShape, x, m_taps);
        m_calibration.finishImage();
    }

private:
    /// Measured heads of what has a place in the grid, [n,N,D].
    [[nodiscard]] at::Tensor patches(const at::Tensor& x, int index) const {
        const int first = m_model.vitShape.leadTokens();
        return x[0].index_select(0, m_measured.heads[index]).narrow(1, first, x.size(2) - first);
    }

    void watch(int index, const at::Tensor& attention) {
        const Grid grid = m_model.card.grid;
        const TokenField field = fieldOfTokens(attention.index_select(1, m_measured.heads[index]).to(at::kCPU), grid);
        AttentionSample sample{field.patches.sum, field.patches.entropy, {}};
        for (std::int64_t i = 0; i < m_query.size(0); ++i)
            sample.offsetShare.push_back(offsetShare(m_query[i], m_key[i], grid));
        m_calibration.addAttention(index, 0, sample);
    }

    const LoadedModel& m_model;
    Calibration& m_calibration;
    MeasuredLayers m_measured;
    ViTTaps m_taps;
    at::Tensor m_query, m_key;  ///< of the layer at work, after map and rotary
};

std::string sourceOf(const std::string& folder, int read, int unreadable) {
    std::string text = std::to_string(read) + (read == 1 ? " picture of " : " pictures of ") + folder;
    if (unreadable > 0) text += " (" + std::to_string(unreadable) + " more could not be read)";
    return text;
}

}  // namespace

Result<CalibrationReport> calibrateOnFolder(const CalibrateRequest& request, HeadStore& store,
                                            const JobContext& context) {
    const auto start = std::chrono::steady_clock::now();
    const c10::InferenceMode inference;
    const auto device = chooseDevice(request.compute.device);
    if (!device) return failure(device.error());
    const Result<MediaApi*> media = openMediaLibrary();
    if (!media) return failure(media.error());
    const auto all = picturesIn(request.folder);
    if (!all) return failure(all.error());
    const std::vector<std::string> files = spread(*all, request.images);
    const int threads = useThreads(request.compute.threads);
    const auto model = loadModel(request.model, *device, Precision::Fp32);
    if (!model) return failure(model.error());
    const ModelCard& card = (*model)->card;
    auto layers = chosenLayers(store, request.heads);
    if (!layers) return failure(layers.error());
    Calibration calibration(std::move(*layers), card.grid, 1);
    Watching network(**model, calibration, *device);
    Result<void> unreadable;
    int done = 0;
    for (const std::string& file : files) {
        if (context.stop.stop_requested()) return failure(cancelled());
        const auto pixels = (*media)->readImage(file);
        const auto input = pixels ? classifierInput(*pixels, card.preprocessing) : pixels;
        if (input) {
            network.picture(normalisedInput(*input, card.preprocessing).to(*device));
        } else {
            unreadable = failure(input.error());
        }
        ++done;
        if (context.onShare)
            context.onShare(static_cast<double>(done) / static_cast<double>(files.size()),
                            "picture " + std::to_string(done) + " of " + std::to_string(files.size()));
    }
    if (calibration.images() == 0) return failure(unreadable.error());
    CalibrationReport report = calibration.report(card.layers, card.heads);
    report.source = sourceOf(request.folder, calibration.images(), done - calibration.images());
    report.device = describeCompute(*device, Precision::Fp32, threads);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace ropescope
