// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QWidget>

#include "widgets/open_models.h"
#include "widgets/selection.h"

class QLabel;
class QCPPainter;
class QPushButton;
class QStackedLayout;

namespace ropescope {

class FlowLayout;
class MessageBar;

enum class FigureFormat { Png, Svg, Pdf, Csv };

/// A widget that shows one probe's result for the shared selection. The base gives every view the same frame: a row of
/// controls with the corner menu (copy, export, equal command line), the message bar, the figure, the empty state.
class View : public QWidget {
    Q_OBJECT
public:
    View(OpenModels& models, Selection& selection, const QString& title, QWidget* parent);

    /// The command line that computes the same numbers; shown in the corner menu.
    void setCommandLine(const QString& line);
    [[nodiscard]] QString commandLine() const { return m_commandLine; }
    /// What an empty view says and the text of the button that fills it (emits emptyActionRequested).
    void setEmptyText(const QString& what, const QString& action);
    [[nodiscard]] bool isShowingEmpty() const;
    /// Old content stays, dimmed, until the new one arrives.
    void setStale(bool stale);
    [[nodiscard]] MessageBar& messages() { return *m_messages; }

    /// The numbers of the figure as a table with a header line.
    [[nodiscard]] virtual QString numbers(QChar separator) const = 0;
    /// The figure in light colours on white, text as outlines in SVG; for Csv the numbers.
    [[nodiscard]] QByteArray figure(FigureFormat format) const;
    [[nodiscard]] QImage figureImage(qreal scale) const;

public slots:
    void copyFigure();
    void copyNumbers();
    void requestExport(ropescope::FigureFormat format);

signals:
    /// The window asks for a file name and writes the bytes.
    void exportRequested(const QByteArray& bytes, const QString& suggestedName);
    void emptyActionRequested();
    void measureRequested();  ///< the user wants the shown heads measured on images
    /// One line about what is under the mouse, for the status bar; empty when there is nothing.
    void hovered(const QString& text);

protected:
    /// Draws the figure into [0,0,size], light colours, no background.
    virtual void drawFigure(QCPPainter& painter, QSize size) const = 0;
    [[nodiscard]] virtual QSize figureSize() const;
    void setContent(QWidget* content);
    void showEmpty(bool empty);
    /// True, and the content dimmed, while no report of a shown head has arrived yet.
    [[nodiscard]] bool keepsOldContent();
    [[nodiscard]] FlowLayout& controls() { return *m_controls; }
    void changeEvent(QEvent* event) override;
    void showEvent(QShowEvent* event) override;
    /// Whether the empty view shows its button; usually only where no model is open.
    [[nodiscard]] virtual bool offersAction() const { return m_models.all().empty(); }
    /// What an empty view says; `otherwise` where nothing particular is missing.
    [[nodiscard]] virtual QString emptyReason(const QString& otherwise) const;
    /// The palette changed: colours taken from it must be taken again.
    virtual void restyle() {}
    /// A button in the row of controls that emits measureRequested.
    QPushButton* addMeasureButton();
    /// A plain label in the row of controls.
    QLabel* addLabel(const QString& text);

    OpenModels& m_models;
    Selection& m_selection;

private:
    void buildCorner();

    QString m_title;
    QString m_commandLine;
    FlowLayout* m_controls;
    MessageBar* m_messages;
    QWidget* m_body;
    QStackedLayout* m_stack;
    QLabel* m_emptyText;
    QPushButton* m_emptyAction;
    QWidget* m_veil = nullptr;
};

}  // namespace ropescope
