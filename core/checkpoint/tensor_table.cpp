// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/tensor_table.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "core/checkpoint/number_conversion.h"
#include "core/checkpoint/table_contents.h"
#include "core/data/safetensors.h"

namespace ropescope {
namespace {

bool endsWith(const std::string& path, std::string_view suffix) {
    return path.size() >= suffix.size() &&
           std::equal(suffix.rbegin(), suffix.rend(), path.rbegin(),
                      [](char a, char b) { return a == std::tolower(static_cast<unsigned char>(b)); });
}

/// Format by content. A suffix only decides that something else than what it says is refused.
Result<void> readByContent(TensorTable::Contents& contents, WeightChoice choice) {
    const InputFile& file = contents.file;
    for (const char* index : {".index.json", ".index.bf16.json", ".index.fp16.json"})
        if (endsWith(file.path(), index)) return readSharded(contents);
    const auto start = file.bytes(0, std::min<std::uint64_t>(512, file.size()));
    if (!start) return failure(start.error());
    const std::string_view foreign = knownForeignFormat(*start);
    if (foreign.empty()) return readSafetensorsFile(contents);
    const bool zip = foreign.find("zip archive") != foreign.npos;
    if (zip && !endsWith(file.path(), ".safetensors")) return readTorchZip(contents, choice);
    Error error{ErrorKind::Refused, "ST-17", place({file.path()}), "this is " + std::string(foreign), {}, {}, {}};
    if (foreign.find("legacy") != foreign.npos) {
        error.code = "PK-18";
        error.advice = "Load it with PyTorch 1.6 or later and save it again with torch.save";
    } else {
        error.expected = "safetensors or a PyTorch zip checkpoint";
        if (zip) error.advice = "If it is a PyTorch checkpoint, give it its own suffix .pt";
    }
    return failure(std::move(error));
}

/// The weight file of a folder; empty for anything else.
std::string weightsInFolder(const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) return {};
    for (const char* name :
         {"transformer/diffusion_pytorch_model.safetensors",
          "transformer/diffusion_pytorch_model.safetensors.index.json", "diffusion_pytorch_model.safetensors",
          "diffusion_pytorch_model.safetensors.index.json", "transformer/diffusion_pytorch_model.bin",
          "diffusion_pytorch_model.bin", "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"}) {
        const std::filesystem::path file = std::filesystem::path(path) / name;
        if (std::filesystem::is_regular_file(file, ignored)) return file.string();
    }
    // Where there is nothing else, diffusers' variants in half precision.
    for (const char* base : {"transformer/diffusion_pytorch_model", "diffusion_pytorch_model", "model"})
        for (const std::string& variant : {std::string("bf16"), std::string("fp16")})
            for (const std::string& end : {"." + variant + ".safetensors", ".safetensors.index." + variant + ".json"})
                if (const std::filesystem::path file = std::filesystem::path(path) / (base + end);
                    std::filesystem::is_regular_file(file, ignored))
                    return file.string();
    return {};
}

/// Folders inside that hold weights, in order; what a folder without weights of its own offers to choose from.
std::string partsWithWeights(const std::string& folder) {
    std::vector<std::string> names;
    std::error_code ended;
    for (std::filesystem::directory_iterator at(folder, ended), end; !ended && at != end; at.increment(ended))
        if (!weightsInFolder(at->path().string()).empty()) names.push_back(at->path().filename().string());
    std::sort(names.begin(), names.end());
    std::string text;
    for (const std::string& name : names) text += (text.empty() ? "" : ", ") + printable(name, 60);
    return text;
}

/// Of a folder that offers the same weights twice the safe format is taken.
void noteOtherFormat(TensorTable::Contents& contents) {
    std::error_code ignored;
    const std::filesystem::path folder = std::filesystem::path(contents.file.path()).parent_path();
    for (const char* other : {"diffusion_pytorch_model.bin", "pytorch_model.bin"})
        if (contents.file.path().ends_with(".safetensors") && std::filesystem::is_regular_file(folder / other, ignored))
            contents.notes.push_back("safetensors taken, " + std::string(other) + " left alone");
}

/// Gathers a strided view into dense row-major order. `bytes` begin at the view's first element.
Array gathered(const TensorEntry& entry, const std::vector<std::byte>& bytes) {
    Array dense{entry.dtype, entry.shape, {}};
    const std::size_t size = dtypeSize(entry.dtype);
    const auto count = static_cast<std::size_t>(entry.elements());
    dense.bytes.resize(count * size);
    std::vector<std::int64_t> index(entry.shape.size(), 0);
    for (std::size_t i = 0; i < count; ++i) {
        std::int64_t from = 0;
        for (std::size_t axis = 0; axis < index.size(); ++axis) from += index[axis] * entry.strides[axis];
        std::memcpy(dense.bytes.data() + i * size, bytes.data() + static_cast<std::size_t>(from) * size, size);
        for (std::size_t axis = index.size(); axis-- > 0;) {
            if (++index[axis] < entry.shape[axis]) break;
            index[axis] = 0;
        }
    }
    return dense;
}

/// With every tensor to be found by its name.
std::shared_ptr<TensorTable::Contents> indexed(std::shared_ptr<TensorTable::Contents> contents) {
    contents->byName.clear();
    for (std::size_t i = 0; i < contents->tensors.size(); ++i) contents->byName.emplace(contents->tensors[i].name, i);
    return contents;
}

}  // namespace

