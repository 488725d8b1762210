// SPDX-License-Identifier: Apache-2.0
// Which of a file's tensors are the weights: copies of one network, and what training keeps beside them.
#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/checkpoint/names.h"
#include "core/checkpoint/table_contents.h"

namespace ropescope {
namespace {

using Tensors = std::vector<TensorEntry>;

constexpr std::size_t kMostRoots = 64;

struct Copy {
    std::string root;  ///< clean, "ema_model." or ""
    std::string name;  ///< what people call it
    bool averaged = false;
    std::size_t blocks = 0;  ///< tensors inside its lists of blocks
    Tensors tensors;         ///< under the model's own names
};

std::string firstSegment(std::string_view name) {
    return std::string(name.substr(0, name.find('.')));
}

bool hasTrainingSegment(std::string_view name) {
    while (!name.empty()) {
        const std::size_t dot = name.find('.');
        if (isTrainingState(name.substr(0, name.find_first_of(".[")))) return true;
        if (dot == std::string_view::npos) return false;
        name.remove_prefix(dot + 1);
    }
    return false;
}

/// Tensors that belong to the training alone, by their top segment; what is left is kept in order.
std::map<std::string, std::size_t> takeTrainingState(Tensors& tensors) {
    std::map<std::string, std::size_t> taken;
    std::erase_if(tensors, [&](const TensorEntry& t) {
        const std::string own = withoutWrappers(t.name);
        const bool state = hasTrainingSegment(own.substr(0, own.find('.', own.find('.') + 1)));
        const bool counter = isCounter(own) && t.elements() <= 1;
        if (state || counter) ++taken[firstSegment(own)];
        return state || counter;
    });
    return taken;
}

/// The roots of all lists of blocks, by their raw text; nothing where there are none, or far too many to be copies.
std::map<std::string, NameRoot> rootsOf(const Tensors& tensors) {
    std::map<std::string, NameRoot> roots;
    for (const TensorEntry& t : tensors)
        if (auto root = blockRoot(t.name)) roots.emplace(root->raw, *root);
    if (roots.size() > kMostRoots) roots.clear();
    return roots;
}

/// The longest of the roots that `name` begins with; null where there is none.
const NameRoot* rootOf(const std::map<std::string, NameRoot>& roots, const std::string& name) {
    const NameRoot* best = nullptr;
    for (const auto& [raw, root] : roots)
        if (name.starts_with(raw) && (!best || raw.size() > best->raw.size())) best = &root;
    return best;
}

/// Tensors of every raw root, those outside all roots in `beside`.
std::map<std::string, Copy> grouped(Tensors tensors, const std::map<std::string, NameRoot>& roots,
                                    std::map<std::string, std::size_t>& beside) {
    std::map<std::string, Copy> groups;
    for (TensorEntry& t : tensors) {
        const NameRoot* root = rootOf(roots, t.name);
        if (!root) {
            ++beside[firstSegment(withoutWrappers(t.name))];
            continue;
        }
        Copy& group = groups[root->raw];
        group.root = root->clean;
        group.blocks += blockRoot(t.name).has_value();
        t.name = withoutWrappers(std::string_view(t.name).substr(root->raw.size()));
        group.tensors.push_back(std::move(t));
    }
    return groups;
}

bool disjoint(const Tensors& a, const Tensors& b) {
    std::unordered_set<std::string_view> names;
    for (const TensorEntry& t : a) names.insert(t.name);
    return std::none_of(b.begin(), b.end(), [&](const TensorEntry& t) { return names.contains(t.name); });
}

/// Groups that differ by wrappers alone are one copy, unless they hold the same tensors.
std::vector<Copy> merged(std::map<std::string, Copy> groups) {
    std::vector<Copy> copies;
    for (auto& [raw, group] : groups) {
        const auto same = std::find_if(copies.begin(), copies.end(), [&](const Copy& c) {
            return c.root == group.root && disjoint(c.tensors, group.tensors);
        });
        if (same == copies.end()) {
            group.name = raw;
            copies.push_back(std::move(group));
            continue;
        }
        same->blocks += group.blocks;
        std::ranges::move(group.tensors, std::back_inserter(same->tensors));
    }
    return copies;
}

/// Averaged weights that are stored under names without dots ("model_ema.blocks0attnqkvweight", Stable Diffusion's
/// trainers): given the names of the copy beside them.
void addDotless(const Tensors& all, std::vector<Copy>& copies) {
    constexpr std::string_view kEma = "model_ema.";
    std::unordered_map<std::string, const TensorEntry*> dotless;
    std::string container;
    for (const TensorEntry& t : all) {
        const std::size_t at = t.name.find(kEma);
        if (at == std::string::npos || (at > 0 && t.name[at - 1] != '.')) continue;
        const std::string rest = t.name.substr(at + kEma.size());
        if (rest.find('.') != std::string::npos) return;
        container = t.name.substr(0, at);
        dotless[rest] = &t;
    }
    if (dotless.empty()) return;
    const std::size_t count = copies.size();
    for (std::size_t i = 0; i < count; ++i) {
        std::string inside = copies[i].root;
        const std::string model = withoutWrappers(container) + "model.";
        if (!inside.starts_with(model)) continue;
        inside.erase(0, model.size());
        Copy ema{withoutWrappers(container) + std::string(kEma), std::string(kEma), true, 0, {}};
        for (const TensorEntry& t : copies[i].tensors) {
            std::string flat = inside + t.name;
            std::erase(flat, '.');
            const auto found = dotless.find(flat);
            if (found == dotless.end()) continue;
            TensorEntry own = *found->second;
            own.name = t.name;
            ema.blocks += blockRoot(own.name).has_value();
            ema.tensors.push_back(std::move(own));
        }
        if (ema.tensors.size() == copies[i].tensors.size()) copies.push_back(std::move(ema));
    }
}

std::vector<std::string> segmentsOf(std::string_view path) {
    std::vector<std::string> all;
    for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.'))
        all.emplace_back(path.substr(0, dot)), path.remove_prefix(dot + 1);
    return all;
}

/// Copies are called by their roots: "teacher" of "state_dict.teacher." where the other is "state_dict.student.".
void nameCopies(std::vector<Copy>& copies) {
    std::vector<std::vector<std::string>> paths;
    for (const Copy& c : copies) {
        const bool twin = std::ranges::count(copies, c.root, &Copy::root) > 1;
        paths.push_back(segmentsOf(twin ? c.name : c.root));
    }
    const auto shared = [&](std::size_t n) {
        return std::ranges::all_of(paths, [&](const auto& p) { return p.size() > n + 1 && p[n] == paths[0][n]; });
    };
    std::size_t skipped = 0;
    while (copies.size() > 1 && shared(skipped)) ++skipped;
    for (std::size_t i = 0; i < copies.size(); ++i) {
        std::string text;
        for (std::size_t k = std::min(skipped, paths[i].size()); k < paths[i].size(); ++k)
            text += (text.empty() ? "" : ".") + paths[i][k];
        if (text.empty() && copies.size() > 1) text = "model";
        copies[i].name = printable(text, 80);
    }
}

std::string listed(const std::vector<Copy>& copies) {
    std::string text;
    for (const Copy& c : copies) text += (text.empty() ? "" : ", ") + c.name;
    return text;
}

/// Errors: Usage where the choice is not clear.
Result<std::size_t> chosen(const std::vector<Copy>& copies, const std::string& choice, const std::string& path) {
    const auto refused = [&](std::string reason, std::string found) {
        return failure({ErrorKind::Usage, "weights", place({path}), std::move(reason), std::move(found), listed(copies),
                        "Choose one with --weights NAME"});
    };
    const auto only = [&](const auto& fits) {
        std::vector<std::size_t> all;
        for (std::size_t i = 0; i < copies.size(); ++i)
            if (fits(copies[i])) all.push_back(i);
        return all;
    };
    const bool ema = choice == "ema", model = choice == "model";
    if (!ema && !model) {
        auto found = only([&](const Copy& c) { return c.name == choice; });
        if (found.empty())
            found = only([&](const Copy& c) {
                return c.name.starts_with(choice + ".") || c.name.ends_with("." + choice) || c.root == choice + ".";
            });
        if (found.size() == 1) return found.front();
        return refused("the file holds no such copy of the weights", printable(choice, 60));
    }
    if (copies.size() == 1) return std::size_t{0};
    const auto averaged = only([](const Copy& c) { return c.averaged; });
    const auto others = only([](const Copy& c) { return !c.averaged; });
    const auto& first = ema ? averaged : others;
    const auto& second = ema ? others : averaged;
    if (first.size() == 1) return first.front();
    if (first.empty() && second.size() == 1) return second.front();
    const auto named = only([&](const Copy& c) { return c.name == choice; });
    if (named.size() == 1) return named.front();
    return refused("several copies of the weights", std::to_string(copies.size()) + " copies");
}

/// Copies of one network are equally large; a smaller one that was taken is named with its size.
std::string sizesText(const std::vector<Copy>& copies, const Copy& taken) {
    const Copy* largest = &taken;
    for (const Copy& c : copies)
        if (c.blocks > largest->blocks) largest = &c;
    if (largest == &taken) return {};
    return "the copies are not of one size: " + taken.name + " has " + std::to_string(taken.tensors.size()) +
           " tensors, " + largest->name + " " + std::to_string(largest->tensors.size()) + " (choose with --weights)";
}

/// A tensor outside the copies that would reach the name of one inside is a refusal.
Result<void> checkBeside(const Tensors& all, const std::map<std::string, NameRoot>& roots, const Copy& copy,
                         const std::string& path) {
    std::unordered_set<std::string_view> names;
    for (const TensorEntry& t : copy.tensors) names.insert(t.name);
    for (const TensorEntry& t : all)
        if (!rootOf(roots, t.name) && names.contains(withoutWrappers(t.name)))
            return failure({ErrorKind::Refused, "TC-12", place({path, t.name}),
                            "two tensors of the file reach this name, one of them beside the weights", "", "one",
                            "Save the weights alone, without their wrappers"});
    return {};
}

std::string besideText(const std::map<std::string, std::size_t>& beside) {
    std::size_t count = 0, names = 0;
    std::string text;
    for (const auto& [name, own] : beside) {
        count += own;
        if (++names <= 6) text += (names > 1 ? ", " : "") + printable(name, 40);
    }
    if (names > 6) text += ", ...";
    return std::to_string(count) + (count == 1 ? " tensor" : " tensors") + " beside the weights left out: " + text;
}

/// Files without a list of blocks: containers that every tensor shares come off, of several the copy asked for is
/// taken.
Result<void> takeContainers(TensorTable::Contents& contents, const std::string& choice) {
    Tensors& tensors = contents.tensors;
    for (TensorEntry& t : tensors) t.name = withoutWrappers(t.name);
    for (bool again = !tensors.empty(); again;) {
        again = false;
        std::map<std::string, std::size_t> tops;
        for (const TensorEntry& t : tensors)
            ++tops[t.name.find('.') == std::string::npos ? std::string() : firstSegment(t.name)];
        std::vector<Copy> copies;
        for (const auto& [top, count] : tops)
            if (isContainer(top)) copies.push_back({top + ".", top, isAveraged(top), count, {}});
        if (copies.empty() || copies.size() != tops.size()) break;
        const auto at = chosen(copies, choice, contents.file.path());
        if (!at) return failure(at.error());
        const Copy& copy = copies[*at];
        if (copies.size() > 1) {
            contents.notes.push_back("weights: " + copy.name + " (the file holds " + listed(copies) + ")");
            for (const Copy& c : copies) contents.copies.push_back(c.name);
            contents.copy = copy.name;
        } else {
            contents.notes.push_back("prefix " + copy.root + " taken off every name");
        }
        std::erase_if(tensors, [&](const TensorEntry& t) { return !t.name.starts_with(copy.root); });
        for (TensorEntry& t : tensors) t.name.erase(0, copy.root.size());
        again = copies.size() == 1;
    }
    return {};
}

/// Two tensors that reach one name are a refusal: which of them counts is not for the program to say.
Result<void> checkDistinct(const TensorTable::Contents& contents) {
    std::unordered_set<std::string_view> names;
    for (const TensorEntry& t : contents.tensors)
        if (!names.insert(t.name).second)
            return failure({ErrorKind::Refused, "TC-12", place({contents.file.path(), t.name}),
                            "two tensors of the file reach this name", "", "one",
                            "Save the weights alone, without their wrappers"});
    return {};
}

/// What could not be read counts where it belongs to the weights.
Result<void> checkReadable(const TensorTable::Contents& contents, const std::string& rawRoot) {
    for (const auto& [name, error] : contents.broken)
        if (name.starts_with(rawRoot)) return failure(error);
    return {};
}

}  // namespace

Result<void> chooseCopy(TensorTable::Contents& contents, const std::string& choice) {
    const Tensors all = contents.tensors;
    std::map<std::string, std::size_t> beside = takeTrainingState(contents.tensors);
    const auto roots = rootsOf(contents.tensors);
    if (roots.empty()) {
        if (auto taken = takeContainers(contents, choice); !taken) return taken;
        if (!beside.empty()) contents.notes.push_back(besideText(beside));
        if (!contents.broken.empty() && contents.tensors.empty()) return failure(contents.broken.begin()->second);
        if (auto readable = checkReadable(contents, contents.copy.empty() ? "" : contents.copy + "."); !readable)
            return readable;
        return checkDistinct(contents);
    }
    std::vector<Copy> copies = merged(grouped(std::move(contents.tensors), roots, beside));
    addDotless(all, copies);
    std::size_t largest = 0;
    for (const Copy& c : copies) largest = std::max(largest, c.blocks);
    std::erase_if(copies, [&](const Copy& c) {  // networks of another kind
        const bool other = 2 * c.blocks < largest;
        if (other) beside[firstSegment(c.root)] += c.tensors.size();
        return other;
    });
    for (Copy& c : copies) {
        c.averaged = isAveraged(c.root);
        // torch.optim.swa_utils.AveragedModel counts beside its module.
        for (const TensorEntry& t : all) c.averaged |= withoutWrappers(t.name) == c.root + "n_averaged";
    }
    nameCopies(copies);
    const auto at = chosen(copies, choice, contents.file.path());
    if (!at) {
        contents.tensors = all;
        return failure(at.error());
    }
    Copy& copy = copies[*at];
    if (auto distinct = checkBeside(all, roots, copy, contents.file.path()); !distinct) return distinct;
    if (const std::string sizes = sizesText(copies, copy); !sizes.empty()) contents.notes.push_back(sizes);
    std::string unread;  // averages that are kept as a list
    for (const auto& [name, count] : beside)
        if (isAveraged(name) && count > 1) unread = name;
    if (!unread.empty())
        contents.notes.push_back(printable(unread, 60) + " holds " + std::to_string(beside[unread]) +
                                 " tensors without names of weights: they were not read");
    if (copies.size() > 1) {
        contents.notes.push_back("weights: " + copy.name + " (the file holds " + listed(copies) + ")" +
                                 (choice == "ema" && copy.averaged ? ", the averaged copy" : ""));
        for (const Copy& c : copies) contents.copies.push_back(c.name);
        contents.copy = copy.name;
    } else if (copy.averaged) {
        contents.notes.push_back("weights: " + (copy.name.empty() ? std::string("averaged") : copy.name) +
                                 ", an averaged copy; there is no other");
        contents.copy = copy.name;
    } else if (!copy.name.empty()) {
        contents.notes.push_back("weights: " + copy.name +
                                 (contents.objects.empty() && unread.empty() ? " (the only copy)" : ""));
        contents.copy = copy.name;
    }
    std::string rawRoot;
    for (const auto& [raw, root] : roots)
        if (root.clean == copy.root) rawRoot = raw;
    contents.tensors = std::move(copy.tensors);
    if (!beside.empty()) contents.notes.push_back(besideText(beside));
    if (auto readable = checkReadable(contents, rawRoot); !readable) return readable;
    return checkDistinct(contents);
}

}  // namespace ropescope
