import Foundation
import Logging
import Synchronization

/// A stage does not take a record yet, nor those behind it in its partition.
public struct Postponement: Sendable, Equatable {
    /// The first record that was not taken. What was given of its partition from here on is given again.
    public var offset: Int64
    /// When to give it again, from now. Other partitions go on meanwhile.
    public var wait: Duration

    public init(offset: Int64, wait: Duration) {
        self.offset = offset
        self.wait = wait
    }
}

/// What a stage makes of a batch.
public struct StageOutput {
    public var records: [OutgoingRecord]
    /// By partition, where not all was taken.
    public var postponed: [TopicPartition: Postponement] = [:]
    /// Run on the stage's thread once the transaction is committed; a crash may skip it, so it may only tidy up.
    public var afterCommit: (() throws -> Void)?

    public init(records: [OutgoingRecord] = [], afterCommit: (() throws -> Void)? = nil) {
        self.records = records
        self.afterCommit = afterCommit
    }
}

/// The work of a stage. It lives on the stage's own thread, so it may block and need not be `Sendable`.
///
/// Whatever it writes elsewhere (PostgreSQL) must be keyed so that the same batch, given again, changes nothing and yields the
/// same output: that is what makes the whole exactly once.
public protocol StageTransform: AnyObject {
    func process(_ batch: [Record]) throws -> StageOutput
    /// Called when nothing has come for a while.
    func idle() throws -> StageOutput
}

extension StageTransform {
    public func idle() throws -> StageOutput { StageOutput() }
}

/// How a stage runs.
public struct StageSettings: Sendable {
    public var consumer: ConsumerSettings
    /// Stable over restarts of the same instance.
    public var transactionalID: String
    /// Records that are given at once; also what is kept in memory of a partition that is postponed.
    public var maxBatch = 2_000
    /// How long to wait for more once something has come: larger batches for later output.
    public var lingerMilliseconds: Int32 = 0
    public var idleMilliseconds: Int32 = 500
    /// How long a batch is tried again that meets passing errors, before the stage starts over; well below the five minutes within
    /// which its group expects it to poll.
    public var patience = Duration.seconds(120)
    /// Under load: from one transaction to the next, so that each holds many records (`CommitPace`).
    public var busyMilliseconds: Int32 = 20
    /// Of two topics with the same keys and partitions: the second is not read ahead of the first while much of that is unread.
    public var alignment: (leader: String, follower: String)?

    public init(consumer: ConsumerSettings, transactionalID: String) {
        self.consumer = consumer
        self.transactionalID = transactionalID
    }
}

/// How a runner is doing, for health checks.
public enum StageState: Sendable, Equatable {
    case starting
    case running
    case failing(String)
}

/// What a runner asks of its surroundings.
public struct StageEnvironment: Sendable {
    /// Whether the same batch may succeed later (the database is away): it is then tried again, for ever.
    public var isTransient: @Sendable (any Error) -> Bool
    /// Where a record goes that the stage cannot process, with the reason.
    public var deadLetter: @Sendable (Record, String) -> OutgoingRecord
    public var onState: @Sendable (StageState) -> Void

    public init(
        isTransient: @escaping @Sendable (any Error) -> Bool, deadLetter: @escaping @Sendable (Record, String) -> OutgoingRecord,
        onState: @escaping @Sendable (StageState) -> Void
    ) {
        self.isTransient = isTransient
        self.deadLetter = deadLetter
        self.onState = onState
    }
}

/// Consumes a batch, transforms it, produces the outputs and commits the offsets in one Kafka transaction.
///
/// Transient errors are tried again; a record that cannot be processed goes to the dead letters and the rest goes on; where a
/// transaction must be aborted, or this member was fenced, the clients are made anew and reading resumes at the last commit.
public final class StageRunner: Sendable {
    private let configuration: BusConfiguration
    private let settings: StageSettings
    private let environment: StageEnvironment
    private let makeTransform: @Sendable () throws -> any StageTransform
    private let stopping = Atomic<Bool>(false)

    public init(
        _ configuration: BusConfiguration, settings: StageSettings, environment: StageEnvironment,
        makeTransform: @escaping @Sendable () throws -> any StageTransform
    ) {
        self.configuration = configuration
        self.settings = settings
        self.environment = environment
        self.makeTransform = makeTransform
    }

    /// Ends `run` after the batch at hand.
    public func stop() { stopping.store(true, ordering: .releasing) }
    private var isStopping: Bool { stopping.load(ordering: .acquiring) }

    /// Runs until `stop`. Blocks: give it a thread of its own.
    public func run() {
        var backoff = Backoff()
        while !isStopping {
            environment.onState(.starting)
            do {
                try runOnce { backoff.reset() }
            } catch {
                BusMetrics.restarts.add()
                environment.onState(.failing("\(error)"))
                configuration.logger.warning("stage starts over", metadata: ["error": "\(error)"])
                backoff.wait(unless: { self.isStopping })
            }
        }
    }

