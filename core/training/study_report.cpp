// SPDX-License-Identifier: Apache-2.0
#include "core/training/study_report.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

namespace ropescope {
namespace {

/// Upper 2.5 % points of Student's t distribution for 1 to 10 degrees of freedom.
constexpr std::array<double, 10> kStudent = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706,
                                             2.4469,  2.3646, 2.3060, 2.2622, 2.2281};

std::string number(const char* pattern, double value) {
    char text[40];
    std::snprintf(text, sizeof text, pattern, value);
    return text;
}

std::vector<std::string> fieldsOf(const std::string& line) {
    std::vector<std::string> fields(1);
    bool quoted = false;
    for (const char c : line) {
        if (c == '"')
            quoted = !quoted;
        else if (c == ',' && !quoted)
            fields.emplace_back();
        else if (c != '\r')
            fields.back() += c;
    }
    return fields;
}

std::vector<double> valuesOf(const StudyReport& report, const StudyRow& row, int side) {
    std::vector<double> values;
    for (const StudyRun& run : report.runs)
        if (run.folder == row.folder && run.top1.contains(side)) values.push_back(run.top1.at(side));
    return values;
}

std::string cell(const std::vector<double>& values) {
    if (values.empty()) return "";
    const Interval i = interval95(values);
    return number("%.2f", 100 * i.mean) + (i.half ? " ± " + number("%.2f", 100 * *i.half) : "");
}

std::string publishedCell(const StudyReport& report, const std::string& row, const std::string& metric,
                          int resolution) {
    for (const PublishedFigure& p : report.published)
        if (p.row == row && p.metric == metric && p.resolution == resolution) return number("%.2f", p.value);
    return "";
}

std::string tableOf(const StudyReport& report, StudyGroup group) {
    const bool encodings = group == StudyGroup::Encoding;
    std::string head = encodings ? "| encoding | seeds |" : "| matrix of inverse-map HARoPE | seeds |",
                rule = "| --- | --- |";
    for (const int side : report.sizes) {
        head += " " + std::to_string(side) + " px |";
        rule += " --- |";
    }
    if (encodings) head += " published: ViT-B, ImageNet top-1, 224 px |", rule += " --- |";
    std::string text = head + " published: DiT-B/2, ImageNet FID (lower is better) |\n" + rule + " --- |\n";
    for (const StudyRow& row : studyRows()) {
        if (row.group != group) continue;
        text += "| " + row.title + " | " + std::to_string(valuesOf(report, row, report.sizes.at(0)).size()) + " |";
        for (const int side : report.sizes) text += " " + cell(valuesOf(report, row, side)) + " |";
        if (encodings) text += " " + publishedCell(report, row.name, "top-1", 224) + " |";
        text += " " + publishedCell(report, row.name, "FID", 256) + " |\n";
    }
    return text;
}

std::string machinesOf(const StudyReport& report) {
    std::set<std::string> machines, dates;
    double seconds = 0;
    for (const StudyRun& run : report.runs) {
        machines.insert(run.machine), dates.insert(run.date);
        seconds += run.processorSeconds;
    }
    std::string text =
        std::to_string(report.runs.size()) + " runs, " + number("%.1f", seconds / 60) + " processor minutes in all";
    if (!dates.empty()) text += ", " + (dates.size() == 1 ? *dates.begin() : *dates.begin() + " to " + *dates.rbegin());
    for (const std::string& machine : machines) text += "; " + machine;
    return text + ".";
}

}  // namespace

Interval interval95(const std::vector<double>& values) {
    if (values.empty()) throw std::invalid_argument("no values");
    const int n = static_cast<int>(values.size());
    double mean = 0, squares = 0;
    for (const double v : values) mean += v / n;
    if (n == 1) return {mean, std::nullopt, 1};
    for (const double v : values) squares += (v - mean) * (v - mean);
    // Above eleven values the normal bound is 2.2 at most; the last entry of the table is on the safe side.
    const double student = kStudent.at(std::min<std::size_t>(n - 2, kStudent.size() - 1));
    return {mean, student * std::sqrt(squares / (n - 1) / n), n};
}

