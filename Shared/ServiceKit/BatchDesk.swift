public import Database
import Synchronization

/// Answers questions of many requests from PostgreSQL in batches: what comes while a batch is served is the next one. One connection,
/// bounded.
public final class BatchDesk<Question: Sendable, Answer: Sendable>: Sendable {
    private static var maxPending: Int { 2_000 }
    private static var batch: Int { 200 }

    private struct Pending: Sendable {
        var question: Question
        var reply: CheckedContinuation<Answer, any Error>
    }

    private struct State {
        var pending: [Pending] = []
        var isWorking = false
    }

    private let database: Database
    private let serve: @Sendable (Connection, [Question]) throws -> [Answer]
    private let state = Mutex(State())

    private let overloaded: any Error

    /// - Parameters:
    ///   - overloaded: what is thrown where too many wait.
    ///   - serve: an answer for each question, in their order.
    public init(
        _ database: Database, overloaded: any Error, serve: @escaping @Sendable (Connection, [Question]) throws -> [Answer]
    ) {
        self.database = database
        self.overloaded = overloaded
        self.serve = serve
    }

    /// - Throws: `overloaded`; `DatabaseError`.
    public func ask(_ question: Question) async throws -> Answer {
        try await withCheckedThrowingContinuation { reply in
            let (isTaken, mustStart) = state.withLock { state in
                guard state.pending.count < Self.maxPending else { return (false, false) }
                state.pending.append(Pending(question: question, reply: reply))
                defer { state.isWorking = true }
                return (true, !state.isWorking)
            }
            if !isTaken { reply.resume(throwing: overloaded) }
            // Ends when nothing waits any more.
            if mustStart { Task { await work() } }
        }
    }

    private func work() async {
        while true {
            let batch: [Pending] = state.withLock { state in
                let batch = Array(state.pending.prefix(Self.batch))
                state.pending.removeFirst(batch.count)
                if batch.isEmpty { state.isWorking = false }
                return batch
            }
            guard !batch.isEmpty else { return }
            let questions = batch.map(\.question)
            let serve = serve
            do {
                let answers = try await database.run { try serve($0, questions) }
                for (pending, answer) in zip(batch, answers) { pending.reply.resume(returning: answer) }
                for pending in batch.dropFirst(answers.count) {
                    pending.reply.resume(throwing: ServiceError("there is no answer"))
                }
            } catch {
                for pending in batch { pending.reply.resume(throwing: error) }
            }
        }
    }
}
