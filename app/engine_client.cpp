// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/engine_client.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <QCoreApplication>
#include <QFile>
#include <QLocale>
#include <algorithm>
#include <csignal>

namespace ropescope {
namespace {

constexpr int kErrorTail = 4096;

Error engineError(ErrorKind kind, const char* code, const QString& reason, const char* advice = "") {
    return {.kind = kind, .code = code, .place = "engine", .reason = reason.toStdString(), .advice = advice};
}

QString gigabytes(qint64 bytes) {
    return QString::number(static_cast<double>(bytes) / (1 << 30), 'f', 1);
}

/// A line of /proc/meminfo in bytes, 0 where there is none.
qint64 memoryLine(const QByteArray& name) {
    QFile file("/proc/meminfo");
    if (!file.open(QFile::ReadOnly)) return 0;
    for (const QByteArray& line : file.readAll().split('\n'))
        if (line.startsWith(name + ':'))
            return line.mid(name.size() + 1).trimmed().split(' ').first().toLongLong() * 1024;
    return 0;
}

/// Between fork and exec. A window that is killed takes its engine with it; the engine leaves the window the processor.
void settleChild() {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    [[maybe_unused]] const int niceness = ::nice(5);
}

}  // namespace

QString describeKill(qint64 resident, qint64 total, qint64 available) {
    const QString text = "The engine was killed (signal 9)";
    const bool large = resident >= total / 2, full = available - resident < total / 20;
    if (total <= 0 || (!large && !full)) return text;
    return text + QString(", probably out of memory: it used %1 of %2 GB, %3 GB are free now")
                      .arg(gigabytes(resident), gigabytes(total), gigabytes(available));
}

EngineClient::EngineClient(QStringList command, QObject* parent) : QObject(parent), m_command(std::move(command)) {
    std::signal(SIGPIPE, SIG_IGN);
    m_clock.start();
    setPatience({});
    connect(&m_watch, &QTimer::timeout, this, &EngineClient::checkPatience);
}

EngineClient::~EngineClient() {
    m_jobs.clear();
    if (!m_process) return;
    m_process->disconnect(this);
    m_process->closeWriteChannel();
    if (m_process->state() != QProcess::NotRunning && !m_process->waitForFinished(2000)) {
        m_process->kill();
        m_process->waitForFinished(1000);
    }
}

void EngineClient::setPatience(const Patience& patience) {
    m_patience = patience;
    m_watch.setInterval(static_cast<int>(std::clamp<qint64>(patience.cancelMs / 5, 20, 1000)));
}

void EngineClient::start() {
    if (m_state == State::Stopped) launch();
}

void EngineClient::restart() {
    m_deaths.clear();
    drop();
    launch();
}

/// Lets go of the process without waiting for it and without hearing of its end.
void EngineClient::drop() {
    if (!m_process) return;
    m_process->disconnect(this);
    connect(m_process, &QProcess::finished, m_process, &QObject::deleteLater);
    if (m_process->state() == QProcess::NotRunning) m_process->deleteLater();
    m_process->kill();
    m_process = nullptr;
}

void EngineClient::launch() {
    m_state = m_deaths.empty() ? State::Starting : State::Restarting;
    m_reader = {};
    m_errors.clear();
    m_saidHang = false;
    m_lastSign = m_clock.elapsed();
    m_process = new QProcess(this);
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert("OMP_WAIT_POLICY", "passive");  // two spinning pools on two cores cost each other everything
    m_process->setProcessEnvironment(environment);
    m_process->setChildProcessModifier(settleChild);
    connect(m_process, &QProcess::readyReadStandardOutput, this, &EngineClient::readWire);
    connect(m_process, &QProcess::readyReadStandardError, this, [this] {
        const QByteArray text = m_process->readAllStandardError();
        std::fwrite(text.constData(), 1, static_cast<std::size_t>(text.size()), stderr);
        m_errors = (m_errors + text).right(kErrorTail);
    });
    connect(m_process, &QProcess::finished, this, &EngineClient::onFinished);
    connect(m_process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error != QProcess::FailedToStart) return;  // the others end in finished()
        stopWith(QString("The engine cannot be started: %1 (%2)").arg(m_process->errorString(), m_command.join(' ')));
    });
    m_process->start(m_command.value(0), m_command.mid(1));
    m_watch.start();
}