Result<std::vector<PublishedFigure>> readPublished(const std::string& path) {
    const auto wrong = [&](int line, std::string reason) {
        return failure({ErrorKind::Refused, "published", place({path, "line " + std::to_string(line)}),
                        std::move(reason), "", "source,model,data,metric,resolution,row,value", "Correct the file"});
    };
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line) || fieldsOf(line).size() != 7) return wrong(1, "no table of published figures");
    std::vector<PublishedFigure> figures;
    for (int number = 2; std::getline(file, line); ++number) {
        const std::vector<std::string> f = fieldsOf(line);
        if (f.size() != 7) return wrong(number, "not seven fields");
        if (!findStudyRow(f[5])) return wrong(number, "no such row: " + printable(f[5], 40));
        try {
            figures.push_back({f[0], f[1], f[2], f[3], std::stoi(f[4]), f[5], std::stod(f[6])});
        } catch (const std::exception&) {
            return wrong(number, "resolution or value is no number");
        }
    }
    return figures;
}

std::string studyJson(const StudyReport& report) {
    nlohmann::ordered_json runs = nlohmann::ordered_json::array(), rows = runs;
    for (const StudyRun& run : report.runs) {
        nlohmann::ordered_json top1;
        for (const auto& [side, share] : run.top1) top1[std::to_string(side)] = share;
        runs.push_back({{"folder", run.folder},
                        {"seed", run.seed},
                        {"top1", top1},
                        {"processor_seconds", run.processorSeconds},
                        {"model_sha256", run.modelSha256},
                        {"machine", run.machine},
                        {"date", run.date}});
    }
    for (const StudyRow& row : studyRows()) {
        nlohmann::ordered_json sizes;
        for (const int side : report.sizes) {
            const std::vector<double> values = valuesOf(report, row, side);
            if (values.empty()) continue;
            const Interval i = interval95(values);
            nlohmann::ordered_json entry = {{"mean", i.mean}, {"seeds", i.count}};
            if (i.half) entry["half_width_95"] = *i.half;
            sizes[std::to_string(side)] = entry;
        }
        rows.push_back({{"row", row.name}, {"title", row.title}, {"runs", row.folder}, {"top1", sizes}});
    }
    const nlohmann::ordered_json json = {
        {"setup", report.setup},
        {"interval", "95 %, Student's t distribution over seeds, n - 1 degrees of freedom"},
        {"rows", rows},
        {"runs", runs}};
    return json.dump(2) + "\n";
}

std::string studyMarkdown(const StudyReport& report) {
    std::string text = "# Encodings and matrices on Fashion-MNIST\n\n" + report.setup + "\n\n" + machinesOf(report) +
                       "\n\n![top-1 over the side of the test images](figure.svg)\n\n";
    text +=
        "Top-1 in percent on the test images, mean ± half-width of the 95 % interval over seeds (Student's t "
        "distribution, n - 1 degrees of freedom: with three seeds the factor on the standard error is 4.30). "
        "An interval is about the seed, not about the choice of test images. A row without ± has one seed. "
        "Larger sides are the same images enlarged (bicubic), patches of the same size, so more of them.\n\n";
    text += "## Encodings\n\n" + tableOf(report, StudyGroup::Encoding);
    text += "\n## Matrices\n\nThe row SVD is the row \"HARoPE, inverse map\" once more.\n\n" +
            tableOf(report, StudyGroup::Matrix);
    std::set<std::string> sources;
    for (const PublishedFigure& p : report.published) sources.insert(p.source);
    if (!sources.empty()) text += "\nPublished figures (not measured here, other networks, other data):";
    for (const std::string& source : sources) text += (source == *sources.begin() ? " " : "; ") + source;
    return text + (sources.empty() ? ""
                                   : ". The first version of that paper applies one map to both sides; its "
                                     "figure stands beside the same-map row.\n");
}

}  // namespace ropescope
