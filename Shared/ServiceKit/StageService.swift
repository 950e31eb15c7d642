public import Bus
import Foundation
import Message
public import ServiceLifecycle
import SwiftProtobuf
import Synchronization

/// Runs a blocking loop on a thread of its own for as long as the service lives.
public struct ThreadService: Service {
    private let name: String
    private let body: @Sendable () -> Void
    private let stop: @Sendable () -> Void

    /// - Parameters:
    ///   - body: returns soon after `stop` was called.
    public init(name: String, stop: @escaping @Sendable () -> Void, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
        self.stop = stop
    }

    public func run() async throws {
        await withTaskCancellationHandler {
            await withGracefulShutdownHandler {
                await withCheckedContinuation { continuation in
                    startThread(name) {
                        body()
                        continuation.resume()
                    }
                }
            } onGracefulShutdown: {
                stop()
            }
        } onCancel: {
            stop()
        }
    }
}

/// How long a stage waits for one answer of the database, in milliseconds, before it takes the connection for lost and makes another.
public let stagePatience = 60_000

/// A transactional stage as a service: the surroundings that the gateway's own stages share.
public struct StageService: Service {
    private let runner: StageRunner
    private let name: String

    /// - Parameters:
    ///   - name: the consumer group, and the stem of the transactional id.
    ///   - makeTransform: called on the stage's thread, again after each start over.
    public init(
        _ environment: ServiceEnvironment, health: Health, name: String, topics: [String],
        configure: (inout StageSettings) -> Void = { _ in }, makeTransform: @escaping @Sendable () throws -> any StageTransform
    ) {
        self.name = name
        var settings = StageSettings(
            consumer: ConsumerSettings(group: name, topics: topics, instance: environment.instance),
            transactionalID: "\(name).\(environment.instance)")
        configure(&settings)
        runner = StageRunner(
            environment.bus, settings: settings,
            environment: StageEnvironment(
                isTransient: isTransient, deadLetter: makeDeadLetter(service: environment.service),
                onState: health.reporter("stage \(name)")),
            makeTransform: makeTransform)
    }

    public func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    startThread(name) {
                        runner.run()
                        continuation.resume()
                    }
                }
            } onCancel: {
                runner.stop()
            }
        } onGracefulShutdown: {
            runner.stop()
        }
    }
}

/// The record as it came, with where it stood and why nobody could use it.
func makeDeadLetter(service: String) -> @Sendable (Record, String) -> OutgoingRecord {
    { record, reason in
        var letter = DeadLetter()
        letter.service = service
        letter.topic = record.topic
        letter.partition = record.partition
        letter.offset = record.offset
        letter.reason = reason
        letter.key = Data(record.key)
        letter.value = Data(record.value)
        letter.at = wallClockMilliseconds()
        return OutgoingRecord(topic: Topics.dead, key: record.key, value: encode(letter))
    }
}