quint64 EngineClient::request(const Request& request, const QString& view, ReplyHandler done,
                              ProgressHandler progress) {
    return this->request(request, view, std::move(done),
                         Watch{.picture = std::move(progress), .share = {}, .atlas = {}});
}

quint64 EngineClient::request(const Request& request, const QString& view, ReplyHandler done, Watch watch) {
    std::vector<quint64> replaced;
    for (const auto& [id, pending] : m_jobs) {
        if (!view.isEmpty() && pending.view == view) replaced.push_back(id);
    }
    const quint64 job = m_nextJob++;
    m_jobs.emplace(job, Pending{request, view, std::move(done), std::move(watch), 0, {}});
    // The engine drops older jobs of the view by itself; their late answers find no handler here.
    for (quint64 old : replaced)
        finish(old, failure(engineError(ErrorKind::Cancelled, "replaced", "a newer request came")));
    if (m_state == State::Ready) {
        send(job, m_jobs.at(job));
    } else if (m_state == State::Stopped) {
        QTimer::singleShot(0, this, [this, job] {
            if (m_state != State::Stopped) return;
            finish(job, failure(engineError(ErrorKind::Device, "no-engine", "the engine is not running",
                                            "Start it again with Tools > Restart engine")));
        });
    }
    return job;
}

void EngineClient::send(quint64 job, const Pending& pending) {
    const Message message{MessageKind::Request, job, pending.view.toStdString(), bodyOf(pending.request)};
    for (const Bytes& frame : encodeFrames(message)) {
        m_process->write(reinterpret_cast<const char*>(frame.data()), static_cast<qint64>(frame.size()));
    }
}

void EngineClient::cancel(quint64 job) {
    const auto found = m_jobs.find(job);
    if (found == m_jobs.end()) return;
    if (m_state != State::Ready) {
        finish(job, failure(engineError(ErrorKind::Cancelled, "cancelled", "cancelled")));
        return;
    }
    found->second.cancelled.emplace().start();
    for (const Bytes& frame : encodeFrames({MessageKind::Cancel, job, "", {}})) {
        m_process->write(reinterpret_cast<const char*>(frame.data()), static_cast<qint64>(frame.size()));
    }
}

void EngineClient::readWire() {
    m_lastSign = m_clock.elapsed();
    m_saidHang = false;
    const QByteArray bytes = m_process->readAllStandardOutput();
    m_reader.push(std::as_bytes(std::span(bytes.constData(), static_cast<std::size_t>(bytes.size()))));
    readMessages();
}

void EngineClient::readMessages() {
    const QProcess* process = m_process;
    while (process == m_process) {  // a handler may restart the engine: the rest of this stream is then nobody's
        const std::optional<Result<Message>> message = m_reader.next();
        if (!message) return;
        if (*message) {
            take(**message);
            continue;
        }
        drop();
        onDeath(QString("The engine sent something else than its protocol: %1")
                    .arg(QString::fromStdString(message->error().message())));
        return;
    }
}

void EngineClient::take(const Message& message) {
    if (const auto* hello = std::get_if<Hello>(&message.body)) return takeHello(*hello);
    if (const auto* alive = std::get_if<Alive>(&message.body)) {
        m_residentBytes = alive->residentBytes;
        emit heartbeat(m_residentBytes);
        return;
    }
    const auto found = m_jobs.find(message.job);
    if (found == m_jobs.end()) return;  // replaced, or answered before
    if (message.kind == MessageKind::Result) {
        finish(message.job, replyOf(message.body));
    } else if (message.kind == MessageKind::Error) {
        finish(message.job, failure(std::get<Error>(message.body)));
    } else if (!found->second.cancelled) {
        takeProgress(message);
    }
}

