// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/data/generation.h"
#include "core/data/head_id.h"
#include "core/data/variation.h"

namespace ropescope {

/// The same change at one head after the other. What draws: the same pictures, from the same noises, are drawn
/// unchanged and with each head changed, and told apart. What classifies: the same labelled pictures are classified.
struct SweepRequest {
    GenerateRequest run;        ///< model with the changes that all have, sampling; labels, seed and batch are not used
    HeadChange change;          ///< its layer and head are not used
    std::vector<HeadId> heads;  ///< head -1: all of the layer, layer -1: all, each for itself; empty: all. Heads that
                                ///< share the map that is changed change together
    std::vector<int> classes;   ///< models that draw by class: of the pictures
    std::vector<std::string> prompts;  ///< models that take text: of the pictures; none: run.text.embeddings
    std::vector<std::uint64_t> seeds = {0};
    std::string classifier;  ///< judges the pictures: a file of the project's classifier or a ViT; empty: none
    std::string folder;      ///< models that classify: pictures in one folder for each class
    std::string data;        ///< or: a folder of idx files, whose test set is taken
    int images = 0;          ///< of those, so many at even distances; 0: all
    int batch = 0;           ///< pictures at once; 0: 16384 tokens, at most 64 drawn or 250 classified; of text one
    std::string out;         ///< TABLE.csv, with TABLE.safetensors beside it; empty: no files
    bool restart = false;    ///< from the beginning, whatever `out` holds
};

/// One changed head, in the order of SweepReport::numbers. Mean over all pictures; standard error: of pictures that are
/// drawn over seeds (the mean over classes or prompts first, then sd / sqrt(seeds)), of labelled ones over pictures.
/// Not a number where there is no number, for the error also with one seed or picture alone.
struct SweepRow {
    HeadChange change;  ///< with its layer and head
    std::vector<double> mean, error;
};

struct SweepReport {
    std::vector<std::string> numbers;  ///< columns, e.g. "picture_l2"; core/engine/measure/sweep.h defines them
    std::vector<SweepRow> rows;
    int pictures = 0;  ///< of each head
    int before = 0;    ///< heads that an earlier, stopped sweep had done
    double seconds = 0;
    std::string device;
    std::string note;  ///< why a column is empty
};

template <class V>
void fields(V& v, SweepRequest& r) {
    v("run", r.run), v("change", r.change), v("heads", r.heads), v("classes", r.classes), v("prompts", r.prompts),
        v("seeds", r.seeds), v("classifier", r.classifier), v("folder", r.folder), v("data", r.data),
        v("images", r.images), v("batch", r.batch), v("out", r.out), v("restart", r.restart);
}
template <class V>
void fields(V& v, SweepRow& r) {
    v("change", r.change), v("mean", r.mean), v("error", r.error);
}
template <class V>
void fields(V& v, SweepReport& r) {
    v("numbers", r.numbers), v("rows", r.rows), v("pictures", r.pictures), v("before", r.before),
        v("seconds", r.seconds), v("device", r.device), v("note", r.note);
}

}  // namespace ropescope
