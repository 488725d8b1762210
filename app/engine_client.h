// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QElapsedTimer>
#include <QObject>
#include <QProcess>
#include <QStringList>
#include <QTimer>
#include <functional>
#include <map>
#include <optional>

#include "core/data/message.h"
#include "core/data/wire.h"

namespace ropescope {

/// Called exactly once for every request: with the reply, the engine's error, or a Cancelled error when a newer request
/// of the same view took its place.
using ReplyHandler = std::function<void(const Result<Reply>&)>;
using ProgressHandler = std::function<void(const GenerateProgress&)>;
/// What a job says while it runs; each may be empty.
struct Watch {
    ProgressHandler picture;
    std::function<void(const ShareProgress&)> share;
    std::function<void(const AtlasProgress&)> atlas;
};

/// What is said of an engine that SIGKILL ended; bytes each: its memory at its last sign of life, the machine's, and
/// what of that is available now. "Out of memory" where it had half of the machine's, or less than a twentieth was left
/// beside it: anybody may kill a process.
[[nodiscard]] QString describeKill(qint64 resident, qint64 total, qint64 available);

/// The window's side of the wire: starts the engine, starts it again after a death and replays what was asked, and
/// never waits for it. All results arrive from the event loop. Checked by tests/app/engine_client_test.cpp.
class EngineClient : public QObject {
    Q_OBJECT
public:
    enum class State { Starting, Ready, Restarting, Stopped };

    /// `command`: program and arguments, e.g. {"ssh", "HOST", "ropescope-engine", "serve"}.
    explicit EngineClient(QStringList command, QObject* parent = nullptr);
    /// Closes the engine's stdin, waits up to 2 s, kills. No handler is called any more.
    ~EngineClient() override;

    void start();
    /// Starts again after the client has stopped or the engine hangs; forgets earlier deaths.
    void restart();

    /// Returns the job's id. A request of a view replaces that view's older one; an empty view replaces nothing.
    quint64 request(const Request& request, const QString& view, ReplyHandler done, ProgressHandler progress = {});
    quint64 request(const Request& request, const QString& view, ReplyHandler done, Watch watch);
    /// Asks the engine to end the job; its handler gets the Cancelled error. An ended job is not an error.
    void cancel(quint64 job);

    [[nodiscard]] State state() const { return m_state; }
    [[nodiscard]] qint64 residentBytes() const { return m_residentBytes; }
    [[nodiscard]] qint64 processId() const { return m_process ? m_process->processId() : 0; }
    [[nodiscard]] int openJobs() const { return static_cast<int>(m_jobs.size()); }

    // Limits of GP-05, GP-08, GP-09; tests shorten the times.
    struct Patience {
        int deaths = 3;             ///< this many ...
        qint64 withinMs = 300'000;  ///< ... in this time end the restarts
        qint64 silenceMs = 30'000;  ///< without a heartbeat the engine counts as hanging
        qint64 cancelMs = 5'000;    ///< without an answer to a cancel it does, too
    };
    void setPatience(const Patience& patience);

signals:
    void ready(const QString& program);
    void heartbeat(qint64 residentBytes);
    /// The engine ended; `restarts` tells whether a new one is being started.
    void died(const QString& message, bool restarts);
    /// No sign of life, or a cancel that is not answered: the user may wait or restart().
    void hangs(const QString& message);

private:
    struct Pending {
        Request request;
        QString view;
        ReplyHandler done;
        Watch watch;
        int deaths = 0;  ///< how often the engine died with this job in it
        std::optional<QElapsedTimer> cancelled;
    };
    void launch();
    void drop();
    void readWire();
    void readMessages();
    void take(const Message& message);
    void takeProgress(const Message& message);
    void takeHello(const Hello& hello);
    void finish(quint64 job, const Result<Reply>& result);
    void send(quint64 job, const Pending& pending);
    void onFinished(int code, QProcess::ExitStatus status);
    void onDeath(const QString& message);
    void stopWith(const QString& message);
    void checkPatience();
    [[nodiscard]] QString obituary(int code, QProcess::ExitStatus status) const;

    QStringList m_command;
    QProcess* m_process = nullptr;
    MessageReader m_reader;
    QByteArray m_errors;  ///< the end of the engine's stderr
    State m_state = State::Stopped;
    std::map<quint64, Pending> m_jobs;
    quint64 m_nextJob = 1;
    qint64 m_residentBytes = 0;
    QElapsedTimer m_clock;
    std::vector<qint64> m_deaths;  ///< times on m_clock
    qint64 m_lastSign = 0;
    bool m_saidHang = false;
    Patience m_patience;
    QTimer m_watch;
};

}  // namespace ropescope
