import Logging
import Synchronization

/// What a stage makes of a batch.
public struct StageOutput {
    public var records: [OutgoingRecord]
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
    public var maxBatch = 2_000
    /// How long to wait for more once something has come: larger batches for later output.
    public var lingerMilliseconds: Int32 = 0
    public var idleMilliseconds: Int32 = 500

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
                environment.onState(.failing("\(error)"))
                configuration.logger.warning("stage starts over", metadata: ["error": "\(error)"])
                backoff.wait(unless: { self.isStopping })
            }
        }
    }

    private func runOnce(onCommit: () -> Void) throws {
        let producer = try TransactionalProducer(configuration, transactionalID: settings.transactionalID)
        let consumer = try Consumer(configuration, settings: settings.consumer)
        defer { consumer.close() }
        let transform = try retrying { try makeTransform() }
        environment.onState(.running)
        while !isStopping {
            var batch = try consumer.poll(max: settings.maxBatch, timeoutMilliseconds: settings.idleMilliseconds)
            if batch.isEmpty {
                let output = try retrying { try transform.idle() }
                if !output.records.isEmpty || output.afterCommit != nil { try commit(output, [], producer, consumer) }
                continue
            }
            if settings.lingerMilliseconds > 0 {
                let deadline = ContinuousClock.now + .milliseconds(Int(settings.lingerMilliseconds))
                while batch.count < settings.maxBatch, !isStopping {
                    let left = deadline - ContinuousClock.now
                    guard left > .milliseconds(1) else { break }
                    try consumer.poll(
                        into: &batch, max: settings.maxBatch,
                        timeoutMilliseconds: Int32(left.components.attoseconds / 1_000_000_000_000_000))
                }
                guard !batch.isEmpty else { continue }
            }
            let output = try process(batch, transform)
            try commit(output, nextOffsets(after: batch), producer, consumer)
            onCommit()
        }
    }

    /// The batch at once; where that fails for good, record by record, so that only the culprit goes to the dead letters.
    private func process(_ batch: [Record], _ transform: any StageTransform) throws -> StageOutput {
        do {
            return try retrying { try transform.process(batch) }
        } catch let error as StageStopped {
            throw error
        } catch {
            var whole = StageOutput()
            var tidying: [() throws -> Void] = []
            for record in batch {
                do {
                    let output = try retrying { try transform.process([record]) }
                    whole.records += output.records
                    if let afterCommit = output.afterCommit { tidying.append(afterCommit) }
                } catch let error as StageStopped {
                    throw error
                } catch {
                    configuration.logger.error(
                        "record sent to the dead letters", metadata: ["position": "\(record.position)", "reason": "\(error)"])
                    whole.records.append(environment.deadLetter(record, "\(error)"))
                }
            }
            if !tidying.isEmpty { whole.afterCommit = { for tidy in tidying { try tidy() } } }
            return whole
        }
    }

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
        let giveUp = ContinuousClock.now + .seconds(120)
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

/// The offset after the last record of each partition in `batch`.
func nextOffsets(after batch: [Record]) -> [CommittedOffset] {
    var next: [TopicPartition: Int64] = [:]
    for record in batch { next[TopicPartition(topic: record.topic, partition: record.partition)] = record.offset + 1 }
    return next.map { CommittedOffset(partition: $0.key, offset: $0.value) }
}
