// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/app/stale_texts.h"

#include <QAbstractButton>
#include <QAbstractItemView>
#include <QAbstractSpinBox>
#include <QComboBox>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QRegularExpression>
#include <QStatusBar>
#include <QTabBar>
#include <QTest>
#include <QTextEdit>
#include <algorithm>

#include "app/main_window.h"
#include "tests/app/text_census.h"
#include "tests/app/text_faults.h"
#include "tests/app/view_turns.h"

namespace ropescope::test {
namespace {

enum class Kind { None, Dit, Vit, Flux, Unknown };

struct Said {
    QString text;
    const QWidget* by;
};

/// Words that are true of some kinds of models only, and never where no model is open.
struct KindWords {
    const char* words;
    Kind of[3];  ///< the rest is None
};
constexpr KindWords kKindWords[] = {
    {"classif", {Kind::Vit}},
    {"makes no pictures", {Kind::Vit, Kind::Unknown}},
    {"prompt", {Kind::Flux}},
    {"nothing is computed", {Kind::Unknown}},
    {"no known architecture", {Kind::Unknown}},
};

Kind kindOf(const OpenModel* open) {
    if (!open) return Kind::None;
    if (!open->runs()) return Kind::Unknown;
    if (open->card.objective == "classify") return Kind::Vit;
    return open->takesText() ? Kind::Flux : Kind::Dit;
}

bool isIn(const QWidget* widget, const QList<QByteArrayView>& classes) {
    for (; widget; widget = widget->parentWidget()) {
        const QByteArrayView name(widget->metaObject()->className());
        if (std::ranges::any_of(classes, [&](QByteArrayView c) { return name.endsWith(c); })) return true;
    }
    return false;
}

bool isWrittenByUser(const QWidget* widget) {
    for (; widget; widget = widget->parentWidget()) {
        if (qobject_cast<const QLineEdit*>(widget) || qobject_cast<const QAbstractSpinBox*>(widget)) return true;
        const auto* plain = qobject_cast<const QPlainTextEdit*>(widget);
        const auto* rich = qobject_cast<const QTextEdit*>(widget);
        if ((plain && !plain->isReadOnly()) || (rich && !rich->isReadOnly())) return true;
    }
    return false;
}

void addEntries(const QAbstractItemModel& model, const QModelIndex& parent, const QWidget& by,
                std::vector<Said>& said) {
    for (int row = 0; row < model.rowCount(parent); ++row) {
        for (int column = 0; column < model.columnCount(parent); ++column) {
            const QModelIndex index = model.index(row, column, parent);
            said.push_back({index.data(Qt::DisplayRole).toString(), &by});
            said.push_back({index.data(Qt::ToolTipRole).toString(), &by});
        }
        addEntries(model, model.index(row, 0, parent), by, said);
    }
}

void addProperties(QWidget& widget, std::vector<Said>& said) {
    said.push_back({widget.toolTip(), &widget});
    said.push_back({widget.accessibleDescription(), &widget});
    said.push_back({widget.windowTitle(), &widget});
    if (auto* label = qobject_cast<QLabel*>(&widget)) said.push_back({label->text(), label});
    if (auto* button = qobject_cast<QAbstractButton*>(&widget)) said.push_back({button->text(), button});
    if (auto* line = qobject_cast<QLineEdit*>(&widget)) {
        said.push_back({line->text(), line});
        said.push_back({line->placeholderText(), line});
    }
    if (auto* text = qobject_cast<QTextEdit*>(&widget)) said.push_back({text->toPlainText(), text});
    if (auto* text = qobject_cast<QPlainTextEdit*>(&widget)) said.push_back({text->toPlainText(), text});
    if (auto* bar = qobject_cast<QStatusBar*>(&widget)) said.push_back({bar->currentMessage(), bar});
    if (auto* box = qobject_cast<QComboBox*>(&widget)) addEntries(*box->model(), {}, *box, said);
    if (auto* view = qobject_cast<QAbstractItemView*>(&widget); view && view->model())
        addEntries(*view->model(), {}, *view, said);
    if (auto* tabs = qobject_cast<QTabBar*>(&widget)) {
        for (int i = 0; i < tabs->count(); ++i) {
            said.push_back({tabs->tabText(i), tabs});
            said.push_back({tabs->tabToolTip(i), tabs});
        }
    }
}

std::vector<Said> everythingSaid(MainWindow& window) {
    std::vector<Said> said;
    for (const SeenText& seen : seenTexts(window)) said.push_back({seen.text, seen.owner});
    addProperties(window, said);
    for (QWidget* widget : window.findChildren<QWidget*>()) {
        if (widget->isVisible()) addProperties(*widget, said);
    }
    std::erase_if(said, [](const Said& s) {
        return s.text.isEmpty() || isIn(s.by, {"Gallery", "GalleryList", "GalleryPicture", "QMenu"});
    });
    return said;
}

class Judge {
public:
    Judge(MainWindow& window, const Past& past) : m_window(window), m_past(past) {
        for (const auto& [key, model] : window.models().all()) {
            m_open << QString::fromStdString(model.card.name);
            m_headsAreOpen |= model.runs();
        }
        const OpenModel* open = window.models().find(window.currentModel());
        m_current = open ? QString::fromStdString(open->card.name) : QString();
        m_kind = kindOf(open);
    }

