// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/key_sheet.h"

#include <QAction>
#include <QMenu>
#include <QTextBrowser>
#include <QVBoxLayout>
#include <utility>
#include <vector>

namespace ropescope {
namespace {

struct ViewKey {
    const char* keys;
    const char* what;
};
constexpr ViewKey kHeadKeys[] = {
    {"Arrows", "Atlas: move to the next head"},
    {"Shift+Arrows", "Atlas: select more heads"},
    {"Click", "Select a head; Ctrl adds it, Shift selects a range, dragging selects many"},
};
constexpr ViewKey kWindowKeys[] = {{"Tab", "Move through the controls"}};

enum Section { kWindow, kHeads, kViews, kPictures, kSections };
constexpr const char* kTitles[kSections] = {"Window", "Heads", "Views", "Pictures"};

using Row = std::pair<QString, QString>;

/// By the menu that the command is in.
Section sectionOf(const QAction& action) {
    for (const QObject* object : action.associatedObjects()) {
        const auto* menu = qobject_cast<const QMenu*>(object);
        while (menu != nullptr) {
            const QString title = menu->title().remove('&');
            if (title == "Heads") return kHeads;
            if (title == "Generate") return kPictures;
            if (title == "View" || title == "Edit") return kViews;
            menu = qobject_cast<const QMenu*>(menu->parentWidget());
        }
    }
    return kWindow;
}

QString tableOf(const std::vector<Row>& rows) {
    QString html = "<table width=\"100%\" cellspacing=\"0\" cellpadding=\"3\">";
    for (const auto& [keys, what] : rows)
        html += QString("<tr><td width=\"28%\"><b>%1</b></td><td>%2</td></tr>")
                    .arg(keys.toHtmlEscaped(), what.toHtmlEscaped());
    return html + "</table>";
}

QString sheetOf(const QList<QAction*>& actions) {
    std::vector<Row> rows[kSections];
    for (const QAction* action : actions) {
        if (action->shortcut().isEmpty()) continue;
        rows[sectionOf(*action)].emplace_back(action->shortcut().toString(QKeySequence::NativeText),
                                              action->text().remove('&'));
    }
    for (const ViewKey& key : kHeadKeys) rows[kHeads].emplace_back(key.keys, key.what);
    for (const ViewKey& key : kWindowKeys) rows[kWindow].emplace_back(key.keys, key.what);
    QString html;
    for (int i = 0; i < kSections; ++i) {
        if (!rows[i].empty()) html += QString("<h4>%1</h4>").arg(kTitles[i]) + tableOf(rows[i]);
    }
    return html;
}

}  // namespace

KeySheet::KeySheet(const QList<QAction*>& actions, QWidget* parent, const SheetSection& first)
    : QDialog(parent), m_page(new QTextBrowser(this)) {
    setWindowTitle(first.title.isEmpty() ? QString("Keys") : QString("Help: %1").arg(first.title));
    setAttribute(Qt::WA_DeleteOnClose);
    QString html;
    if (!first.title.isEmpty())
        html = QString("<h4>%1</h4><p>%2</p>")
                   .arg(first.title.toHtmlEscaped(), first.text.toHtmlEscaped().replace('\n', "<br>"));
    m_page->setFrameShape(QFrame::NoFrame);
    m_page->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_page->setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    m_page->setAccessibleName("Keys and what they do");
    m_page->setHtml(html + sheetOf(actions));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->addWidget(m_page);
    resize(520, 600);
}

}  // namespace ropescope
