import Database
import ServiceKit
import Store
import Synchronization

/// Knows where, besides here, clients are bound that take deliveries. Asked for whole batches; an answer holds for a second, so that a
/// stream of reports for somebody else's client costs one statement a second.
final class ReceiverLookup: Sendable {
    private static let validMilliseconds: Int64 = 1_000
    private static let capacity = 10_000

    private struct Known {
        var receiver: SessionStore.Receiver?
        var until: Int64
    }

    private let database: Database
    private let here: SessionStore.Receiver
    private let known = Mutex<[String: Known]>([:])

    init(_ context: ServiceContext, connector: String) {
        database = context.database
        here = SessionStore.Receiver(connector: connector, instance: context.environment.instance)
    }

    func find(_ accounts: Set<String>) async throws -> [String: SessionStore.Receiver] {
        let now = monotonicMilliseconds()
        var found: [String: SessionStore.Receiver] = [:]
        let unknown: [String] = known.withLock { known in
            if known.count > ReceiverLookup.capacity { known.removeAll(keepingCapacity: true) }
            return accounts.filter { account in
                guard let entry = known[account], entry.until > now else { return true }
                found[account] = entry.receiver
                return false
            }
        }
        guard !unknown.isEmpty else { return found }
        let here = here
        let fresh = try await database.run { try SessionStore.receivers($0, of: unknown, besides: here) }
        known.withLock { known in
            for account in unknown {
                known[account] = Known(receiver: fresh[account], until: now + ReceiverLookup.validMilliseconds)
            }
        }
        return found.merging(fresh) { $1 }
    }
}
