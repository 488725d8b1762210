// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QString>
#include <optional>

#include "widgets/state/open_models.h"

namespace ropescope {

/// Changes of heads of the open models: taken from pictures and files, taken back, written to files. The last one can
/// be undone. Says what it did by told() and failed().
class Variations : public QObject {
    Q_OBJECT
public:
    explicit Variations(OpenModels& models, QObject* parent = nullptr);

    /// What Ctrl+Z takes back together with the changes.
    enum class With { Nothing, Settings };
    /// The heads of `wanted` become those of the model; true where that had others. `from`: what they are of, for
    /// errors. Errors: checkVariation()'s; nothing is changed then.
    Result<bool> take(int model, const Variation& wanted, const QString& from, With with);
    void asStored(int model);

    [[nodiscard]] bool canUndo() const { return m_before.has_value(); }
    [[nodiscard]] bool undoesSettings() const { return m_before && m_before->with == With::Settings; }
    void undo();
    void forget() { m_before.reset(); }  ///< something else is what can be undone now

    /// A JSON file that is a variation, not the index of a model's shards.
    [[nodiscard]] static bool isVariation(const QString& path);
    void open(const QString& path, int model);
    /// Adapter and changes; the ending .json is added where there is none.
    void save(const QString& path, int model);

signals:
    void told(int model, const QString& text, bool undoable);
    void failed(int model, const ropescope::Error& error);
    void modelWanted(const ropescope::ModelRef& ref);  ///< the same file with the adapter of a variation
    void lorasRead(int model, const std::vector<ropescope::LoraRef>& all);  ///< of a variation: settings of pictures

private:
    struct Before {
        int model = -1;
        Variation heads;
        With with = With::Nothing;
    };
    void openWithAdapter(const OpenModel& model, const Variation& wanted, const QString& from);

    OpenModels& m_models;
    std::optional<Before> m_before;
};

}  // namespace ropescope
