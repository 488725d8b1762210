// SPDX-License-Identifier: Apache-2.0
// The table of core/README.md holds: every include of a project folder is allowed there, and the table has no circle.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace ropescope {
namespace {

namespace fs = std::filesystem;

using Table = std::map<std::string, std::set<std::string>>;  ///< folder -> folders it may include

const fs::path kSource = ROPESCOPE_SOURCE_DIR;
const std::string kProgram = "app/engine";  ///< the one folder of the table that is not below core/

/// The words in backticks.
std::vector<std::string> namesIn(const std::string& cell) {
    static const std::regex name("`([^`]+)`");
    std::vector<std::string> names;
    for (std::sregex_iterator i(cell.begin(), cell.end(), name), end; i != end; ++i) names.push_back((*i)[1]);
    return names;
}

/// Rows `| folder | target | may include | ...` below the heading with these columns.
Table allowedIncludes() {
    std::ifstream readme(kSource / "core/README.md");
    const std::regex row(R"(\|([^|]*)\|[^|]*\|([^|]*)\|.*)");
    Table table;
    bool inside = false;
    for (std::string line; std::getline(readme, line);) {
        std::smatch cells;
        if (line.starts_with("| folder | target | may include |")) inside = true;
        if (!inside || !std::regex_match(line, cells, row)) {
            inside = false;
            continue;
        }
        const std::vector<std::string> allowed = namesIn(cells[2]);
        for (const std::string& folder : namesIn(cells[1])) table[folder] = {allowed.begin(), allowed.end()};
    }
    return table;
}

/// As the table calls it: "core/engine/run/run.h" lies in "engine/run".
std::string folderOf(const fs::path& file) {
    const std::string folder = file.parent_path().generic_string();
    return folder.starts_with("core/") ? folder.substr(5) : folder;
}

/// Sources and headers below core/ and app/engine/, from the root of the project.
std::vector<fs::path> sourceFiles() {
    static const std::set<std::string> endings = {".h", ".cpp", ".cu"};
    std::vector<fs::path> files;
    for (const std::string& root : {std::string("core"), kProgram})
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kSource / root))
            if (endings.contains(entry.path().extension())) files.push_back(fs::relative(entry.path(), kSource));
    std::ranges::sort(files);
    return files;
}

/// A line for each include of `file` that its row does not allow.
std::vector<std::string> forbiddenIncludes(const fs::path& file, const std::string& own,
                                           const std::set<std::string>& allowed) {
    static const std::regex include(R"re(\s*#\s*include\s*["<]((?:core|app|widgets|tests|tools)/[^">]+)[">].*)re");
    std::vector<std::string> found;
    std::ifstream in(kSource / file);
    int number = 0;
    for (std::string line; std::getline(in, line);) {
        ++number;
        std::smatch match;
        if (!std::regex_match(line, match, include)) continue;
        const std::string folder = folderOf(match[1].str());
        if (folder == own || allowed.contains(folder)) continue;
        found.push_back(file.generic_string() + ":" + std::to_string(number) + ": " + own + " includes " +
                        match[1].str() + ", but its row in core/README.md does not name `" + folder + "`");
    }
    return found;
}

/// Whether `from` comes to `to` over any number of rows.
bool reaches(const Table& table, const std::string& from, const std::string& to, std::set<std::string>& seen) {
    const auto row = table.find(from);
    if (row == table.end() || !seen.insert(from).second) return false;
    return row->second.contains(to) ||
           std::ranges::any_of(row->second, [&](const std::string& next) { return reaches(table, next, to, seen); });
}

TEST(Folders, IncludeOnlyWhatTheTableAllows) {
    const Table table = allowedIncludes();
    const std::vector<fs::path> files = sourceFiles();
    ASSERT_FALSE(table.empty()) << "no table '| folder | target | may include |' in core/README.md";
    ASSERT_FALSE(files.empty());
    for (const fs::path& file : files) {
        const std::string folder = folderOf(file);
        const auto row = table.find(folder);
        if (row == table.end()) {
            ADD_FAILURE() << file.generic_string() << ": the table of core/README.md has no row `" << folder << "`";
            continue;
        }
        for (const std::string& line : forbiddenIncludes(file, folder, row->second)) ADD_FAILURE() << line;
    }
}

TEST(Folders, TheTableNamesFoldersThatExist) {
    for (const auto& [folder, allowed] : allowedIncludes()) {
        EXPECT_TRUE(fs::is_directory(kSource / (folder == kProgram ? folder : "core/" + folder)))
            << "core/README.md has a row `" << folder << "`, but there is no such folder";
        for (const std::string& other : allowed)
            EXPECT_TRUE(fs::is_directory(kSource / "core" / other))
                << "row `" << folder << "` of core/README.md names `" << other << "`: no such folder";
    }
}

TEST(Folders, NoFolderComesBackToItself) {
    const Table table = allowedIncludes();
    for (const auto& [folder, allowed] : table) {
        std::set<std::string> seen;
        EXPECT_FALSE(reaches(table, folder, folder, seen)) << "`" << folder << "` includes itself over other folders";
    }
}

}  // namespace
}  // namespace ropescope
