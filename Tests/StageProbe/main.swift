// A stage as a process of its own, for tests that kill it: reads one topic and writes each record, unchanged, to another.

import Bus
import Foundation
import Logging
import Synchronization

final class Copy: StageTransform {
    private let topic: String
    init(to topic: String) { self.topic = topic }

    func process(_ batch: [Record]) throws -> StageOutput {
        StageOutput(records: batch.map { OutgoingRecord(topic: topic, key: $0.key, value: $0.value) })
    }
}

let arguments = CommandLine.arguments
guard arguments.count == 6 else {
    FileHandle.standardError.write(Data("usage: stage-probe BROKER GROUP NAME static|dynamic|range INPUT:OUTPUT\n".utf8))
    exit(64)
}
let (broker, group, name, membership) = (arguments[1], arguments[2], arguments[3], arguments[4])
let topics = arguments[5].split(separator: ":").map(String.init)
guard topics.count == 2 else { exit(64) }

LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
let properties = ProcessInfo.processInfo.environment["SIGNALBOX_KAFKA_PROPERTIES"] ?? ""
let configuration = BusConfiguration(
    bootstrap: broker, clientID: name, properties: try BusConfiguration.parseProperties(properties), logger: Logger(label: name))
var consumer = ConsumerSettings(group: group, topics: [topics[0]], instance: membership == "static" ? name : nil)
consumer.sessionTimeoutMilliseconds = 3_000
if membership == "range" { consumer.assignor = .range }
var settings = StageSettings(consumer: consumer, transactionalID: "\(group)-\(name)")
settings.maxBatch = 200
settings.lingerMilliseconds = 5

let environment = StageEnvironment(
    isTransient: { _ in false },
    deadLetter: { record, _ in OutgoingRecord(topic: topics[1] + "-dead", key: record.key, value: record.value) },
    onState: { _ in })
let runner = StageRunner(configuration, settings: settings, environment: environment) { Copy(to: topics[1]) }

// SIGTERM ends it in order; everything else that ends it is the test's doing.
signal(SIGTERM, SIG_IGN)
let terminated = DispatchSource.makeSignalSource(signal: SIGTERM, queue: DispatchQueue(label: "signals"))
terminated.setEventHandler { runner.stop() }
terminated.resume()
// Before this line a SIGTERM ends the process as it would any other.
FileHandle.standardOutput.write(Data("ready\n".utf8))
let ended = DispatchSemaphore(value: 0)
startThread("stage") {
    runner.run()
    ended.signal()
}
ended.wait()
