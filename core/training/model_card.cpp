// SPDX-License-Identifier: Apache-2.0
#include "core/training/model_card.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

namespace ropescope {
namespace {

using nlohmann::json;

template <class... Args>
std::string format(const char* pattern, Args... args) {
    char text[400];
    std::snprintf(text, sizeof text, pattern, args...);
    return text;
}

std::string percent(const json& share) {
    return format("%.1f %%", 100 * share.get<double>());
}

std::string duration(double seconds) {
    return format("%d h %02d min", static_cast<int>(seconds) / 3600, static_cast<int>(seconds) / 60 % 60);
}

// The command that repeats the training, from the recorded recipe.
std::string commandOf(const std::string& name, const json& recipe) {
    std::string command = "ropescope-engine train --out " + name;
    const std::vector<std::pair<const char*, const char*>> options = {{"encoding", "encoding"},
                                                                      {"convention", "convention"},
                                                                      {"theta", "theta"},
                                                                      {"layers", "layers"},
                                                                      {"heads", "heads"},
                                                                      {"head_dim", "head-dim"},
                                                                      {"patch", "patch"},
                                                                      {"batch", "batch"},
                                                                      {"epochs", "epochs"},
                                                                      {"lr", "lr"},
                                                                      {"warmup", "warmup"},
                                                                      {"weight_decay", "weight-decay"},
                                                                      {"map_lr_scale", "map-lr-scale"},
                                                                      {"sigma_decay", "sigma-decay"},
                                                                      {"ema", "ema"},
                                                                      {"label_dropout", "label-dropout"},
                                                                      {"seed", "seed"},
                                                                      {"series", "series"},
                                                                      {"precision", "precision"},
                                                                      {"threads", "threads"}};
    for (const auto& [key, option] : options) {
        const json& value = recipe.at(key);
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        if (!text.empty()) command += std::string(" --") + option + " " + text;
    }
    return command;
}

std::string trainingPart(const std::string& name, const json& training) {
    const json& recipe = training.at("recipe");
    std::string text = "## Training\n\n```\n" + commandOf(name, recipe) + "\n```\n\n";
    text += "- data: Fashion-MNIST, " + training.at("data").get<std::string>() + "\n";
    text += "- objective: flow matching; times " + recipe.at("times").get<std::string>() + "; schedule " +
            recipe.at("schedule").get<std::string>() + "\n";
    text += format("- steps: %lld, pictures seen: %lld\n", training.at("steps").get<long long>(),
                   training.at("images_seen").get<long long>());
    text += "- epochs: " + format("%.4g", recipe.at("epochs").get<double>()) + "\n";
    text += "- seed: " + recipe.at("seed").dump() + "\n";
    text += "- time: " + duration(training.at("seconds").get<double>()) + " on " +
            training.at("machine").get<std::string>() + "\n";
    text += format("- final loss: %.5f (mean of the last 500 steps)\n\n![loss](loss.svg)\n\n",
                   training.at("final_loss").get<double>());
    return text + "Stored: the moving average of the weights, float16, maps in float32.\n\n";
}

std::string figuresTable(const json& evaluation) {
    std::string text =
        "| guidance | pictures | class accuracy | worst class | precision | recall | Frechet distance |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n";
    for (const json& f : evaluation.at("figures")) {
        const auto worst = std::min_element(f.at("per_class").begin(), f.at("per_class").end());
        text += format("| %.3g | %d | %s | %s (%s) | %.3f | %.3f | %.2f |\n", f.at("guidance").get<double>(),
                       f.at("images").get<int>(), percent(f.at("class_accuracy")).c_str(), percent(*worst).c_str(),
                       worst.key().c_str(), f.at("precision").get<double>(), f.at("recall").get<double>(),
                       f.at("frechet_distance").get<double>());
    }
    const json& floor = evaluation.at("real_to_real");
    return text + format("| training pictures | %d | | | %.3f | %.3f | %.2f |\n\n", evaluation.at("images").get<int>(),
                         floor.at("precision").get<double>(), floor.at("recall").get<double>(),
                         floor.at("frechet_distance").get<double>());
}

std::string qualityPart(const json& evaluation) {
    std::string text = "## Quality\n\n";
    text += format("%d pictures without guidance, %d Euler steps, seed %llu, ", evaluation.at("images").get<int>(),
                   evaluation.at("steps").get<int>(), evaluation.at("seed").get<unsigned long long>());
    text += "judged by a small convolutional classifier (test accuracy " +
            percent(evaluation.at("classifier").at("test_accuracy")) +
            format(
                "). Precision and recall: k = %d, classifier features, against as many test pictures. The last row "
                "puts training pictures in the place of generated ones: what a perfect model would get.\n\n",
                evaluation.at("neighbours").get<int>());
    text += figuresTable(evaluation) + "Class accuracy at guidance " +
            format("%.3g", evaluation.at("figures")[0].at("guidance").get<double>()) + ":";
    for (const auto& [name, share] : evaluation.at("figures")[0].at("per_class").items())
        text += " " + name + " " + percent(share) + ",";
    text.back() = '.';
    return text +
           "\n\nOne column per class, ten pictures each, without guidance and guided:\n\n"
           "![samples](samples.png) ![guided samples](samples-guided.png)\n\n"
           "Twenty generated pictures (rows 1 and 3), each above its nearest training picture by pixels:\n\n"
           "![nearest training pictures](nearest.png)\n";
}

}  // namespace

std::string modelCardText(const std::string& name, const std::string& trainingJson, const std::string& evaluationJson,
                          const std::string& remark) {
    const json training = json::parse(trainingJson), evaluation = json::parse(evaluationJson);
    const json& recipe = training.at("recipe");
    const std::string convention = recipe.at("convention").get<std::string>();
    std::string text =
        "# " + name + "\n\nA class-conditional DiT for Fashion-MNIST (28x28): " + recipe.at("layers").dump() +
        " layers, " + recipe.at("heads").dump() + " heads of " + recipe.at("head_dim").dump() + ", patches of " +
        recipe.at("patch").dump() + ", positional encoding " + recipe.at("encoding").get<std::string>() +
        (convention.empty() ? "" : " (" + convention + "-map)") + ", theta " + recipe.at("theta").dump() + ".\n\n";
    if (!remark.empty()) text += remark + "\n\n";
    return text + trainingPart(name, training) + qualityPart(evaluation);
}

std::string lossCurveSvg(const std::string& lossCsv) {
    std::vector<std::pair<double, double>> points;
    std::istringstream lines(lossCsv);
    std::string line;
    std::getline(lines, line);  // the header
    for (double step = 0, loss = 0; std::getline(lines, line);)
        if (std::sscanf(line.c_str(), "%lf,%lf", &step, &loss) == 2) points.emplace_back(step, loss);
    if (points.empty()) return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"1\" height=\"1\"/>\n";
    const auto byLoss = [](const auto& a, const auto& b) { return a.second < b.second; };
    const double low = std::min_element(points.begin(), points.end(), byLoss)->second;
    // The first windows would flatten all that follows: the axis ends at three times the lowest loss.
    const double high = std::min(3 * low, std::max_element(points.begin(), points.end(), byLoss)->second);
    const double left = 60, top = 10, width = 560, height = 240, last = points.back().first;
    std::string path;
    for (const auto& [step, loss] : points)
        path += format("%.1f,%.1f ", left + width * step / last,
                       top + height * (high - std::min(loss, high)) / std::max(1e-12, high - low));
    const char* ink = "#777777";
    std::string svg =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"640\" height=\"290\" font-family=\"sans-serif\" "
        "font-size=\"12\">\n";
    svg += format("<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"none\" stroke=\"%s\"/>\n", left, top,
                  width, height, ink);
    svg += "<polyline fill=\"none\" stroke=\"#1f77b4\" stroke-width=\"1.5\" points=\"" + path + "\"/>\n";
    svg += format("<text x=\"4\" y=\"%g\" fill=\"%s\">%.3f</text>\n<text x=\"4\" y=\"%g\" fill=\"%s\">%.3f</text>\n",
                  top + 12, ink, high, top + height, ink, low);
    svg += format(
        "<text x=\"%g\" y=\"275\" fill=\"%s\">step 0</text>\n<text x=\"%g\" y=\"275\" fill=\"%s\" "
        "text-anchor=\"end\">%.0f</text>\n<text x=\"%g\" y=\"275\" fill=\"%s\">loss</text>\n</svg>\n",
        left, ink, left + width, ink, last, left + width / 2, ink);
    return svg;
}

}  // namespace ropescope
