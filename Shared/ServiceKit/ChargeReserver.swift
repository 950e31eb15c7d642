public import Bus
import Database
import Dispatch
import Logging
public import Store
import Synchronization

/// Takes default charges before messages are published: one transaction for all that came within a few milliseconds.
///
/// Messages come out in the order in which they came in. A thread of its own does the SQL, so that no event loop waits for it.
public final class ChargeReserver: Sendable {
    /// A message that waits for its reservation.
    public struct Request: Sendable {
        public var reservation: ReservationStore.Request
        public var record: OutgoingRecord
        /// The caller's mark, handed back as it is.
        public var token: UInt

        public init(reservation: ReservationStore.Request, record: OutgoingRecord, token: UInt) {
            self.reservation = reservation
            self.record = record
            self.token = token
        }
    }

    public struct Settled: Sendable {
        public var request: Request
        /// `nil`: the database could not be asked, or did not answer; the message is to be refused.
        public var answer: ReservationStore.Answer?
    }

    private struct State {
        var waiting: [Request] = []
        var isClosed = false
    }

    /// What may wait: some seconds of traffic. Beyond it the client is told that the queue is full.
    private static let capacity = 20_000
    private static let maxBatch = 2_000
    private static let gatherMilliseconds = 3

    private let state = Mutex(State())
    private let news = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameter settled: called on the reserver's thread with each batch, in order. Returns the message ids that could not be
    ///   published after all, whose reservations are given back.
    public init(_ environment: ServiceEnvironment, name: String, settled: @escaping @Sendable ([Settled]) -> [Int64]) {
        let url = environment.databaseURL
        let logger = environment.logger
        let application = "\(environment.instance)/\(name)"
        startThread(name) { [self] in
            run(
                logger,
                connect: {
                    try Connection(
                        url: url, applicationName: application, statementTimeoutMilliseconds: 10_000, silenceMilliseconds: 15_000)
                }, settled)
            ended.signal()
        }
    }

    /// - Throws: `.queueFull`: the client is to be refused.
    public func add(_ request: Request) throws(BusError) {
        let (isFull, isFirst) = state.withLock { state in
            guard state.waiting.count < ChargeReserver.capacity, !state.isClosed else { return (true, false) }
            state.waiting.append(request)
            return (false, state.waiting.count == 1)
        }
        guard !isFull else { throw .queueFull }
        if isFirst { news.signal() }
    }

    /// Ends once what waits is settled.
    public func close() {
        state.withLock { $0.isClosed = true }
        news.signal()
        ended.wait()
    }

    private func run(_ logger: Logger, connect: () throws -> Connection, _ settled: ([Settled]) -> [Int64]) {
        var connection: Connection?
        while true {
            news.wait()
            // What comes in these milliseconds shares the transaction, and above all its fsync.
            _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .milliseconds(ChargeReserver.gatherMilliseconds))
            var isClosed = false
            while true {
                let batch = state.withLock { state in
                    let batch = Array(state.waiting.prefix(ChargeReserver.maxBatch))
                    state.waiting.removeFirst(batch.count)
                    isClosed = state.isClosed
                    return batch
                }
                guard !batch.isEmpty else { break }
                var answers: [ReservationStore.Answer?] = Array(repeating: nil, count: batch.count)
                do {
                    let open = try connection ?? connect()
                    connection = open
                    answers = try ReservationStore.reserve(open, batch.map(\.reservation))
                } catch {
                    // Where the commit's answer was lost the reservations may stand; billing's sweep gives them back.
                    logger.warning("default charges not reserved", metadata: ["count": "\(batch.count)", "error": "\(error)"])
                    connection = nil
                }
                let unsent = settled(zip(batch, answers).map { Settled(request: $0, answer: $1) })
                guard !unsent.isEmpty, let open = connection else { continue }
                do {
                    try ReservationStore.release(open, unsent, why: "the message could not be accepted")
                } catch {
                    logger.warning("default charges not given back yet", metadata: ["count": "\(unsent.count)", "error": "\(error)"])
                    connection = nil
                }
            }
            if isClosed { return }
        }
    }
}