    void judge(const Said& said) {
        for (const QString& model : m_past.models) {
            if (!said.text.contains(model)) continue;
            if (!m_open.contains(model))
                complain(said, "names " + model + ", which is not open");
            else if (model != m_current && isIn(said.by, {"MessageBar"}))
                complain(said, "is about " + model + ", but " + m_current + " is current");
        }
        for (const KindWords& words : kKindWords) {
            const bool holds = m_kind != Kind::None && std::ranges::find(words.of, m_kind) != std::end(words.of);
            // The tree and lists of models speak of all that are open.
            if (holds || isIn(said.by, {"ModelTree", "CompareView"})) continue;
            if (said.text.contains(QLatin1StringView(words.words), Qt::CaseInsensitive))
                complain(said, QString("says \"%1\" beside %2").arg(words.words, kindName()));
        }
        if (!m_headsAreOpen && (said.text.contains(m_head) || said.text.contains(m_step)))
            complain(said, "tells of heads or pictures where no open model has any");
        for (const QString& word : m_past.words) {
            if (said.text.contains(word) && !isWrittenByUser(said.by))
                complain(said, "tells of a run whose model is closed: " + word);
        }
        if (m_window.engine().state() == EngineClient::State::Ready && said.text.contains("started again"))
            complain(said, "waits for an engine that is there");
    }
    [[nodiscard]] QStringList complaints() const { return m_complaints; }

private:
    [[nodiscard]] QString kindName() const {
        switch (m_kind) {
            case Kind::None:
                return "no model";
            case Kind::Dit:
                return "a DiT of classes";
            case Kind::Vit:
                return "a ViT";
            case Kind::Flux:
                return "a FLUX";
            case Kind::Unknown:
                return "a file of an unknown kind";
        }
        return {};
    }
    void complain(const Said& said, const QString& why) {
        const QString line = QString("%1 %2: \"%3\"").arg(nameOf(*said.by), why, said.text.left(160));
        if (!m_complaints.contains(line)) m_complaints << line;
    }

    MainWindow& m_window;
    const Past& m_past;
    QStringList m_open, m_complaints;
    QString m_current;
    const QRegularExpression m_head{"\\bL\\d+\\.H\\d+\\b"}, m_step{"\\bstep \\d+ of \\d+\\b"};
    Kind m_kind = Kind::None;
    bool m_headsAreOpen = false;
};

}  // namespace

QStringList staleTexts(MainWindow& window, const Past& past) {
    Judge judge(window, past);
    raiseInTurn(*window.docks().centre, [&](const QStringList&) {
        QTest::qWait(1);
        for (const Said& said : everythingSaid(window)) judge.judge(said);
    });
    return judge.complaints();
}

}  // namespace ropescope::test