    private func runOnce(onCommit: () -> Void) throws {
        let producer = try TransactionalProducer(configuration, transactionalID: settings.transactionalID)
        let input = StageInput(alignment: settings.alignment.map { TopicAlignment(leader: $0.leader, follower: $0.follower) })
        let consumer = try Consumer(configuration, settings: settings.consumer, onRevoked: { input.revoked($0) })
        input.consumer = consumer
        defer {
            input.consumer = nil
            consumer.close()
        }
        let transform = try retrying { try makeTransform() }
        environment.onState(.running)
        var pace = CommitPace(interval: .milliseconds(Int(settings.busyMilliseconds)))
        while !isStopping {
            // What comes meanwhile is fetched by librdkafka's own threads; this one sleeps through it.
            let wait = pace.wait(at: .now)
            if wait > .zero { Thread.sleep(forTimeInterval: wait / .seconds(1)) }
            try gather(input, consumer)
            if input.batch.isEmpty {
                input.nothingCame()
                let output = try retrying { try transform.idle() }
                if !output.records.isEmpty || output.afterCommit != nil { try commit(output, [], producer, consumer) }
                continue
            }
            pace.began(records: input.batch.count, at: .now)
            let output = try process(input.batch, transform)
            try commit(output, nextOffsets(after: input.batch, postponed: output.postponed), producer, consumer)
            input.finish(output.postponed)
            onCommit()
        }
    }

    /// What was postponed and is to be given again, then what is new; waits for the first of either.
    private func gather(_ input: StageInput, _ consumer: Consumer) throws(BusError) {
        input.recall(max: settings.maxBatch)
        let room = settings.maxBatch - input.batch.count
        guard room > 0 else { return }
        let wait = input.batch.isEmpty ? min(settings.idleMilliseconds, input.nextRecallMilliseconds ?? .max) : 0
        try consumer.poll(max: room, timeoutMilliseconds: wait) { input.append($0) }
        guard settings.lingerMilliseconds > 0, !input.batch.isEmpty else { return }
        let deadline = ContinuousClock.now + .milliseconds(Int(settings.lingerMilliseconds))
        while input.batch.count < settings.maxBatch, !isStopping {
            let left = deadline - ContinuousClock.now
            guard left > .milliseconds(1) else { return }
            try consumer.poll(
                max: settings.maxBatch - input.batch.count, timeoutMilliseconds: Int32(left.components.attoseconds / 1_000_000_000_000_000)
            ) { input.append($0) }
        }
    }

    /// The batch at once; where that fails for good, record by record, so that only the culprit goes to the dead letters.
    private func process(_ batch: [Record], _ transform: any StageTransform) throws -> StageOutput {
        do {
            return try retrying { try transform.process(batch) }
        } catch  where isPassing(error) {
            throw error
        } catch {
            var whole = StageOutput()
            var tidying: [() throws -> Void] = []
            for record in batch {
                // Behind a record that waits, all wait.
                guard whole.postponed[TopicPartition(topic: record.topic, partition: record.partition)] == nil else { continue }
                do {
                    let output = try retrying { try transform.process([record]) }
                    whole.records += output.records
                    whole.postponed.merge(output.postponed) { first, _ in first }
                    if let afterCommit = output.afterCommit { tidying.append(afterCommit) }
                } catch  where isPassing(error) {
                    throw error
                } catch {
                    configuration.logger.error(
                        "record sent to the dead letters", metadata: ["position": "\(record.position)", "reason": "\(error)"])
                    BusMetrics.deadLetters.add()
                    whole.records.append(environment.deadLetter(record, "\(error)"))
                }
            }
            if !tidying.isEmpty { whole.afterCommit = { for tidy in tidying { try tidy() } } }
            return whole
        }
    }

    /// Not the record's fault: however long it lasts, the batch is read again by the next run, and nothing of it is dead.
    private func isPassing(_ error: any Error) -> Bool { error is StageStopped || environment.isTransient(error) }

    private func commit(
        _ output: StageOutput, _ offsets: [CommittedOffset], _ producer: TransactionalProducer, _ consumer: Consumer
    ) throws {
        if !output.records.isEmpty || !offsets.isEmpty {
            do {
                try producer.begin()
                for record in output.records { try producer.send(record) }
                try producer.sendOffsets(offsets, of: consumer)
                try producer.commit()
            } catch {
                if error.needsAbort { try? producer.abort() }
                throw error
            }
        }
        try output.afterCommit?()
    }

    /// Tries again while the error is a passing one, well within the time in which the group expects the next poll.
    private func retrying<Result>(_ body: () throws -> Result) throws -> Result {
        var backoff = Backoff()
        let giveUp = ContinuousClock.now + settings.patience
        while true {
            do {
                let result = try body()
                if backoff.isRaised { environment.onState(.running) }
                return result
            } catch {
                guard environment.isTransient(error), ContinuousClock.now < giveUp else { throw error }
                guard !isStopping else { throw StageStopped() }
                environment.onState(.failing("\(error)"))
                configuration.logger.warning("stage waits", metadata: ["error": "\(error)"])
                backoff.wait(unless: { self.isStopping })
            }
        }
    }
}

/// The stage was told to stop while it waited for something to come back; the batch is read again by the next run.
struct StageStopped: Error {}
