// SPDX-License-Identifier: GPL-3.0-or-later
#include "widgets/frame/rounded.h"

#include <QTest>
#include <limits>

using namespace ropescope;

class RoundedTest : public QObject {
    Q_OBJECT
private slots:
    void valuesEndWhereTheirErrorDoes_data() {
        QTest::addColumn<double>("value");
        QTest::addColumn<double>("error");
        QTest::addColumn<QString>("text");
        const double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
        const auto row = [](const char* name, double value, double error, const char* text) {
            QTest::newRow(name) << value << error << QString::fromUtf8(text);
        };
        row("one digit", 2.9731, 0.0412, "2.97 ± 0.04");
        row("two digits after a 1", 2.9731, 0.0123, "2.973 ± 0.012");
        row("two digits after a 2", 2.9731, 0.0289, "2.973 ± 0.029");
        row("one digit after a 3", 0.5, 0.3, "0.5 ± 0.3");
        row("rounds up to a 1", 2.9731, 0.0961, "2.97 ± 0.10");
        row("zeros are kept", 3.8, 0.07, "3.80 ± 0.07");
        row("negative", -12.345, 1.6, "-12.3 ± 1.6");
        row("larger than the value", 0.003, 2.5, "0.0 ± 2.5");
        row("no negative zero", -0.003, 2.5, "0.0 ± 2.5");
        row("tens", 4567, 123, "4570 ± 120");
        row("hundreds", 4567, 412, "4600 ± 400");
        row("tiny together", 2.97e-7, 4.1e-9, "(2.97 ± 0.04)e-7");
        row("huge together", 1.234e8, 5.6e6, "(1.23 ± 0.06)e8");
        row("huge error", 2, 3e7, "(0 ± 3)e7");
        row("tiny error", 0.5, 1e-9, "0.5 ± 1e-09");
        row("no error at all", 0.5, 0, "0.5 ± 0");
        row("round-off", 0.5, 1e-15, "0.5 ± 0");
        row("both nothing", 0, 0, "0 ± 0");
        row("zero value", 0, 0.02, "0.000 ± 0.020");
        row("error not known", 0.46, nan, "0.46");
        row("error infinite", 0.46, inf, "0.46");
        row("value not known", nan, 0.1, "–");
    }
    void valuesEndWhereTheirErrorDoes() {
        QFETCH(double, value);
        QFETCH(double, error);
        QTEST(rounded(value, error), "text");
    }
};

QTEST_APPLESS_MAIN(RoundedTest)
#include "rounded_test.moc"
