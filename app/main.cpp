// SPDX-License-Identifier: GPL-3.0-or-later
#include <fcntl.h>
#include <unistd.h>

#include <QApplication>
#include <QCommandLineParser>
#include <QProcess>
#include <QSocketNotifier>
#include <QStandardPaths>
#include <QTemporaryDir>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>

#include "app/main_window.h"
#include "app/measure.h"
#include "app/picture_store.h"
#include "app/pictures.h"
#include "app/resources.h"
#include "app/subcommands.h"

namespace {

/// `ropescope SUBCOMMAND ...` becomes the engine's process.
int handOver(char** argv) {
    const std::filesystem::path engine =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "ropescope-engine";
    std::string program = engine.string();
    argv[0] = program.data();
    execv(program.c_str(), argv);
    std::fprintf(stderr, "[no-engine] %s: cannot be started (%s). Build the target ropescope-engine.\n",
                 program.c_str(), std::strerror(errno));
    return 3;
}

int signalPipe[2] = {-1, -1};

/// A window that is told to end ends as by its menu: what was open comes back at the next start.
void closeOnSignal(ropescope::MainWindow& window) {
    if (::pipe2(signalPipe, O_CLOEXEC) != 0) return;
    auto* notifier = new QSocketNotifier(signalPipe[0], QSocketNotifier::Read, &window);
    QObject::connect(notifier, &QSocketNotifier::activated, &window, &ropescope::MainWindow::closeNow);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP})
        std::signal(signal, [](int) { [[maybe_unused]] const auto written = ::write(signalPipe[1], "x", 1); });
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && ropescope::isSubcommand(argv[1])) return handOver(argv);
    // A mistyped subcommand is no file to open: said here, before a display is needed.
    if (std::error_code ignored; argc > 1 && argv[1][0] != '-' && !std::filesystem::exists(argv[1], ignored) &&
                                 std::string_view(argv[1]).find_first_of("/.") == std::string_view::npos) {
        std::fprintf(stderr, "[usage] %s: no such file or folder, and no subcommand (%s). See --help.\n", argv[1],
                     ropescope::subcommandList().c_str());
        return 2;
    }
    const bool asks = std::any_of(argv + 1, argv + argc, [](std::string_view word) {
        return word == "--help" || word == "-h" || word == "--version" || word == "-v";
    });
    std::unique_ptr<QCoreApplication> application;  // help needs no display
    if (asks) {
        application = std::make_unique<QCoreApplication>(argc, argv);
    } else {
        application = std::make_unique<QApplication>(argc, argv);
        QApplication::setDesktopFileName("ropescope");
    }
    QCoreApplication::setApplicationName("ropescope");
    QCoreApplication::setApplicationVersion(ROPESCOPE_VERSION);
    QCommandLineParser parser;
    parser.setApplicationDescription(
        QString("Opens image transformers and shows what their positional encodings have learned.\n"
                "ropescope SUBCOMMAND ... runs the command line: %1; each has --help.")
            .arg(QString::fromStdString(ropescope::subcommandList())));
    parser.addHelpOption();
    parser.addVersionOption();
    parser.addPositionalArgument("FILE", "Model files to open.", "[FILE...]");
    const QCommandLineOption engine("engine",
                                    "Command that starts the engine, e.g. \"ssh HOST ropescope-engine serve\".", "CMD");
    const QCommandLineOption measure("measure", "Measure how fast the window is, write the times to FILE and quit.",
                                     "FILE");
    const QCommandLineOption pictures("pictures", "Take pictures of the window and its views into FOLDER and quit.",
                                      "FOLDER");
    parser.addOptions({engine, measure, pictures});
    parser.process(*application);

    if (parser.isSet(measure) && !parser.value(measure).endsWith(".json")) {
        std::fprintf(stderr, "[usage] --measure writes times: found %s, expected the name of a .json file.\n",
                     qPrintable(parser.value(measure)));
        return 2;
    }
    ropescope::WindowOptions options;
    options.engine = parser.isSet(engine) ? QProcess::splitCommand(parser.value(engine)) : ropescope::defaultEngine();
    options.files = parser.positionalArguments();
    options.sessionFile = ropescope::sessionPath();
    if (!parser.isSet(measure) && !parser.isSet(pictures)) options.keepFolder = ropescope::keptPicturesFolder();
    QTemporaryDir noSession;  // these start like the first start ever and leave no trace
    if (parser.isSet(measure) || parser.isSet(pictures)) options.sessionFile = noSession.filePath("session.json");
    ropescope::MainWindow window(options);
    if (parser.isSet(measure)) new ropescope::Measure(window, parser.value(measure));
    closeOnSignal(window);
    window.show();
    if (parser.isSet(pictures)) return ropescope::Pictures(window, parser.value(pictures)).take();
    return QApplication::exec();
}
