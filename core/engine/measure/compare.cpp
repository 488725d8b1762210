// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/compare.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/data/kernel_series.h"
#include "core/engine/machine/device.h"
#include "core/engine/measure/calibrate.h"
#include "core/engine/network/request_checks.h"
#include "core/engine/weights/head_store.h"
#include "core/probe/compare.h"
#include "core/probe/frequencies.h"
#include "core/probe/kernel.h"
#include "core/probe/planes.h"

namespace ropescope {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kMostHeads = 4096;  // the matrix then takes 128 MiB

Error usage(const std::string& reason, const std::string& found, const std::string& expected,
            const std::string& advice) {
    return {ErrorKind::Usage, "compare", "", reason, found, expected, advice};
}

/// One head with what the metric needs of it; empty where it has none.
struct Compared {
    int model = 0;
    HeadId id;
    EnergySpectrum spectrum;
    KernelSeries kernel;
    std::vector<double> field;  ///< attention per pair [2h-1,2w-1] of `grid`
    PlaneBases bases;
    Grid grid = {};
};

Grid smaller(Grid a, Grid b) {
    return {std::min(a.rows, b.rows), std::min(a.cols, b.cols)};
}

/// The models of a request and the smallest grid they share.
struct Comparison {
    std::vector<std::shared_ptr<HeadStore>> stores;
    std::vector<Compared> heads;
    Grid grid;
    std::string note;
};

Result<void> openModels(const CompareRequest& request, Comparison& c) {
    if (request.models.empty()) return failure(usage("no model to compare", "none", "one or more", "Name a file"));
    std::size_t count = 0;
    for (const ModelRef& ref : request.models) {
        const Result<std::shared_ptr<HeadStore>> store = headStore(ref);
        if (!store) return failure(store.error());
        const ModelCard& card = (*store)->card();
        c.grid = c.stores.empty() ? card.grid : smaller(c.grid, card.grid);
        for (HeadId id : request.heads)
            if (id.layer < 0 || id.layer >= card.layers || id.head < 0 || id.head >= card.heads)
                return failure(usage("a model has no such head", id.name(), card.name, "Choose heads that all have"));
        count += request.heads.empty() ? std::size_t(card.layers) * card.heads : request.heads.size();
        c.stores.push_back(*store);
    }
    if (count > kMostHeads)
        return failure(usage("too many heads", std::to_string(count), "at most " + std::to_string(kMostHeads),
                             "Choose some of them"));
    if (request.metric != CompareMetric::PlaneOverlap) return {};
    if (c.stores.size() != 2)
        return failure(usage("plane overlap is between two states of one run",
                             std::to_string(c.stores.size()) + " models", "2", "Name two checkpoints"));
    const ModelCard &a = c.stores[0]->card(), &b = c.stores[1]->card();
    if (a.layers != b.layers || a.heads != b.heads || a.headDim != b.headDim || a.encoding != b.encoding)
        return failure(usage("the two are no states of one run", b.name, "the sizes and encoding of " + a.name,
                             "Name two checkpoints of one training"));
    return {};
}

std::vector<HeadId> headsOf(const CompareRequest& request, const ModelCard& card) {
    if (!request.heads.empty()) return request.heads;
    std::vector<HeadId> all;
    for (int layer = 0; layer < card.layers; ++layer)
        for (int head = 0; head < card.heads; ++head) all.push_back({layer, head});
    return all;
}

/// From the weights alone: energies and kernels with W W^T, planes of the query map.
Result<void> addFromWeights(const CompareRequest& request, int model, Comparison& c, const JobContext& context) {
    HeadStore& store = *c.stores[model];
    for (HeadId id : headsOf(request, store.card())) {
        if (context.stop.stop_requested()) return failure(cancelled());
        const Result<const std::vector<LoadedHead>*> layer = store.layer(id.layer);
        if (!layer) return failure(layer.error());
        const LoadedHead& head = (**layer)[id.head];
        Compared out{model, id, {}, {}, {}, {}};
        if (head.problem.empty() && request.metric == CompareMetric::PlaneOverlap) {
            out.spectrum.planes = head.value.planes;
            out.bases = planeBases(head.value.map.query);
        } else if (head.problem.empty() && head.value.hasContent() && head.value.planes.count() > 0) {
            const ContentMoments moved = mapped(head.value.map, head.value.content);
            out.spectrum = {head.value.planes, planeEnergies(moved)};
            out.kernel = kernelOf(moved, head.value.planes, 1);
        }
        c.heads.push_back(std::move(out));
    }
    return {};
}

Result<void> addFromData(const CompareRequest& request, int model, Comparison& c, const JobContext& context) {
    CalibrateRequest measure = request.measure;
    measure.model = request.models[model];
    measure.heads = request.heads;
    const ModelCard& card = c.stores[model]->card();
    if (card.takesText()) measure.labels.clear();
    if (!card.takesText()) measure.prompts.clear(), measure.text = {}, measure.size = {};
    if (card.architecture != "vit") measure.folder.clear();  // measured on what it draws
    JobContext part = context;
    if (context.onShare)
        part.onShare = [&](double done, const std::string& word) {
            context.onShare((model + done) / static_cast<double>(request.models.size()), word);
        };
    const Result<CalibrationReport> report = calibrate(measure, part);
    if (!report) return failure(report.error());
    c.note = "Measured: " + report->source;
    c.grid = model == 0 ? report->grid : smaller(c.grid, report->grid);
    for (const HeadCalibration& h : report->curves) {
        Compared out{model, h.id, {}, {}, {}, {}};
        if (h.problem.empty()) {
            if (!h.energy.empty()) out.spectrum = {{h.frequency, h.kernel.axes}, h.energy};
            out.kernel = h.kernel;
            out.field.assign(h.field.mean.begin(), h.field.mean.end());
            out.grid = report->grid;
        }
        c.heads.push_back(std::move(out));
    }
    return {};
}

std::vector<double> correlationMatrix(const CompareRequest& request, const Comparison& c) {
    std::vector<std::vector<double>> rows;
    for (const Compared& head : c.heads) {
        if (request.metric == CompareMetric::FieldCorrelation)
            rows.push_back(head.field.empty() ? head.field : cutOffsets(head.field, head.grid, c.grid));
        else
            rows.push_back(head.kernel.a.empty() ? std::vector<double>() : evaluateKernel(head.kernel, c.grid));
    }
    return correlations(rows, pairWeights(c.grid));
}

std::vector<double> overlapMatrix(const Comparison& c, CompareReport& report) {
    const std::size_t n = c.heads.size(), half = n / 2;
    std::vector<double> matrix(n * n, kNone);
    for (std::size_t i = 0; i < half; ++i) {
        const Compared &a = c.heads[i], &b = c.heads[half + i];
        if (!a.bases.basis.defined() || !b.bases.basis.defined()) {
            report.perPlane.insert(report.perPlane.end(), c.stores[0]->card().headDim / 2, kNone);
            continue;
        }
        const std::vector<double> planes = queryKeyOverlap(a.bases, b.bases);
        matrix[i * n + i] = matrix[(half + i) * n + half + i] = 1;
        matrix[i * n + half + i] = matrix[(half + i) * n + i] = meanOverTurning(planes, a.spectrum.planes);
        report.perPlane.insert(report.perPlane.end(), planes.begin(), planes.end());
    }
    return matrix;
}

void explain(const CompareRequest& request, CompareReport& report) {
    const bool data = request.content == ContentSource::Data;
    const std::string with = data ? ", data" : ", weights";
    switch (request.metric) {
        case CompareMetric::FieldCorrelation:
            report.title = "Correlation of measured fields";
            report.definition =
                "Correlation over offsets of the attention per pair, each offset weighted by its number "
                "of pairs; fields averaged over images and steps.";
            return;
        case CompareMetric::FrequencyWasserstein:
            report.title = "Distance of learned frequencies" + with;
            report.unit = "nats";
            report.similarity = false;
            report.definition =
                "1-Wasserstein distance over ln |omega| between the energies of two heads, still planes "
                "left out.";
            return;
        case CompareMetric::KernelCorrelation:
            report.title = "Correlation of kernels" + with;
            report.definition =
                "Correlation over offsets of the mean logit, each offset weighted by its number of pairs.";
            return;
        case CompareMetric::PlaneOverlap:
            report.title = "Plane overlap of two states";
            report.unit = "share";
            report.about = About::Map;
            report.definition =
                "Mean over turning planes of half the squared overlap of a query plane with itself in "
                "the other state; only between the same head of two states of one run.";
    }
}

void embed(CompareReport& report) {
    const int n = static_cast<int>(report.names.size());
    std::vector<double> distances = report.matrix;
    if (report.similarity)
        for (double& v : distances) v = 1 - v;
    Embedding map = classicalScaling(distances, n);
    report.embedding = std::move(map.positions);
    report.axisShare = std::move(map.share);
}

}  // namespace

