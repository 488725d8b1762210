// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QTimer>
#include <optional>

#include "core/data/error.h"
#include "core/data/tensors_report.h"
#include "widgets/frame/view.h"

class QLineEdit;
class QSplitter;
class QTableView;

namespace ropescope {

class TensorList;
class TensorPanel;

/// The tensors of a model's file, whether it runs or not: name, type, shape, size and use of each, and what the values
/// of the chosen one are like. It asks for what it shows, and only while it is seen.
class TensorsView : public View {
    Q_OBJECT
public:
    TensorsView(OpenModels& models, Selection& selection, QWidget* parent = nullptr);

    void setModel(int model);
    [[nodiscard]] int model() const { return m_model; }
    void setFilter(const QString& text);
    void choose(const QString& tensor);
    /// Answers to what is no longer asked are not shown.
    void take(const TensorsRequest& request, const TensorsReport& report);
    void fail(const TensorsRequest& request, const Error& error);

    [[nodiscard]] QTableView* table() const { return m_table; }
    [[nodiscard]] const TensorList& list() const { return *m_list; }
    [[nodiscard]] const TensorPanel& panel() const { return *m_panel; }

signals:
    void tensorsRequested(const ropescope::TensorsRequest& request);

protected:
    void drawFigure(QCPPainter& painter, QSize size) const override;
    void writeNumbers(NumberTable& table) const override;  ///< the rows
    [[nodiscard]] QString subject() const override;
    void restyle() override;
    void resizeEvent(QResizeEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    [[nodiscard]] QString emptyReason(const QString& otherwise) const override { return otherwise; }

private:
    void buildControls();
    void buildTable();
    void ask();
    void askValues();
    void takeRow();
    void showCounts();
    void fitColumns();
    void showCommand();

    int m_model = -1;
    int m_shown = -1;                  ///< the model whose rows are in the table
    std::optional<ModelRef> m_listed;  ///< the model whose list is shown or on its way
    std::string m_chosen;              ///< the tensor whose values are
    bool m_waiting = false;            ///< the list is on its way; an older one may be seen
    QTimer m_pause;                    ///< keys held down ask for the last row alone
    QLineEdit* m_filter;
    QLabel* m_counts;
    QSplitter* m_splitter;
    QTableView* m_table;
    TensorList* m_list;
    TensorPanel* m_panel;
};

}  // namespace ropescope
