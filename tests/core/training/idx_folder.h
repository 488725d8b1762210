// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

// A tiny labelled set in idx files, written for one test: two classes of 8x8 pictures, bright left or bright right
// half.

namespace ropescope {

class IdxFolder {
public:
    explicit IdxFolder(const std::string& name, int count = 32)
        : m_path(std::filesystem::temp_directory_path() / (name + "-" + std::to_string(getpid()))) {
        std::filesystem::create_directories(m_path);
        for (const std::string prefix : {"train", "t10k"}) {
            std::vector<unsigned char> images = {0, 0, 8, 3, 0, 0, 0, byte(count), 0, 0, 0, 8, 0, 0, 0, 8};
            std::vector<unsigned char> labels = {0, 0, 8, 1, 0, 0, 0, byte(count)};
            for (int i = 0; i < count; ++i) {
                labels.push_back(byte(i % 2));
                for (int p = 0; p < 64; ++p) images.push_back(byte((p % 8 < 4) == (i % 2 == 0) ? 200 + i % 7 : 10));
            }
            write(prefix + "-images-idx3-ubyte", images);
            write(prefix + "-labels-idx1-ubyte", labels);
        }
    }
    ~IdxFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(m_path, ignored);
    }
    IdxFolder(const IdxFolder&) = delete;
    IdxFolder& operator=(const IdxFolder&) = delete;

    [[nodiscard]] std::string path() const { return m_path.string(); }
    [[nodiscard]] std::string file(const std::string& name) const { return (m_path / name).string(); }
    void write(const std::string& name, const std::vector<unsigned char>& bytes) const {
        std::ofstream(m_path / name, std::ios::binary)
            .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }

private:
    static unsigned char byte(int value) { return static_cast<unsigned char>(value); }
    std::filesystem::path m_path;
};

}  // namespace ropescope
