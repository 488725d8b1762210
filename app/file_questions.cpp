// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/file_questions.h"

#include <QFileInfo>
#include <QRegularExpression>
#include <algorithm>
#include <cmath>
#include <functional>

namespace ropescope {
namespace {

constexpr std::size_t kMostGrids = 5;
constexpr std::size_t kMostHeads = 7;
constexpr double kUsualHeadDim = 64;
constexpr int kLeastHeadDim = 4;
constexpr int kMostNames = 3;

using Set = std::function<void(ModelRef& ref)>;

FileQuestion questionOf(const QString& text, const ModelRef& ref, const std::vector<std::pair<QString, Set>>& answers) {
    FileQuestion question{text, {}, {}};
    for (const auto& [name, set] : answers) {
        question.answers << name;
        question.refs.push_back(ref);
        set(question.refs.back());
    }
    return question;
}

/// All a x b = n, the most even first, each with its transpose behind it.
std::vector<Grid> evenGrids(int n) {
    std::vector<Grid> grids;
    for (int a = static_cast<int>(std::sqrt(n)); a >= 1; --a) {
        if (n % a != 0) continue;
        grids.push_back({a, n / a});
        if (a * a != n) grids.push_back({n / a, a});
    }
    return grids;
}

/// What the engine has found missing and would take; file names before it may hold anything.
QString expectedPart(const QString& problem) {
    const qsizetype at = problem.lastIndexOf(", expected ");
    return at >= 0 ? problem.mid(at) : problem.mid(std::max<qsizetype>(0, problem.lastIndexOf("(expected ")));
}

bool asksForHeads(const ModelRef& ref, const ModelCard& card) {
    return card.problemCode == "heads-unknown" || (card.problemCode == "TC-08" && ref.heads > 0 && card.heads == 0);
}

FileQuestion conventionQuestion(const QString& name, const ModelRef& ref) {
    return questionOf(name +
                          " has HARoPE maps but does not say how they are applied: the same map to queries and "
                          "keys, or the inverse one to keys?",
                      ref,
                      {{"Same map", [](ModelRef& r) { r.convention = Convention::Same; }},
                       {"Inverse map", [](ModelRef& r) { r.convention = Convention::Inverse; }}});
}

FileQuestion mapTokensQuestion(const QString& name, const ModelRef& ref) {
    return questionOf(name +
                          " has HARoPE maps and a class token but does not say whether the maps turn the class "
                          "token too.",
                      ref,
                      {{"All tokens", [](ModelRef& r) { r.mapTokens = MapTokens::All; }},
                       {"Patches only", [](ModelRef& r) { r.mapTokens = MapTokens::PatchesOnly; }}});
}

FileQuestion gridQuestion(const QString& name, const ModelRef& ref, const ModelCard& card) {
    std::vector<std::pair<QString, Set>> answers;
    for (const Grid grid : gridCandidates(QString::fromStdString(card.problem)))
        answers.emplace_back(QString("%1 \u00d7 %2").arg(grid.rows).arg(grid.cols),
                             [grid](ModelRef& r) { r.grid = grid; });
    return questionOf(
        name + ": the rows of its position table do not tell the grid. Which one, in rows \u00d7 columns of patches?",
        ref, answers);
}

FileQuestion headsQuestion(const QString& name, const ModelRef& ref, const ModelCard& card) {
    const bool again = card.problemCode == "TC-08";  // what was said does not fit the width, which is known now
    static const QRegularExpression found("\\(found (\\d+), expected ");
    const int width = again ? found.match(QString::fromStdString(card.problem)).captured(1).toInt() : card.width;
    std::vector<std::pair<QString, Set>> answers;
    for (const int heads : headCandidates(width))
        answers.emplace_back(QString::number(heads), [heads](ModelRef& r) { r.heads = heads; });
    const QString doubt = again ? QString(": %1 heads do not fit its width. How many has it?").arg(ref.heads)
                                : QString(": its tensors do not tell the number of heads. How many has it?");
    const QString file = QFileInfo(QString::fromStdString(ref.path)).completeBaseName() + ".config.json";
    return questionOf(name + doubt + QString(" (Another number: \"heads\" in a file %1 beside it.)").arg(file), ref,
                      answers);
}

FileQuestion weightsQuestion(const QString& name, const ModelRef& ref, const ModelCard& card) {
    std::vector<std::pair<QString, Set>> answers;
    for (const std::string& copy : card.copies)
        answers.emplace_back(QString::fromStdString(copy), [copy](ModelRef& r) { r.weights = copy; });
    return questionOf(name + " holds several copies of the weights. Which one?", ref, answers);
}

FileQuestion unusedQuestion(const QString& name, const ModelRef& ref, const ModelCard& card) {
    QStringList names;
    for (const std::string& tensor : card.unused)
        if (names.size() < kMostNames) names << QString::fromStdString(tensor);
    const auto more = static_cast<int>(card.unused.size()) - kMostNames;
    if (more > 0) names << QString("%1 more").arg(more);
    const QString count =
        card.unused.size() == 1 ? QString("A tensor is") : QString("%1 tensors are").arg(card.unused.size());
    return questionOf(QString("%1: %2 not understood, so nothing is computed: %3.").arg(name, count, names.join(", ")),
                      ref, {{"Compute without them", [card](ModelRef& r) {
                                 r.ignore.insert(r.ignore.end(), card.unused.begin(), card.unused.end());
                             }}});
}

FileQuestion timeQuestion(const QString& name, const ModelRef& ref) {
    return questionOf(name +
                          " does not say what its time means, which decides how pictures are drawn. Does it count "
                          "steps of noise, or does it flow between noise and picture?",
                      ref,
                      {{"Steps (DDPM)", [](ModelRef& r) { r.time = "ddpm"; }},
                       {"Flow, noise at 1 (\u00d7 1000)", [](ModelRef& r) { r.time = "flow"; }},
                       {"Flow, noise at 0 (SiT)", [](ModelRef& r) { r.time = "sit"; }},
                       {"Flow, noise at 1 (REPA)", [](ModelRef& r) { r.time = "repa"; }}});
}

}  // namespace

std::optional<FileQuestion> questionAbout(const ModelRef& ref, const ModelCard& card) {
    const QString name = QString::fromStdString(card.name);
    std::optional<FileQuestion> question;
    if (card.convention == Convention::Unknown)
        question = conventionQuestion(name, ref);
    else if (card.mapTokens == MapTokens::Unknown)
        question = mapTokensQuestion(name, ref);
    else if (card.problemCode == "grid-unknown")
        question = gridQuestion(name, ref, card);
    else if (asksForHeads(ref, card))
        question = headsQuestion(name, ref, card);
    else if (card.problemCode == "weights")
        question = weightsQuestion(name, ref, card);
    else if (card.problemCode == "TC-10" && !card.unused.empty())
        question = unusedQuestion(name, ref, card);
    else if (card.problem.empty() && card.architecture == "dit" && card.objective.empty())
        question = timeQuestion(name, ref);
    if (question && question->answers.empty()) return std::nullopt;
    return question;
}

bool mustBeAnswered(const ModelCard& card) {
    return card.convention == Convention::Unknown || card.mapTokens == MapTokens::Unknown;
}

ModelRef withAnswers(ModelRef ref, const ModelCard& card, const ModelRef& known) {
    const ModelRef silent;
    if (card.convention == Convention::Unknown && ref.convention == silent.convention)
        ref.convention = known.convention;
    if (card.mapTokens == MapTokens::Unknown && ref.mapTokens == silent.mapTokens) ref.mapTokens = known.mapTokens;
    if (card.problemCode == "grid-unknown" && ref.grid == silent.grid) ref.grid = known.grid;
    if (card.problemCode == "heads-unknown" && ref.heads == silent.heads) ref.heads = known.heads;
    if (card.problemCode == "weights" && ref.weights == silent.weights) ref.weights = known.weights;
    if (card.problem.empty() && card.architecture == "dit" && card.objective.empty() && ref.time.empty())
        ref.time = known.time;
    return ref;
}

std::vector<Grid> gridCandidates(const QString& problem) {
    const QString expected = expectedPart(problem);
    std::vector<Grid> found;
    const auto add = [&found](Grid grid) {
        if (found.size() < kMostGrids && std::ranges::find(found, grid) == found.end()) found.push_back(grid);
    };
    static const QRegularExpression sides("\\b(\\d{1,4})x(\\d{1,4})\\b"), counts("\\b(\\d{1,7}) patches\\b");
    for (auto it = sides.globalMatch(expected); it.hasNext();) {
        const auto match = it.next();
        add({match.captured(1).toInt(), match.captured(2).toInt()});
    }
    if (!found.empty()) return found;
    std::vector<std::vector<Grid>> choices;
    for (auto it = counts.globalMatch(expected); it.hasNext();)
        choices.push_back(evenGrids(it.next().captured(1).toInt()));
    for (std::size_t i = 0; i < kMostGrids; ++i) {
        for (const std::vector<Grid>& grids : choices)
            if (i < grids.size()) add(grids[i]);
    }
    return found;
}

std::vector<int> headCandidates(int width) {
    if (width <= 0) return {2, 3, 4, 6, 8, 12, 16};
    std::vector<int> found;
    for (int heads = 1; heads <= width / kLeastHeadDim; ++heads)
        if (width % (2 * heads) == 0) found.push_back(heads);  // rotary planes are pairs of features
    const auto oddness = [width](int heads) { return std::abs(std::log(width / (heads * kUsualHeadDim))); };
    std::ranges::stable_sort(found, {}, oddness);
    if (found.size() > kMostHeads) found.resize(kMostHeads);
    std::ranges::sort(found);
    return found;
}

}  // namespace ropescope
