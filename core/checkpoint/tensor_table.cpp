// SPDX-License-Identifier: Apache-2.0
#include "core/checkpoint/tensor_table.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "core/checkpoint/model_folder.h"
#include "core/checkpoint/names.h"
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
Result<void> readByContent(TensorTable::Contents& contents) {
    const InputFile& file = contents.file;
    for (const char* index : {".index.json", ".index.bf16.json", ".index.fp16.json"})
        if (endsWith(file.path(), index)) return readSharded(contents);
    const auto start = file.bytes(0, std::min<std::uint64_t>(512, file.size()));
    if (!start) return failure(start.error());
    const std::string_view foreign = knownForeignFormat(*start);
    if (foreign.empty()) return readSafetensorsFile(contents);
    const bool zip = foreign.find("zip archive") != foreign.npos;
    if (zip && !endsWith(file.path(), ".safetensors")) return readTorchZip(contents);
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

/// "NAME-00001-of-00002.safetensors": one part of several is no model.
Result<void> checkWhole(const std::string& path) {
    const std::string stem = std::filesystem::path(path).stem().string();
    const std::size_t of = stem.rfind("-of-");
    const auto number = [](std::string_view text) {
        const bool digits = !text.empty() && text.size() < 8 && text.find_first_not_of("0123456789") == text.npos;
        return digits ? std::stoi(std::string(text)) : -1;
    };
    const std::size_t dash = of == std::string::npos || of == 0 ? std::string::npos : stem.rfind('-', of - 1);
    if (dash == std::string::npos) return {};
    const int part = number(std::string_view(stem).substr(dash + 1, of - dash - 1));
    const int all = number(std::string_view(stem).substr(of + 4));
    if (part < 0 || all < 2) return {};
    return failure({ErrorKind::Refused, "FO-05", place({path}), "one part of a model alone",
                    "part " + std::to_string(part) + " of " + std::to_string(all), "the folder or its index",
                    "Open the folder, or its index (*.index.json), with all other parts in it"});
}

/// Multiplies the float32 values of rows `first` .. of an entry by its factor.
Result<void> applyFactor(const TensorTable::Contents& contents, const TensorEntry& entry, std::int64_t first,
                         Array& values) {
    const WeightFactor& factor = *entry.factor;
    const auto where = [&] { return place({contents.file.path(), factor.values.name}); };
    const auto bytes = contents.fileOf(factor.values).bytes(factor.values.offset, factor.values.length);
    if (!bytes) return failure(bytes.error());
    const Array stored{factor.values.dtype, factor.values.shape, *bytes};
    const std::vector<float> numbers =
        toFloat(factor.values.strides.empty() ? stored : gathered(factor.values, *bytes));
    const std::int64_t cols =
        values.shape.size() > 1 ? values.elements() / std::max<std::int64_t>(values.shape[0], 1) : 1;
    const auto tiles = tilesOf(factor.values.shape, factor.rows, cols);
    if (!tiles || !std::all_of(numbers.begin(), numbers.end(), [](float v) { return std::isfinite(v); }))
        return failure({ErrorKind::Refused, "TC-07", where(), "not the factors of a weight",
                        std::to_string(numbers.size()) + " numbers",
                        "finite: one, one a row, one a column or one a block", "Use the file in bf16, fp16 or fp32"});
    const auto [down, across] = *tiles;
    const std::int64_t perRow = factor.rows / down, perCol = cols / across;
    const std::span<float> all = values.as<float>();
    const std::int64_t begin = factor.firstRow + first;
    for (std::int64_t r = 0; r < values.shape[0]; ++r)
        for (std::int64_t block = 0; block < across; ++block) {
            const float number = numbers[static_cast<std::size_t>((begin + r) / perRow * across + block)];
            const auto from = static_cast<std::size_t>(r * cols + block * perCol);
            for (float& value : all.subspan(from, static_cast<std::size_t>(perCol))) value *= number;
        }
    return {};
}

/// Dense rows first .. first + count - 1 of an entry without parts; with a factor F32, else in the stored type.
Result<Array> readRowsOf(const TensorTable::Contents& contents, const TensorEntry& entry, std::int64_t first,
                         std::int64_t count) {
    const std::int64_t rows = entry.shape.empty() ? 1 : entry.shape[0];
    Array out{entry.dtype, entry.shape, {}};
    if (!entry.strides.empty()) {
        const auto bytes = contents.fileOf(entry).bytes(entry.offset, entry.length);
        if (!bytes) return failure(bytes.error());
        out = gathered(entry, *bytes);
        if (first > 0 || count < rows) out = rowsOf(out, first, count);
    } else {
        const std::uint64_t each = rows > 0 ? entry.length / static_cast<std::uint64_t>(rows) : 0;
        const bool whole = first == 0 && count == rows;
        auto bytes = contents.fileOf(entry).bytes(entry.offset + static_cast<std::uint64_t>(first) * each,
                                                  whole ? entry.length : static_cast<std::uint64_t>(count) * each);
        if (!bytes) return failure(bytes.error());
        if (!entry.shape.empty()) out.shape[0] = count;
        out.bytes = std::move(*bytes);
    }
    if (!entry.factor) return out;
    Array wide = makeArray(toFloat(out), out.shape);
    if (auto done = applyFactor(contents, entry, first, wide); !done) return failure(done.error());
    return wide;
}

}  // namespace

