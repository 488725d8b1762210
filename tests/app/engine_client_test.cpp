// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/engine_client.h"

#include <QSignalSpy>
#include <QTest>
#include <csignal>

#include "tests/app/fake_script.h"

namespace ropescope {
namespace {

constexpr const char* kFake = ROPESCOPE_BIN_DIR "/fake_engine";

OpenRequest opening(const char* path) {
    OpenRequest request;
    request.model.path = path;
    return request;
}

}  // namespace

/// The client against the scripted engine: deaths, garbage, cancels, order. Each test names the fault it stands for.
class EngineClientTest : public QObject, private test::FakeScript {
    Q_OBJECT

    struct Answers {
        std::vector<Result<Reply>> all;
        ReplyHandler handler() {
            return [this](const Result<Reply>& reply) { all.push_back(reply); };
        }
    };

private slots:
    void answersEveryRequestOnce() {
        script(R"({"banner":"Last login: today\n","OpenRequest":"reply reply"})");
        EngineClient client({kFake});
        client.start();
        Answers open, atlas;
        client.request(opening("/a/first.safetensors"), "", open.handler());
        QTRY_COMPARE(open.all.size(), 1u);
        client.request(AtlasRequest{}, "", atlas.handler());
        QTRY_COMPARE(atlas.all.size(), 1u);
        QVERIFY(open.all[0].has_value());
        QCOMPARE(QString::fromStdString(std::get<ModelCard>(*open.all[0]).name), QString("first"));
        QCOMPARE(std::get<AtlasReport>(*atlas.all[0]).layers, 2);
        QCOMPARE(open.all.size(), 1u);  // the double reply went nowhere
        QCOMPARE(client.openJobs(), 0);
        QCOMPARE(client.residentBytes(), qint64(3) << 30);
    }

    void theEnginesErrorArrives() {
        script(R"({"OpenRequest":"refuse"})");
        EngineClient client({kFake});
        client.start();
        Answers open;
        client.request(opening("a"), "", open.handler());
        QTRY_COMPARE(open.all.size(), 1u);
        QCOMPARE(QString::fromStdString(open.all[0].error().code), QString("ST-05"));
    }

    void aNewerRequestOfAViewReplacesTheOlder() {  // CO-01
        script(R"({"HeadsRequest":"wait:100 reply"})");
        EngineClient client({kFake});
        client.start();
        Answers first, second, other;
        HeadsRequest heads;
        heads.heads = {{0, 0}};
        client.request(heads, "heads", first.handler());
        client.request(AtlasRequest{}, "atlas", other.handler());
        heads.heads = {{1, 1}};
        client.request(heads, "heads", second.handler());
        QCOMPARE(first.all.size(), 1u);
        QVERIFY(first.all[0].error().kind == ErrorKind::Cancelled);
        QTRY_COMPARE(second.all.size(), 1u);
        QTRY_COMPARE(other.all.size(), 1u);
        QVERIFY((std::get<HeadsReport>(*second.all[0]).heads.at(0).id == HeadId{1, 1}));
        QCOMPARE(first.all.size(), 1u);
    }

    void cancelEndsAGenerationWithinAStep() {  // GP-08
        script(R"({"GenerateRequest":"steps:1000:20"})");
        EngineClient client({kFake});
        client.start();
        Answers done;
        int shown = 0;
        quint64 job = 0;
        job = client.request(GenerateRequest{}, "generate", done.handler(), [&](const GenerateProgress& progress) {
            shown = progress.step;
            if (shown == 3) client.cancel(job);
        });
        QTRY_COMPARE(done.all.size(), 1u);
        QVERIFY(done.all[0].error().kind == ErrorKind::Cancelled);
        QVERIFY2(shown == 3, "no preview after the cancel");
        client.cancel(job);  // of an ended job: nothing happens
        Answers next;
        client.request(AtlasRequest{}, "", next.handler());
        QTRY_COMPARE(next.all.size(), 1u);
        QVERIFY(next.all[0].has_value());
        QVERIFY(diary().contains("cancelled after 4 steps"));
    }

    void aKilledEngineIsStartedAgainAndAskedAgain() {  // GP-06
        script(R"({"HeadsRequest":"die:9"},{})");
        EngineClient client({kFake});
        QSignalSpy died(&client, &EngineClient::died);
        client.start();
        Answers open, heads;
        client.request(opening("a"), "", open.handler());
        QTRY_COMPARE(open.all.size(), 1u);
        HeadsRequest request;
        request.heads = {{1, 0}};
        client.request(request, "heads", heads.handler());
        QTRY_COMPARE(heads.all.size(), 1u);
        QVERIFY(heads.all[0].has_value());
        QCOMPARE(died.size(), 1);
        const QString message = died[0][0].toString();
        QVERIFY2(message.startsWith("The engine was killed (signal 9)"), qPrintable(message));
        QCOMPARE(died[0][1].toBool(), true);
        QCOMPARE(diary(), QStringList({"start", "OpenRequest", "HeadsRequest", "start", "HeadsRequest"}));
    }

    void memoryIsBlamedOnlyWhereItWasShort() {
        constexpr qint64 gb = qint64(1) << 30;
        const QString killed = "The engine was killed (signal 9)";
        QCOMPARE(describeKill(gb / 3, 24 * gb, 20 * gb), killed);
        QCOMPARE(describeKill(11 * gb, 24 * gb, 22 * gb), killed);
        QCOMPARE(describeKill(12 * gb, 24 * gb, 22 * gb),
                 killed + ", probably out of memory: it used 12.0 of 24.0 GB, 22.0 GB are free now");
        QCOMPARE(describeKill(gb, 24 * gb, 2 * gb),
                 killed + ", probably out of memory: it used 1.0 of 24.0 GB, 2.0 GB are free now");
        QCOMPARE(describeKill(gb, 24 * gb, 3 * gb), killed);
        QCOMPARE(describeKill(gb, 0, 0), killed);  // nothing is known
    }

