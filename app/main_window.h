// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QMainWindow>
#include <QTimer>
#include <memory>

#include "app/appearance.h"
#include "app/attention_probe.h"
#include "app/classification.h"
#include "app/data_jobs.h"
#include "app/engine_client.h"
#include "app/generation.h"
#include "app/measured_store.h"
#include "app/model_loader.h"
#include "app/panels.h"
#include "app/picture_store.h"
#include "app/session.h"
#include "app/variations.h"
#include "app/window_docks.h"
#include "app/window_options.h"
#include "widgets/state/open_models.h"
#include "widgets/state/runs.h"
#include "widgets/state/selection.h"

class QLabel;
class QStackedWidget;
class QToolButton;

namespace ropescope {

/// Causes of messages, with which they go (MessageAbout).
inline constexpr const char *kEngineCause = "engine", *kOpeningCause = "opening";

/// The window: models left, views in the centre, head right, generation below. It owns what the views show and joins
/// them to the engine; it computes nothing. Checked by tests/app/main_window_test.cpp.
class MainWindow : public QMainWindow {
    Q_OBJECT
public:
    explicit MainWindow(const WindowOptions& options);
    ~MainWindow() override;

    void openFiles(const QStringList& paths);
    void openWithDialog();
    void openFolderWithDialog();
    void openVariationWithDialog();
    void saveVariationWithDialog();
    void closeCurrentModel();
    void activateModel(int model);  ///< its most interesting head; where it has none, itself
    void undoRestore();             ///< the last restored settings or heads
    void closeNow();                ///< whatever still runs
    void setLayout(Layout layout);
    void setAppearance(Appearance appearance);
    /// What would be restored at the next start; recent files and own layouts are kept in it.
    [[nodiscard]] Session currentSession() const;
    [[nodiscard]] Session& rememberedSession() { return m_session; }
    void saveSoon();  ///< writes the session shortly after the last change

    [[nodiscard]] EngineClient& engine() { return *m_engine; }
    [[nodiscard]] OpenModels& models() { return *m_models; }
    [[nodiscard]] Selection& selection() { return *m_selection; }
    [[nodiscard]] ModelLoader& loader() { return *m_loader; }
    [[nodiscard]] Generation& generation() { return *m_generation; }
    [[nodiscard]] Variations& variations() { return *m_variations; }
    [[nodiscard]] Runs& runs() { return *m_runs; }
    [[nodiscard]] PictureStore& pictureStore() { return *m_pictureStore; }
    [[nodiscard]] DataJobs& dataJobs() { return *m_dataJobs; }
    void offerMeasurement();  ///< of the current model
    /// The one that was chosen without a head, else that of the current head, else the first one; -1: none.
    [[nodiscard]] int currentModel() const;
    [[nodiscard]] const WindowDocks& docks() const { return m_docks; }
    [[nodiscard]] const Panels& panels() const { return m_panels; }
    /// The view that was clicked or had the keyboard last: it wears a line, and copy and export mean it.
    [[nodiscard]] View* activeView() const { return m_active; }
    void setActiveView(View* view);
    void goTo(QDockWidget* dock);  ///< shows it, in front, with the keyboard
    void showPictureOf(int row);   ///< of the gallery, in Attention

protected:
    void closeEvent(QCloseEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void buildPanels();
    void buildDocks();
    void buildStatusBar();
    void connectLoader();
    void connectEngine();
    void connectViews();
    void connectVariations();
    void restore(const QStringList& files);
    enum class Restored { No, Other, Current };
    /// Whether the model is one of the last session's that is seen for the first time, and the one that was current.
    Restored restoreSelection(int model);
    [[nodiscard]] bool awaitsCurrentOfSession() const;  ///< the model that was current is still on its way
    void dropFromSession(const std::string& path);      ///< it will not take the selection
    void onOpened(int model);
    /// What the file leaves open, else why nothing can be computed with it.
    void tellState(int model);
    void answer(const ModelRef& answered, int instead);
    void openWithWeights(int model, const QString& copy);
    void openWithoutUnused(int model);
    void onAtlas(int model);
    void openWithAdapter(int model, const QString& path);
    void askBeforeOpening(const ModelRef& ref, const ModelCard& card, int instead);
    void showMakerOf(int model);  ///< Generate or Classify, as the model can
    void showCurrentModel();
    void updateCommandLines();
    void updateJobLine();
    void setViewsStale(bool stale);
    void fillEmptyView(const ViewRow& row);
    void followVisibleView();
    void stayOnScreen();
    void exportFigure(View* view, FigureFormat preferred);
    void writeFigure(View* view, const QString& path, FigureFormat format);
    void savePicture(int row);
    void opening(const std::string& path);  ///< a file is on its way
    void openedOrNot(const std::string& path);

    QString m_sessionFile;
    Session m_session;
    std::unique_ptr<EngineClient> m_engine;
    std::unique_ptr<OpenModels> m_models;
    std::unique_ptr<Selection> m_selection;
    std::unique_ptr<Runs> m_runs;
    std::unique_ptr<ModelLoader> m_loader;
    std::unique_ptr<Variations> m_variations;
    std::unique_ptr<Generation> m_generation;
    std::unique_ptr<PictureStore> m_pictureStore;
    MeasuredStore m_measured;
    std::unique_ptr<AttentionProbe> m_attention;
    std::unique_ptr<DataJobs> m_dataJobs;
    std::unique_ptr<Classification> m_classification;
    AppearanceControl m_appearance;
    Panels m_panels;
    WindowDocks m_docks;
    QStackedWidget* m_maker = nullptr;  ///< Generate above Classify
    QLabel *m_job = nullptr, *m_speed = nullptr;
    QToolButton* m_cancelJob = nullptr;
    QTimer m_stale, m_saveSession;  ///< m_stale: views are dimmed when an answer takes longer
    View* m_active = nullptr;
    int m_headsAsked = 0;
    QString m_obituary;                          ///< of the engine that is being replaced
    QStringList m_opening;                       ///< files on their way
    int m_chosenModel = -1;                      ///< until a head is selected
    bool m_placed = false;                       ///< the docks, once the window has its size
    bool m_sawAtlas = false, m_closing = false;  ///< m_closing: the user has said so, whatever still runs
};

}  // namespace ropescope
