// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "core/checkpoint/pickle_value.h"
#include "core/checkpoint/tensor_table.h"
#include "core/checkpoint/zip_directory.h"

namespace ropescope {

/// Finds the bytes of a checkpoint's tensors: the members `<root>/data/<key>` of the archive.
class TorchStorages {
public:
    TorchStorages(const PickleTree& tree, const ZipDirectory& zip, std::string root, std::string path)
        : m_tree(tree), m_zip(zip), m_root(std::move(root)), m_path(std::move(path)) {}

    /// A Tensor node as an entry called `name`; empty for element types without arithmetic. Errors: PK-13 one storage
    /// under two types or sizes, PK-14 a view outside its storage, ZC-06 compressed, ZC-12 size disagrees.
    [[nodiscard]] Result<std::optional<TensorEntry>> locate(PickleId tensor, const std::string& name);

    /// Tensors that share a storage with an earlier one.
    [[nodiscard]] std::size_t tied() const { return m_tied; }

private:
    struct Storage {
        DType dtype = DType::F32;
        std::uint64_t count = 0;
        std::uint64_t dataOffset = 0;
        std::string typeName;
    };
    [[nodiscard]] Result<const Storage*> storage(PickleId id, DType dtype, std::uint64_t count,
                                                 const std::string& name);
    [[nodiscard]] tl::unexpected<Error> refused(std::string code, const std::string& name, std::string reason,
                                                std::string found = {}, std::string expected = {}) const;

    const PickleTree& m_tree;
    const ZipDirectory& m_zip;
    std::string m_root, m_path;
    std::map<std::string, Storage, std::less<>> m_storages;
    std::size_t m_tied = 0;
};

}  // namespace ropescope
