import Bus
import Synchronization

/// Brings the receipts of providers' calls to the bus. A call is answered once the broker has all of them.
final class ReceiptDesk: Sendable {
    private struct Call {
        /// Records that the broker has not answered for.
        var open: Int
        var isKept = true
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var next: UInt = 1
        var calls: [UInt: Call] = [:]
        /// The call of each record, by the record's token.
        var owners: [UInt: UInt] = [:]
    }

    private final class Board: Sendable {
        let state = Mutex(State())
    }

    private let board: Board
    private let producer: Producer

    init(_ configuration: BusConfiguration) throws {
        let board = Board()
        self.board = board
        producer = try Producer(configuration) { deliveries in
            ReceiptDesk.settle(deliveries.map { ($0.token, $0.error == nil) }, board)
        }
    }

    func close() { producer.close() }

    /// - Returns: whether the broker has all of them. Where it has not, some may be kept all the same: a repetition does no harm.
    func keep(_ records: [OutgoingRecord]) async -> Bool {
        guard !records.isEmpty else { return true }
        return await withCheckedContinuation { continuation in
            let tokens = board.state.withLock { state in
                let call = state.next
                let tokens = (0..<UInt(records.count)).map { call &+ 1 &+ $0 }
                state.next = call &+ 1 &+ UInt(records.count)
                state.calls[call] = Call(open: records.count, continuation: continuation)
                for token in tokens { state.owners[token] = call }
                return tokens
            }
            var refused: [(UInt, Bool)] = []
            for (record, token) in zip(records, tokens) {
                do throws(BusError) { try producer.send(record, token: token) } catch { refused.append((token, false)) }
            }
            ReceiptDesk.settle(refused, board)
        }
    }

    private static func settle(_ answers: [(token: UInt, isKept: Bool)], _ board: Board) {
        guard !answers.isEmpty else { return }
        let finished = board.state.withLock { state in
            var finished: [Call] = []
            for answer in answers {
                guard let id = state.owners.removeValue(forKey: answer.token), var call = state.calls[id] else { continue }
                call.open -= 1
                call.isKept = call.isKept && answer.isKept
                state.calls[id] = call.open == 0 ? nil : call
                if call.open == 0 { finished.append(call) }
            }
            return finished
        }
        for call in finished { call.continuation.resume(returning: call.isKept) }
    }
}