void EngineClient::takeProgress(const Message& message) {
    const Watch watch = m_jobs.at(message.job).watch;  // a handler may cancel or ask, which moves the map
    if (const auto* picture = std::get_if<GenerateProgress>(&message.body); picture && watch.picture) {
        watch.picture(*picture);
    } else if (const auto* share = std::get_if<ShareProgress>(&message.body); share && watch.share) {
        watch.share(*share);
    } else if (const auto* atlas = std::get_if<AtlasProgress>(&message.body); atlas && watch.atlas) {
        watch.atlas(*atlas);
    }
}

void EngineClient::takeHello(const Hello& hello) {
    if (hello.protocol != kProtocolVersion) {
        drop();
        return stopWith(
            QString("The engine (%1) speaks protocol %2, this window %3. Use an engine of the same version.")
                .arg(QString::fromStdString(hello.program).left(80))
                .arg(hello.protocol)
                .arg(kProtocolVersion));
    }
    m_state = State::Ready;
    for (const auto& [job, pending] : m_jobs) send(job, pending);
    emit ready(QString::fromStdString(hello.program));
}

void EngineClient::finish(quint64 job, const Result<Reply>& result) {
    auto node = m_jobs.extract(job);
    if (node && node.mapped().done) node.mapped().done(result);
}

void EngineClient::onFinished(int code, QProcess::ExitStatus status) {
    readWire();  // what it said last still counts
    if (!m_process) return;
    const QString message = obituary(code, status);
    m_process->deleteLater();
    m_process = nullptr;
    onDeath(message);
}

QString EngineClient::obituary(int code, QProcess::ExitStatus status) const {
    QString text;
    if (status != QProcess::CrashExit)
        text = QString("The engine ended with code %1").arg(code);
    else if (code == SIGKILL)
        text = describeKill(m_residentBytes, memoryLine("MemTotal"), memoryLine("MemAvailable"));
    else
        text = QString("The engine ended by signal %1").arg(code);
    const QByteArray lastLine = m_errors.trimmed().split('\n').last().trimmed().left(200);
    if (!lastLine.isEmpty())
        text += QString(": %1").arg(QString::fromStdString(printable(lastLine.toStdString(), 200)));
    return text;
}

void EngineClient::onDeath(const QString& message) {
    const qint64 now = m_clock.elapsed();
    m_deaths.push_back(now);
    std::erase_if(m_deaths, [&](qint64 time) { return now - time > m_patience.withinMs; });
    if (static_cast<int>(m_deaths.size()) >= m_patience.deaths) {
        return stopWith(QString("%1. It has died %2 times in a short while and is not started again by itself.")
                            .arg(message)
                            .arg(m_deaths.size()));
    }
    m_state = State::Restarting;
    std::vector<quint64> lost;
    for (auto& [job, pending] : m_jobs) {
        // A computation that may have killed the engine is not tried again by itself; anything else is, once.
        const bool heavy = isHeavy(pending.request);
        if (heavy || pending.cancelled || ++pending.deaths > 1) lost.push_back(job);
    }
    launch();
    emit died(message, true);
    for (quint64 job : lost) finish(job, failure(engineError(ErrorKind::Device, "engine-died", message)));
}

void EngineClient::stopWith(const QString& message) {
    m_state = State::Stopped;
    m_watch.stop();
    if (m_process) m_process->deleteLater();
    m_process = nullptr;
    emit died(message, false);
    std::vector<quint64> jobs;
    for (const auto& entry : m_jobs) jobs.push_back(entry.first);
    for (quint64 job : jobs) {
        finish(job,
               failure(engineError(ErrorKind::Device, "no-engine", message, "Tools > Restart engine starts it again")));
    }
}

void EngineClient::checkPatience() {
    const qint64 silence = m_clock.elapsed() - m_lastSign;
    if (silence > m_patience.silenceMs && !m_saidHang) {
        m_saidHang = true;
        emit hangs(QString("The engine has given no sign of life for %1 s").arg(silence / 1000));
    }
    for (auto& [job, pending] : m_jobs) {
        if (!pending.cancelled || pending.cancelled->elapsed() <= m_patience.cancelMs) continue;
        pending.cancelled->restart();
        return emit hangs(QString("The engine has not answered a cancel for %1 s").arg(m_patience.cancelMs / 1000));
    }
}

}  // namespace ropescope