Result<CompareReport> compareHeads(const CompareRequest& request, const JobContext& context) {
    const at::NoGradGuard noGrad;
    useThreads(1);
    Comparison c;
    if (auto opened = openModels(request, c); !opened) return failure(opened.error());
    for (int model = 0; model < static_cast<int>(request.models.size()); ++model) {
        auto added =
            request.needsData() ? addFromData(request, model, c, context) : addFromWeights(request, model, c, context);
        if (!added) return failure(added.error());
    }
    CompareReport report;
    explain(request, report);
    for (const Compared& head : c.heads) {
        const bool several = c.stores.size() > 1;
        report.names.push_back((several ? c.stores[head.model]->card().name + " " : "") + head.id.name());
        report.models.push_back(head.model);
        report.heads.push_back(head.id);
    }
    report.note = c.note;
    if (request.metric == CompareMetric::PlaneOverlap) {
        report.matrix = overlapMatrix(c, report);
        return report;
    }
    if (request.metric == CompareMetric::FrequencyWasserstein) {
        std::vector<EnergySpectrum> spectra;
        for (Compared& head : c.heads) spectra.push_back(std::move(head.spectrum));
        report.matrix = frequencyDistances(spectra);
    } else {
        report.matrix = correlationMatrix(request, c);
    }
    const std::size_t n = report.names.size();
    int left = 0;
    for (std::size_t i = 0; i < n; ++i) left += std::isnan(report.matrix[i * n + i]);
    if (left > 0) report.note += (report.note.empty() ? "" : ". ") + std::to_string(left) + " heads left out";
    embed(report);
    return report;
}

}  // namespace ropescope