std::int64_t TensorEntry::elements() const {
    std::int64_t n = 1;
    for (std::int64_t dimension : shape) n *= dimension;
    return n;
}

Result<TensorTable> TensorTable::open(const std::string& path, WeightChoice choice) {
    const std::string inFolder = weightsInFolder(path);
    if (const std::string parts = inFolder.empty() ? partsWithWeights(path) : std::string(); !parts.empty())
        return failure({ErrorKind::Refused, "FO-04", place({path}), "the folder holds parts, no weights of its own",
                        "weights in " + parts, "diffusion_pytorch_model or model, itself or in transformer",
                        "Choose one of its folders or a file"});
    if (std::error_code ignored; inFolder.empty() && std::filesystem::is_directory(path, ignored))
        return failure({ErrorKind::Refused, "ST-21", place({path}), "the folder holds no weights", "",
                        "diffusion_pytorch_model or model, as .safetensors or .bin, or an index of its files",
                        "Choose a folder or file with weights"});
    auto file = InputFile::open(inFolder.empty() ? path : inFolder);
    if (!file) return failure(file.error());
    auto contents = std::make_shared<Contents>(*file);
    if (auto read = readByContent(*contents, choice); !read) return failure(read.error());
    if (!inFolder.empty()) contents->format = "folder", noteOtherFormat(*contents);
    chooseCopy(*contents, choice);
    useModelNames(*contents);
    useFlowNames(*contents);
    useBakedMaps(*contents);
    return TensorTable(indexed(std::move(contents)));
}

Result<TensorTable> TensorTable::openPlain(const std::string& path) {
    auto file = InputFile::open(path);
    if (!file) return failure(file.error());
    auto contents = std::make_shared<Contents>(*file);
    if (auto read = readByContent(*contents, WeightChoice::Model); !read) return failure(read.error());
    return TensorTable(indexed(std::move(contents)));
}

Result<TensorTable> TensorTable::openPart(const std::string& path, std::initializer_list<std::string_view> prefixes) {
    const auto plain = openPlain(path);
    if (!plain) return plain;
    auto contents = std::make_shared<Contents>(*plain->m_contents);
    std::vector<TensorEntry>& tensors = contents->tensors;
    const auto has = [&](std::string_view prefix) {
        return std::any_of(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name.starts_with(prefix); });
    };
    const auto prefix = std::find_if(prefixes.begin(), prefixes.end(), has);
    if (prefix == prefixes.end())
        return failure(
            {ErrorKind::Refused, "TC-05", place({path, *prefixes.begin()}), "the file has no such part", {}, {}, {}});
    std::erase_if(tensors, [&](const TensorEntry& t) { return !t.name.starts_with(*prefix); });
    for (TensorEntry& tensor : tensors) tensor.name.erase(0, prefix->size());
    useFlowNames(*contents);
    return TensorTable(indexed(std::move(contents)));
}

