// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/file_questions.h"

#include <QTest>

namespace ropescope {

class FileQuestionsTest : public QObject {
    Q_OBJECT

    static ModelCard problem(const char* code, const std::string& text) {
        ModelCard card;
        card.name = "model";
        card.problemCode = code;
        card.problem = std::string("[") + code + "] /m/vit_14x16.pt > pos_embed: " + text;
        return card;
    }

private slots:
    void gridsAreThoseThatTheProblemNames() {
        QCOMPARE(
            gridCandidates("[x] /m/vit_14x16.pt: rows (found 15 patches, expected one of 3x5, 5x3). Give --grid HxW."),
            (std::vector<Grid>{{3, 5}, {5, 3}}));
        QCOMPARE(
            gridCandidates("[x] /m/a 2x2.pt: rows (found 36 rows; tokens: class, expected 35 patches and 1 more, or "
                           "36 patches and 0 more). Give --grid HxW."),
            (std::vector<Grid>{{5, 7}, {6, 6}, {7, 5}, {4, 9}, {1, 35}}));
        QCOMPARE(gridCandidates("[x] /m/a: rows (expected 224 patches and 1 more, or 225 patches and 0 more).").size(),
                 5u);
        QVERIFY(gridCandidates("[x] /m/vit_14x16.pt: nothing is expected.").empty());
        QVERIFY(gridCandidates({}).empty());
    }

    void headsDivideTheWidth() {
        QCOMPARE(headCandidates(0).size(), 7u);
        QCOMPARE(headCandidates(24), (std::vector<int>{1, 2, 3, 4, 6}));
        for (const int width : {384, 768, 1152, 3072}) {
            const std::vector<int> heads = headCandidates(width);
            QVERIFY(heads.size() <= 7u);
            QVERIFY(std::ranges::find(heads, width / 64) != heads.end());
            for (const int one : heads) QCOMPARE(width % (2 * one), 0);
        }
    }

    void everyAnswerIsAReferenceToOpen() {
        ModelRef ref;
        ref.path = "/m/vit_14x16.pt";
        const auto grid = questionAbout(ref, problem("grid-unknown", "rows (found 15, expected one of 3x5, 5x3)."));
        QVERIFY(grid && grid->refs.size() == 2 && grid->answers[1] == QString("5 \u00d7 3"));
        QVERIFY(grid->refs[1].path == ref.path && grid->refs[1].grid == (Grid{5, 3}));
        ModelCard copies = problem("weights", "several copies.");
        QVERIFY(!questionAbout(ref, copies));  // none is named
        copies.copies = {"student", "teacher"};
        QCOMPARE(questionAbout(ref, copies)->refs[1].weights, std::string("teacher"));
        const auto heads = questionAbout(ref, problem("heads-unknown", "no heads."));
        QCOMPARE(heads->refs[0].heads, 2);
        ref.heads = 5;  // did not fit
        const auto again =
            questionAbout(ref, problem("TC-08", "width is not heads x head dimension (found 24, expected 5 x 4)."));
        QVERIFY(again->text.contains("5 heads"));
        QCOMPARE(again->answers, QStringList({"1", "2", "3", "4", "6"}));
        ref.heads = 0;
        QVERIFY(!questionAbout(ref, problem("TC-08", "too many layers.")));
        QVERIFY(!questionAbout(ref, problem("unknown-model", "no known architecture.")));
    }

    void tensorsAreLeftOutByTheirNames() {
        ModelCard card = problem("TC-10", "5 tensors.");
        card.unused = {"a", "b", "c", "d", "e"};
        ModelRef ref;
        ref.ignore = {"z"};
        const auto question = questionAbout(ref, card);
        QVERIFY(question->text.contains("a, b, c, 2 more"));
        QCOMPARE(question->refs[0].ignore, (std::vector<std::string>{"z", "a", "b", "c", "d", "e"}));
        card.problemCode = "TC-05";  // something else is missing: leaving them out would not help
        QVERIFY(!questionAbout(ref, card));
    }

    void timeIsAskedOfWhatWouldDraw() {
        ModelCard card;
        card.architecture = "dit";
        const auto question = questionAbout({}, card);
        std::vector<std::string> times;
        for (const ModelRef& ref : question->refs) times.push_back(ref.time);
        QCOMPARE(times, (std::vector<std::string>{"ddpm", "flow", "sit", "repa"}));
        card.objective = "flow";
        QVERIFY(!questionAbout({}, card));
        card.objective.clear();
        card.architecture = "vae";
        QVERIFY(!questionAbout({}, card));
    }

    void onlyWhatIsOpenIsTakenFromMemory() {
        ModelRef known;
        known.heads = 4, known.grid = {3, 5}, known.weights = "teacher", known.time = "sit";
        known.convention = Convention::Inverse;
        QVERIFY(withAnswers({}, ModelCard{}, known) == ModelRef{});
        QCOMPARE(withAnswers({}, problem("heads-unknown", "x"), known).heads, 4);
        QVERIFY(withAnswers({}, problem("heads-unknown", "x"), known).grid == Grid{});
        QCOMPARE(withAnswers({}, problem("weights", "x"), known).weights, std::string("teacher"));
        ModelRef asked;
        asked.grid = {5, 3};
        QVERIFY(withAnswers(asked, problem("grid-unknown", "x"), known).grid == (Grid{5, 3}));
        ModelCard maps;
        maps.convention = Convention::Unknown;
        QVERIFY(mustBeAnswered(maps) && withAnswers({}, maps, known).convention == Convention::Inverse);
    }
};

}  // namespace ropescope

QTEST_GUILESS_MAIN(ropescope::FileQuestionsTest)
#include "file_questions_test.moc"
