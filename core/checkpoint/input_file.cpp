// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace ropescope {
namespace {

tl::unexpected<Error> refused(std::string code, const std::string& path, std::string reason, std::string advice = {}) {
    return failure({ErrorKind::Refused, std::move(code), place({path}), std::move(reason), {}, {}, std::move(advice)});
}

const char* kindOf(mode_t mode) {
    if (S_ISDIR(mode)) return "a folder";
    if (S_ISFIFO(mode)) return "a pipe";
    if (S_ISSOCK(mode)) return "a socket";
    return "a device";
}

}  // namespace

InputFile::State::~State() {
    ::close(fd);
}

Result<InputFile> InputFile::open(const std::string& path) {
    // O_NONBLOCK: opening a pipe without a writer would wait for ever.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return refused("ST-21", path, std::string("cannot open: ") + std::strerror(errno));
    auto state = std::make_shared<State>(path, fd);
    struct stat status {};
    if (::fstat(fd, &status) != 0)
        return refused("ST-21", path, std::string("cannot examine: ") + std::strerror(errno));
    if (!S_ISREG(status.st_mode)) {
        return refused("ST-21", path, std::string("not a file but ") + kindOf(status.st_mode), "Choose a weight file");
    }
    state->size = static_cast<std::uint64_t>(status.st_size);
    return InputFile(std::move(state));
}

Result<void> InputFile::readAt(std::uint64_t offset, std::span<std::byte> to) const {
    while (!to.empty()) {
        const std::size_t chunk = std::min<std::size_t>(to.size(), std::size_t{1} << 30);
        const ssize_t n = ::pread(m_state->fd, to.data(), chunk, static_cast<off_t>(offset));
        if (n < 0) {
            if (errno == EINTR) continue;
            return refused("ST-20", path(), std::string("cannot read: ") + std::strerror(errno), "Try again");
        }
        if (n == 0) {
            return refused("ST-19", path(), "the file has become shorter since it was opened", "Open it again");
        }
        offset += static_cast<std::uint64_t>(n);
        to = to.subspan(static_cast<std::size_t>(n));
    }
    return {};
}

Result<std::vector<std::byte>> InputFile::bytes(std::uint64_t offset, std::uint64_t length) const {
    if (offset > size() || length > size() - offset) throw std::invalid_argument("InputFile::bytes: outside the file");
    std::vector<std::byte> buffer(length);
    if (auto done = readAt(offset, buffer); !done) return failure(done.error());
    return buffer;
}

}  // namespace ropescope