std::int64_t TensorEntry::elements() const {
    std::int64_t n = 1;
    for (std::int64_t dimension : shape) n *= dimension;
    return n;
}

Result<TensorTable> TensorTable::open(const std::string& path, const std::string& choice) {
    const std::string inFolder = weightsInFolder(path);
    if (std::error_code ignored; inFolder.empty() && std::filesystem::is_directory(path, ignored))
        return failure(noWeightsIn(path));
    auto file = InputFile::open(inFolder.empty() ? path : inFolder);
    if (!file) return failure(file.error());
    auto contents = std::make_shared<Contents>(*file);
    if (auto part = checkWhole(file->path()); !part) return failure(part.error());
    if (auto read = readByContent(*contents); !read) return failure(read.error());
    if (!inFolder.empty()) contents->format = "folder", noteOtherFormat(*contents);
    if (auto chosen = chooseCopy(*contents, choice); !chosen) return failure(chosen.error());
    if (auto scaled = attachFactors(*contents); !scaled) return failure(scaled.error());
    useModelNames(*contents);
    useFlowNames(*contents);
    useBakedMaps(*contents);
    return TensorTable(indexed(std::move(contents)));
}

Result<TensorTable> TensorTable::openPlain(const std::string& path) {
    auto file = InputFile::open(path);
    if (!file) return failure(file.error());
    auto contents = std::make_shared<Contents>(*file);
    if (auto read = readByContent(*contents); !read) return failure(read.error());
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
    for (TensorEntry& tensor : tensors) tensor.name = withoutWrappers(tensor.name.substr(prefix->size()));
    if (auto scaled = attachFactors(*contents); !scaled) return failure(scaled.error());
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
const std::vector<std::string>& TensorTable::copies() const {
    return m_contents->copies;
}
const std::string& TensorTable::copy() const {
    return m_contents->copy;
}
const std::string& TensorTable::naming() const {
    return m_contents->naming;
}
bool TensorTable::renamedScales() const {
    return m_contents->renamedScales;
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
    const std::int64_t rows = entry->shape.empty() ? 1 : entry->shape[0];
    if (entry->parts.empty()) return readRowsOf(*m_contents, *entry, 0, rows);
    return readRows(name, 0, rows);
}

Result<Array> TensorTable::readRows(std::string_view name, std::int64_t first, std::int64_t count) const {
    const TensorEntry* entry = find(name);
    if (!entry || entry->shape.empty()) return read(name);
    if (first < 0 || count < 0 || first + count > entry->shape[0]) throw std::out_of_range("rows of a tensor");
    if (entry->parts.empty()) return readRowsOf(*m_contents, *entry, first, count);
    const bool scaled = std::ranges::any_of(entry->parts, [](const TensorEntry& p) { return p.factor != nullptr; });
    Array rows{scaled ? DType::F32 : entry->dtype, entry->shape, {}};
    rows.shape[0] = count;
    std::int64_t row = 0;  // of the tensor, the first of the part
    for (const TensorEntry& part : entry->parts) {
        const std::int64_t own = part.shape[0], from = std::max(first, row), to = std::min(first + count, row + own);
        if (from < to) {
            auto read = readRowsOf(*m_contents, part, from - row, to - from);
            if (!read) return failure(read.error());
            const Array wide = scaled && !part.factor ? makeArray(toFloat(*read), read->shape) : std::move(*read);
            rows.bytes.insert(rows.bytes.end(), wide.bytes.begin(), wide.bytes.end());
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
