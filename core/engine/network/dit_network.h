// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <vector>

#include "core/engine/network/loaded_model.h"
#include "core/engine/network/network.h"

namespace ropescope {

/// The request checked against a DiT. Errors: Usage naming the option that does not fit; those of reading the noise
/// files.
[[nodiscard]] Result<RunSetting> ditSetting(const GenerateRequest& request, const LoadedModel& model);

/// A DiT conditioned on classes.
class DitNetwork : public Network {
public:
    /// `setting` of that request and model.
    DitNetwork(GenerateRequest request, std::shared_ptr<const LoadedModel> model, RunSetting setting);

    [[nodiscard]] const ModelCard& card() const override { return m_model->card; }
    [[nodiscard]] at::Device device() const override { return m_model->dit->device(); }
    [[nodiscard]] const RunSetting& setting() const override { return m_setting; }
    [[nodiscard]] Result<void> prepare(const JobContext&) override { return {}; }
    [[nodiscard]] Result<at::Tensor> predict(const at::Tensor& x, int evaluation, const Watch& watch) override;
    [[nodiscard]] Result<LayerAttention> attention(const at::Tensor& x, int evaluation, int layer,
                                                   const Watch& watch) override;

protected:
    [[nodiscard]] const GenerateRequest& request() const { return m_request; }
    [[nodiscard]] const DitInference& dit() const { return *m_model->dit; }
    /// The network of that evaluation: changes of heads may follow the run.
    [[nodiscard]] const DitInference& ditAt(int evaluation);

private:
    void condition(int evaluation);
    [[nodiscard]] std::vector<HeadField> fieldsOf(const DitRecording& recording) const;

    GenerateRequest m_request;
    std::shared_ptr<const LoadedModel> m_model;
    RunSetting m_setting;
    std::vector<int> m_rows;       ///< label of every row of the network's batch
    std::vector<bool> m_layers;    ///< recorded ones; empty: none
    std::vector<float> m_perPair;  ///< per bin: tokens / number of pairs, from sums to means
    DitConditions m_conditions;    ///< of some evaluations ahead
    std::unique_ptr<const DitInference> m_moving;  ///< where changes follow the run: at m_progress
    double m_progress = -1;
    int m_firstCondition = 0, m_heldConditions = 0;
};

/// Errors: those of loading and of ditSetting().
[[nodiscard]] Result<std::unique_ptr<Network>> openDitNetwork(const GenerateRequest& request,
                                                              const JobContext& context);

}  // namespace ropescope
