// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QWidget>

#include "widgets/state/open_models.h"
#include "widgets/state/selection.h"

class QLabel;
class QCPPainter;
class QPushButton;
class QStackedLayout;

namespace ropescope {

class MessageBar;
class NumberTable;
class ToolRow;

/// Svg: text stays text; SvgOutlines: text as outlines, the same everywhere.
enum class FigureFormat { Png, Svg, SvgOutlines, Pdf, Csv };

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
    /// How what is drawn is read, for those who ask: terms and marks that the drawing has no room to explain.
    void setHelp(const QString& reading) { m_help = reading; }
    [[nodiscard]] bool isShowingEmpty() const;
    [[nodiscard]] const QString& title() const { return m_title; }
    /// The one that copy and export mean wears a line in the accent colour.
    void setActive(bool active);
    [[nodiscard]] bool isActive() const { return m_active; }
    /// What the view shows and how it is read, in a few sentences.
    [[nodiscard]] QString helpText() const;
    /// Old content stays, dimmed, until the new one arrives.
    void setStale(bool stale);
    [[nodiscard]] MessageBar& messages() { return *m_messages; }

    /// The numbers of the figure as a table with a header line.
    [[nodiscard]] QString numbers(QChar separator) const;
    /// "Fields, 4 heads, 338 numbers": what a copy or an export holds.
    [[nodiscard]] QString contents(FigureFormat format) const;
    /// The figure in light colours on white; for Csv the numbers.
    [[nodiscard]] QByteArray figure(FigureFormat format) const;
    [[nodiscard]] QImage figureImage(qreal scale) const;

public slots:
    void copyFigure();
    void copyNumbers();
    void copyCommandLine();
    void requestExport(ropescope::FigureFormat preferred);

signals:
    /// The window asks for a file name and a format, and writes figure() there.
    void exportRequested(ropescope::FigureFormat preferred);
    void copied(const QString& what);  ///< now in the clipboard
    void emptyActionRequested();
    void measureRequested();  ///< the user wants the shown heads measured on images
    /// One line about what is under the mouse, for the status bar; empty when there is nothing.
    void hovered(const QString& text);

protected:
    /// Draws the figure into [0,0,size], light colours, no background.
    virtual void drawFigure(QCPPainter& painter, QSize size) const = 0;
    [[nodiscard]] virtual QSize figureSize() const;
    /// Fills the table whose text numbers() is.
    virtual void writeNumbers(NumberTable& table) const = 0;
    /// "4 heads": what the figure is of.
    [[nodiscard]] virtual QString subject() const;
    void setContent(QWidget* content);
    void showEmpty(bool empty);
    /// True, and the content dimmed, while no report of a shown head has arrived yet.
    [[nodiscard]] bool keepsOldContent();
    [[nodiscard]] ToolRow& controls() { return *m_controls; }
    void changeEvent(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void showEvent(QShowEvent* event) override;
    /// Whether the empty view shows its button; usually only where no model is open.
    [[nodiscard]] virtual bool offersAction() const { return m_models.all().empty(); }
    /// What an empty view says; `otherwise` where nothing particular is missing.
    [[nodiscard]] virtual QString emptyReason(const QString& otherwise) const;
    /// The palette changed: colours taken from it must be taken again.
    virtual void restyle() {}
    /// A button, to be put into the row of controls, that emits measureRequested.
    QPushButton* newMeasureButton();

    OpenModels& m_models;
    Selection& m_selection;

private:
    void buildCorner();

    QString m_title;
    QString m_commandLine;
    QString m_help;
    bool m_active = false;
    ToolRow* m_controls;
    QLabel* m_limit = nullptr;
    MessageBar* m_messages;
    QWidget* m_body;
    QStackedLayout* m_stack;
    QLabel* m_emptyText;
    QPushButton* m_emptyAction;
    QWidget* m_veil = nullptr;
};

}  // namespace ropescope
