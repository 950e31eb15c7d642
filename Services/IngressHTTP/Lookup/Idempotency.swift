import Crypto
import Database
import ServiceKit
import Store

/// The same Idempotency-Key gives the same answer and sends nothing twice, whichever instance is asked (docs/http.md).
final class Idempotency: Sendable {
    /// How long a request waits for another one with its key that is under way.
    private static let patienceMilliseconds: Int64 = 5_000

    private let claims: BatchDesk<IdempotencyStore.Claim, IdempotencyStore.Verdict>
    private let answers: BatchDesk<IdempotencyStore.Answer, Bool>
    private let database: Database

    init(_ environment: ServiceEnvironment) {
        let database = Database(
            url: environment.databaseURL, applicationName: "\(environment.instance)/idempotency", statementTimeoutMilliseconds: 5_000)
        self.database = database
        claims = BatchDesk(database) { try IdempotencyStore.claim($0, $1) }
        answers = BatchDesk(database) { connection, answers in
            try IdempotencyStore.settle(connection, answers)
            return answers.map { _ in true }
        }
    }

    static func fingerprint(_ body: [UInt8]) -> [UInt8] { Array(SHA256.hash(data: body)) }

    func claim(_ claim: IdempotencyStore.Claim) async throws -> IdempotencyStore.Verdict {
        let deadline = monotonicMilliseconds() + Idempotency.patienceMilliseconds
        while true {
            let verdict = try await claims.ask(claim)
            guard verdict == .underWay, monotonicMilliseconds() < deadline else { return verdict }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    func settle(_ answer: IdempotencyStore.Answer) async throws { _ = try await answers.ask(answer) }

    func removeOld() async throws { try await database.run { try IdempotencyStore.removeOld($0) } }
}
