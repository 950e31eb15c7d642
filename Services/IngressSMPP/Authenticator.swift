import Database
import Logging
import ServiceKit
import Store

/// Decides logins from PostgreSQL, at each bind anew (EMG caches nothing either: changes act at the next login).
///
/// Its connection is its own: hashing a password takes some 50 ms of the thread, which nothing else may wait for.
final class Authenticator: Sendable {
    private let database: Database
    private let logger: Logger

    init(_ environment: ServiceEnvironment) {
        database = Database(url: environment.databaseURL, applicationName: "\(environment.instance)/logins")
        logger = environment.logger
    }

    /// - Throws: `DatabaseError` where nobody can be asked: that is no verdict on the password.
    func login(username: String, password: String, ip: IPAddress, connector: String) async throws -> LoginDecision {
        try await database.run { connection in
            let record = try AccountStore.findLogin(connection, username: username)
            let decision = LoginDecision.decide(
                record, password: password, ip: ip, connector: connector, nowMilliseconds: wallClockMilliseconds())
            if case .accepted = decision {
                try AccountStore.recordLogin(connection, username: username, succeeded: true, ip: ip)
                if let record, record.needsUpgrade { try AccountStore.upgradePassword(connection, record, password: password) }
            } else if record != nil {
                try AccountStore.recordLogin(connection, username: username, succeeded: false, ip: ip)
            }
            return decision
        }
    }
}
