// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "core/training/study_report.h"

namespace ropescope {
namespace {

struct Point {
    double x = 0, y = 0, half = 0;
};
struct Line {
    std::string title;
    std::vector<Point> points;
    int colour = 0;
};
struct Panel {
    std::string title, xLabel;
    std::vector<Line> lines;
};

constexpr double kWidth = 400, kHeight = 260, kLegend = 190, kLeft = 56, kTop = 36;
// Okabe and Ito's colours, told apart by most eyes; dashes repeat them.
constexpr const char* kColours[] = {"#000000", "#E69F00", "#56B4E9", "#009E73",
                                    "#CC79A7", "#0072B2", "#D55E00", "#999999"};

template <class... Args>
std::string format(const char* pattern, Args... args) {
    char text[500];
    std::snprintf(text, sizeof text, pattern, args...);
    return text;
}

/// One colour for an encoding in every panel: its place among the rows of its group.
int colourOf(const StudyRow& row) {
    int place = 0;
    for (const StudyRow& other : studyRows()) {
        if (other.name == row.name) break;
        place += other.group == row.group;
    }
    return place;
}

Panel measuredPanel(const StudyReport& report, StudyGroup group, const char* title) {
    Panel panel{title, "side of the test images, pixels", {}};
    for (const StudyRow& row : studyRows()) {
        if (row.group != group) continue;
        Line line{row.title, {}, colourOf(row)};
        for (const int side : report.sizes) {
            std::vector<double> values;
            for (const StudyRun& run : report.runs)
                if (run.folder == row.folder && run.top1.contains(side)) values.push_back(100 * run.top1.at(side));
            if (values.empty()) continue;
            const Interval i = interval95(values);
            line.points.push_back({static_cast<double>(side), i.mean, i.half.value_or(0)});
        }
        if (!line.points.empty()) panel.lines.push_back(std::move(line));
    }
    return panel;
}

Panel publishedPanel(const StudyReport& report) {
    Panel panel{"published: ViT-B, ImageNet, top-1 %", "side of the test images, pixels", {}};
    for (const StudyRow& row : studyRows()) {
        Line line{row.title, {}, colourOf(row)};
        for (const PublishedFigure& p : report.published)
            if (p.row == row.name && p.metric == "top-1")
                line.points.push_back({static_cast<double>(p.resolution), p.value, 0});
        if (!line.points.empty()) panel.lines.push_back(std::move(line));
    }
    return panel;
}

struct Range {
    double low = 1e9, high = -1e9;
    void add(double v) { low = std::min(low, v), high = std::max(high, v); }
    [[nodiscard]] double share(double v) const { return high > low ? (v - low) / (high - low) : 0.5; }
};

/// Of round values, three to six of them.
double stepOf(const Range& y) {
    for (const double step : {0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0})
        if (y.high - y.low <= 5 * step) return step;
    return 20;
}

std::string frameOf(const Panel& panel, const Range& x, const Range& y, double top) {
    const char* ink = "#333333";
    std::string svg =
        format("<text x=\"%g\" y=\"%g\" font-weight=\"bold\">", kLeft, top - 12) + panel.title + "</text>\n";
    svg += format("<rect x=\"%g\" y=\"%g\" width=\"%g\" height=\"%g\" fill=\"none\" stroke=\"%s\"/>\n", kLeft, top,
                  kWidth, kHeight, ink);
    const double step = stepOf(y);
    for (double value = y.low; value < y.high + step / 2; value += step) {
        const double at = top + kHeight * (1 - y.share(value));
        svg += format("<line x1=\"%g\" x2=\"%g\" y1=\"%g\" y2=\"%g\" stroke=\"#dddddd\"/>\n", kLeft, kLeft + kWidth, at,
                      at);
        svg += format("<text x=\"%g\" y=\"%g\" text-anchor=\"end\">%g</text>\n", kLeft - 6, at + 4, value);
    }
    std::set<double> ticks;
    for (const Line& line : panel.lines)
        for (const Point& p : line.points) ticks.insert(p.x);
    for (const double tick : ticks)
        svg += format("<text x=\"%g\" y=\"%g\" text-anchor=\"middle\">%g</text>\n", kLeft + kWidth * x.share(tick),
                      top + kHeight + 16, tick);
    return svg + format("<text x=\"%g\" y=\"%g\" text-anchor=\"middle\">", kLeft + kWidth / 2, top + kHeight + 34) +
           panel.xLabel + "</text>\n";
}

std::string lineOf(const Line& line, int index, const Range& x, const Range& y, double top) {
    const char* colour = kColours[line.colour % 8];
    std::string path, marks;
    for (const Point& p : line.points) {
        const double px = kLeft + kWidth * x.share(p.x) + 2.0 * (index - 3.5);  // beside each other, not on top
        const double py = top + kHeight * (1 - y.share(p.y)), half = kHeight * p.half / (y.high - y.low);
        path += format("%.1f,%.1f ", px, py);
        marks += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n", px, py, colour);
        if (half > 0)
            marks += format("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", px, px,
                            std::max(top, py - half), std::min(top + kHeight, py + half), colour);
    }
    const double legend = top + 12 + 20.0 * index, right = kLeft + kWidth + 24;
    return "<polyline fill=\"none\" stroke-width=\"1.5\" stroke=\"" + std::string(colour) + "\" points=\"" + path +
           "\"/>\n" + marks +
           format("<line x1=\"%g\" x2=\"%g\" y1=\"%g\" y2=\"%g\" stroke=\"%s\" stroke-width=\"3\"/>\n", right,
                  right + 22, legend, legend, colour) +
           format("<text x=\"%g\" y=\"%g\">", right + 28, legend + 4) + line.title + "</text>\n";
}

std::string drawn(const Panel& panel, double top) {
    Range x, y;
    for (const Line& line : panel.lines)
        for (const Point& p : line.points) x.add(p.x), y.add(p.y - p.half), y.add(p.y + p.half);
    y.low = std::max(0.0, y.low), y.high = std::min(100.0, y.high);  // intervals may leave what a share can be
    const double step = stepOf(y);
    y.low = step * std::floor(y.low / step), y.high = step * std::ceil(y.high / step);
    x.low -= 0.06 * (x.high - x.low), x.high += 0.06 * (x.high - x.low);
    std::string svg = frameOf(panel, x, y, top);
    for (std::size_t i = 0; i < panel.lines.size(); ++i) svg += lineOf(panel.lines[i], static_cast<int>(i), x, y, top);
    return svg;
}

}  // namespace

std::string studySvg(const StudyReport& report) {
    std::vector<Panel> panels = {measuredPanel(report, StudyGroup::Encoding, "encodings, top-1 %"),
                                 measuredPanel(report, StudyGroup::Matrix, "matrices of inverse-map HARoPE, top-1 %"),
                                 publishedPanel(report)};
    std::erase_if(panels, [](const Panel& panel) { return panel.lines.empty(); });
    const double step = kHeight + 84, width = kLeft + kWidth + kLegend + 40;
    const double height = kTop + step * static_cast<double>(panels.size());
    std::string svg = format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%g\" height=\"%g\" "
        "font-family=\"sans-serif\" font-size=\"12\" fill=\"#333333\">\n",
        width, height);
    svg += format("<rect width=\"%g\" height=\"%g\" fill=\"#ffffff\"/>\n", width, height);
    for (std::size_t i = 0; i < panels.size(); ++i) svg += drawn(panels[i], kTop + step * static_cast<double>(i));
    return svg + "</svg>\n";
}

}  // namespace ropescope
