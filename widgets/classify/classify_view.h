// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>
#include <map>
#include <optional>
#include <utility>

#include "core/data/classification.h"
#include "core/data/error.h"
#include "widgets/state/open_models.h"
#include "widgets/state/selection.h"

class QLabel;
class QPushButton;

namespace ropescope {

class ClassBars;
class MessageBar;
class PreviewImage;
class StatusText;

/// An image dropped or opened, what the model sees of it, and its best classes as bars. The window runs what
/// classifyRequested asks for and feeds the result back.
class ClassifyView : public QWidget {
    Q_OBJECT
public:
    ClassifyView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    void setModel(int model);
    [[nodiscard]] int model() const { return m_model; }
    void setImage(const QString& path);  ///< and asks at once
    [[nodiscard]] QString image() const { return m_image; }

    void start();
    void finish(const ClassifyResult& result);
    void cancelled();
    void fail(const Error& error);
    [[nodiscard]] bool isRunning() const { return m_running; }
    [[nodiscard]] MessageBar& messages() { return *m_messages; }
    [[nodiscard]] const std::optional<ClassifyResult>& result() const { return m_result; }
    [[nodiscard]] QString headText() const;  ///< the class token's share of the current head
    [[nodiscard]] QPushButton* classifyButton() const { return m_classify; }  ///< Cancel while it runs
    [[nodiscard]] QImage shownImage() const;

public slots:
    void requestClassify();
    void openWithDialog();

signals:
    void classifyRequested(const ropescope::ClassifyRequest& request);
    void cancelRequested();

protected:
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void setRunning(bool running);
    [[nodiscard]] QString obstacle() const;  ///< why the model at hand does not classify; empty: it does
    void showHead();
    void showResult();

    OpenModels& m_models;
    Selection& m_selection;
    int m_model = -1;
    bool m_running = false;
    QString m_image;
    int m_asked = -1;                                          ///< the model that classifies now, or did last ...
    QString m_askedImage;                                      ///< ... and what it was shown
    std::map<int, std::pair<QString, ClassifyResult>> m_seen;  ///< the last picture of each model
    std::optional<ClassifyResult> m_result;                    ///< of the model at hand
    QPushButton* m_open;
    QPushButton* m_classify;
    StatusText* m_status;
    QLabel* m_head;
    PreviewImage* m_preview;
    ClassBars* m_bars;
    MessageBar* m_messages;
};

}  // namespace ropescope
