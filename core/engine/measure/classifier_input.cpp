// SPDX-License-Identifier: Apache-2.0
#include "core/engine/measure/classifier_input.h"

#include "core/engine/machine/device.h"
#include "core/engine/machine/media_library.h"
#include "core/engine/measure/preprocess.h"
#include "core/engine/run/picture.h"

namespace ropescope {

Result<OpenClassifier> openClassifier(const ModelRef& ref, const Compute& compute) {
    const auto device = chooseDevice(compute.device);
    if (!device) return failure(device.error());
    const int threads = useThreads(compute.threads);
    auto model = loadModel(ref, *device, compute.precision);
    if (!model) return failure(model.error());
    const ModelCard& card = (*model)->card;
    if (!(*model)->vit)
        return failure({ErrorKind::Refused, "not-a-classifier", place({card.path}), "this model classifies nothing",
                        card.architecture, "vit", "Open a ViT checkpoint"});
    return OpenClassifier{std::move(*model), *device, threads};
}

Result<ClassifierInput> readInput(const OpenClassifier& classifier, Precision precision, const std::string& image,
                                  const Array& pixels) {
    const ModelCard& card = classifier.model->card;
    Array read = pixels;
    if (!image.empty()) {
        const Result<MediaApi*> media = openMediaLibrary();
        if (!media) return failure(media.error());
        auto file = (*media)->readImage(image);
        if (!file) return failure(file.error());
        read = std::move(*file);
    }
    auto cut = classifierInput(read, card.preprocessing);
    if (!cut) return failure(cut.error());
    ClassifierInput input;
    input.values = normalisedInput(*cut, card.preprocessing).to(classifier.device, scalarType(precision));
    input.pixels = std::move(*cut);
    input.grid = {static_cast<int>(input.values.size(2)) / card.patch,
                  static_cast<int>(input.values.size(3)) / card.patch};
    return input;
}

}  // namespace ropescope