Result<TensorTable> TensorTable::open(const ModelRef& ref) {
    auto base = open(ref.path, ref.weights);
    if (!base || ref.adapter.empty()) return base;
    auto adapter = openPlain(ref.adapter);
    if (!adapter) return adapter;
    auto contents = std::make_shared<Contents>(*base->m_contents);
    if (auto joined = addAdapter(*contents, *adapter->m_contents); !joined) return failure(joined.error());
    useBakedMaps(*contents);
    return TensorTable(indexed(std::move(contents)));
}

TensorTable::TensorTable(std::shared_ptr<const Contents> contents) : m_contents(std::move(contents)) {}

const std::string& TensorTable::path() const {
    return m_contents->file.path();
}
const std::string& TensorTable::format() const {
    return m_contents->format;
}
const std::vector<TensorEntry>& TensorTable::tensors() const {
    return m_contents->tensors;
}
const std::map<std::string, std::string>& TensorTable::metadata() const {
    return m_contents->metadata;
}
const std::map<std::string, std::string>& TensorTable::trainingArgs() const {
    return m_contents->trainingArgs;
}
const std::vector<std::string>& TensorTable::notes() const {
    return m_contents->notes;
}
const std::string& TensorTable::naming() const {
    return m_contents->naming;
}
bool TensorTable::isAuthorsContainer() const {
    return m_contents->authorsContainer;
}
std::uint64_t TensorTable::fileSize() const {
    return m_contents->file.size();
}

const TensorEntry* TensorTable::find(std::string_view name) const {
    const auto found = m_contents->byName.find(name);
    return found == m_contents->byName.end() ? nullptr : &m_contents->tensors[found->second];
}

Result<Array> TensorTable::read(std::string_view name) const {
    const TensorEntry* entry = find(name);
    if (!entry) {
        return failure({ErrorKind::Refused, "TC-05", place({path(), name}), "the file has no such tensor", {}, {}, {}});
    }
    if (!entry->parts.empty()) {
        Array whole{entry->dtype, entry->shape, {}};
        for (const TensorEntry& part : entry->parts) {
            const auto bytes = m_contents->fileOf(part).bytes(part.offset, part.length);
            if (!bytes) return failure(bytes.error());
            whole.bytes.insert(whole.bytes.end(), bytes->begin(), bytes->end());
        }
        return whole;
    }
    auto bytes = m_contents->fileOf(*entry).bytes(entry->offset, entry->length);
    if (!bytes) return failure(bytes.error());
    if (!entry->strides.empty()) return gathered(*entry, *bytes);
    return Array{entry->dtype, entry->shape, std::move(*bytes)};
}

Result<Array> TensorTable::readRows(std::string_view name, std::int64_t first, std::int64_t count) const {
    const TensorEntry* entry = find(name);
    if (!entry || !entry->strides.empty() || entry->shape.empty()) {
        auto whole = read(name);
        if (!whole) return whole;
        return rowsOf(*whole, first, count);
    }
    Array rows{entry->dtype, entry->shape, {}};
    if (first < 0 || count < 0 || first + count > entry->shape[0]) throw std::out_of_range("rows of a tensor");
    rows.shape[0] = count;
    const std::vector<TensorEntry> one = entry->parts.empty() ? std::vector{*entry} : std::vector<TensorEntry>();
    std::int64_t row = 0;  // of the tensor, the first of the part
    for (const TensorEntry& part : one.empty() ? entry->parts : one) {
        const std::int64_t own = part.shape[0], from = std::max(first, row), to = std::min(first + count, row + own);
        if (from < to) {
            const std::uint64_t bytes = part.length / static_cast<std::uint64_t>(own);
            const auto read =
                m_contents->fileOf(part).bytes(part.offset + static_cast<std::uint64_t>(from - row) * bytes,
                                               static_cast<std::uint64_t>(to - from) * bytes);
            if (!read) return failure(read.error());
            rows.bytes.insert(rows.bytes.end(), read->begin(), read->end());
        }
        row += own;
    }
    return rows;
}

Result<std::vector<float>> TensorTable::readFloat(std::string_view name) const {
    const auto array = read(name);
    if (!array) return failure(array.error());
    return toFloat(*array);
}

Result<std::vector<double>> TensorTable::readDouble(std::string_view name) const {
    const auto array = read(name);
    if (!array) return failure(array.error());
    return toDouble(*array);
}

}  // namespace ropescope