    void aGenerationThatKillsIsNotTriedAgain() {
        script(R"({"GenerateRequest":"die:11"},{})");
        EngineClient client({kFake});
        client.start();
        Answers done;
        client.request(GenerateRequest{}, "generate", done.handler());
        QTRY_COMPARE(done.all.size(), 1u);
        QCOMPARE(QString::fromStdString(done.all[0].error().code), QString("engine-died"));
        QTRY_VERIFY(client.state() == EngineClient::State::Ready);
        QCOMPARE(diary(), QStringList({"start", "GenerateRequest", "start"}));
    }

    void threeDeathsEndTheRestarts() {  // GP-05
        script(R"({"AtlasRequest":"exit:3","OpenRequest":"exit:3"})");
        EngineClient client({kFake});
        QSignalSpy died(&client, &EngineClient::died);
        client.start();
        Answers all;
        client.request(AtlasRequest{}, "", all.handler());
        QTRY_COMPARE(all.all.size(), 1u);  // replayed once, then given up
        client.request(opening("a"), "", all.handler());
        QTRY_VERIFY(client.state() == EngineClient::State::Stopped);
        QTRY_COMPARE(all.all.size(), 2u);
        QCOMPARE(died.size(), 3);
        QVERIFY(died[2][0].toString().contains("ended with code 3"));
        QVERIFY(died[2][0].toString().contains("died 3 times"));
        QCOMPARE(died[2][1].toBool(), false);
        client.request(AtlasRequest{}, "", all.handler());
        QTRY_COMPARE(all.all.size(), 3u);
        QVERIFY(!all.all[2]);
        script("{}");
        client.restart();
        client.request(AtlasRequest{}, "", all.handler());
        QTRY_COMPARE(all.all.size(), 4u);
        QVERIFY(all.all[3].has_value());
    }

    void garbageAndHalfFramesEndThatEngineOnly() {
        for (const char* word : {"garbage", "half exit:0"}) {
            script(QByteArray("{\"AtlasRequest\":\"") + word + "\"},{}");
            EngineClient client({kFake});
            QSignalSpy died(&client, &EngineClient::died);
            client.start();
            Answers atlas;
            client.request(AtlasRequest{}, "", atlas.handler());
            QTRY_COMPARE(atlas.all.size(), 1u);
            QVERIFY(atlas.all[0].has_value());
            QCOMPARE(died.size(), 1);
        }
    }

    void aWrongVersionIsToldAndNotTriedAgain() {
        script(R"({"protocol":99})");
        EngineClient client({kFake});
        QSignalSpy died(&client, &EngineClient::died);
        client.start();
        Answers atlas;
        client.request(AtlasRequest{}, "", atlas.handler());
        QTRY_COMPARE(atlas.all.size(), 1u);
        QVERIFY(client.state() == EngineClient::State::Stopped);
        QVERIFY(died[0][0].toString().contains(QString("speaks protocol 99, this window %1").arg(kProtocolVersion)));
        QCOMPARE(diary(), QStringList("start"));
    }

    void aMissingProgramIsTold() {
        EngineClient client({"/no/such/engine", "serve"});
        QSignalSpy died(&client, &EngineClient::died);
        client.start();
        QTRY_COMPARE(died.size(), 1);
        QVERIFY(died[0][0].toString().contains("/no/such/engine serve"));
        QVERIFY(client.state() == EngineClient::State::Stopped);
    }

    void anUnansweredCancelAndSilenceAreTold() {  // GP-09
        script(R"({"GenerateRequest":"deaf"},{})");
        EngineClient client({kFake});
        client.setPatience({.silenceMs = 100'000, .cancelMs = 200});
        QSignalSpy hangs(&client, &EngineClient::hangs);
        client.start();
        Answers done, after;
        const quint64 job = client.request(GenerateRequest{}, "generate", done.handler());
        QTRY_VERIFY(diary().contains("GenerateRequest"));
        QVERIFY(hangs.isEmpty());
        client.cancel(job);
        QTRY_COMPARE(hangs.size(), 1);
        client.setPatience({.silenceMs = 300, .cancelMs = 100'000});
        client.restart();
        QVERIFY(done.all.empty() || !done.all[0]);
        client.request(AtlasRequest{}, "", after.handler());
        QTRY_COMPARE(after.all.size(), 1u);
        QTRY_VERIFY(hangs.size() >= 2);  // this engine sends no heartbeat
        QVERIFY(hangs.last()[0].toString().contains("no sign of life"));
    }

    void theDestructorEndsADeafEngineWithinSeconds() {
        script(R"({"AtlasRequest":"deaf"})");
        auto client = std::make_unique<EngineClient>(QStringList{kFake});
        client->start();
        Answers atlas;
        client->request(AtlasRequest{}, "", atlas.handler());
        QTRY_VERIFY(diary().contains("AtlasRequest"));
        const auto id = static_cast<pid_t>(client->processId());
        QElapsedTimer timer;
        timer.start();
        client.reset();
        QVERIFY(timer.elapsed() < 4000);
        QVERIFY(::kill(id, 0) != 0);
        QVERIFY(atlas.all.empty());
    }
};

}  // namespace ropescope

QTEST_GUILESS_MAIN(ropescope::EngineClientTest)
#include "engine_client_test.moc"
