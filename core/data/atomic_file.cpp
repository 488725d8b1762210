// SPDX-License-Identifier: Apache-2.0
#include "core/data/atomic_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

namespace ropescope {
namespace {

namespace fs = std::filesystem;

Error writeError(const std::string& path, std::string reason, int code, std::size_t needed) {
    Error error{ErrorKind::Refused, "EX-01", place({path}), std::move(reason), {}, {}, {}};
    error.reason += std::string(": ") + std::strerror(code);
    struct statvfs space {};
    const fs::path folder = fs::path(path).parent_path();
    if (statvfs(folder.empty() ? "." : folder.c_str(), &space) == 0) {
        error.found = std::to_string(static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize) + " bytes free";
        error.expected = std::to_string(needed) + " bytes";
    }
    error.advice = "Nothing was changed; make room or choose another place";
    return error;
}

int writeAll(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), std::min<std::size_t>(bytes.size(), 1u << 30));
        if (n < 0) {
            if (errno == EINTR) continue;
            return errno;
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
    }
    return 0;
}

std::string temporaryPrefix(const fs::path& target) {
    // 200: room for the process number within the 255 bytes a file name may have.
    return "." + target.filename().string().substr(0, 200) + ".part-";
}

/// Temporary files carry the writer's process number; those whose writer is gone were left by a kill.
void removeLeftovers(const fs::path& target) {
    const std::string prefix = temporaryPrefix(target);
    std::error_code ignored;
    const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with(prefix)) continue;
        pid_t writer = 0;
        const char* end = name.data() + name.size();
        const auto parsed = std::from_chars(name.data() + prefix.size(), end, writer);
        if (parsed.ptr == end || *parsed.ptr != '-' || writer <= 0) continue;
        if (::kill(writer, 0) != 0 && errno == ESRCH) fs::remove(entry.path(), ignored);
    }
}

void syncFolder(const fs::path& target) {
    const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    ::fsync(fd);  // some file systems refuse this; the rename itself is already atomic
    ::close(fd);
}

}  // namespace

Result<void> writeFileAtomically(const std::string& path, std::initializer_list<std::span<const std::byte>> parts) {
    std::size_t needed = 0;
    for (const auto& part : parts) needed += part.size();
    static std::atomic<unsigned> counter = 0;
    std::error_code ignored;
    fs::path target(path);
    if (fs::is_symlink(target, ignored)) target = fs::weakly_canonical(target, ignored);
    const fs::file_status status = fs::status(target, ignored);
    if (fs::exists(status) && !fs::is_regular_file(status)) {
        return failure({ErrorKind::Refused,
                        "EX-02",
                        place({path}),
                        "the target is not a plain file",
                        {},
                        {},
                        "Choose another name"});
    }
    removeLeftovers(target);
    const fs::path temporary =
        target.parent_path() / (temporaryPrefix(target) + std::to_string(::getpid()) + "-" + std::to_string(counter++));
    const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (fd < 0) return failure(writeError(path, "cannot write", errno, needed));
    int code = 0;
    for (const auto& part : parts) {
        if (code == 0) code = writeAll(fd, part);
    }
    if (code == 0 && ::fsync(fd) != 0) code = errno;
    if (::close(fd) != 0 && code == 0) code = errno;
    if (code == 0 && ::rename(temporary.c_str(), target.c_str()) != 0) code = errno;
    if (code != 0) {
        ::unlink(temporary.c_str());
        return failure(writeError(path, "cannot save", code, needed));
    }
    syncFolder(target);
    return {};
}

}  // namespace ropescope
