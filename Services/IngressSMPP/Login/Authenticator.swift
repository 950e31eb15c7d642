import Configuration
import Database
import Logging
import SMPP
import ServiceKit
import Store
import Synchronization

/// A bind to decide on.
struct LoginRequest: Sendable {
    var bind: Bind
    var remote: IPAddress
    var connector: ConnectorConfiguration
}

/// The verdict on a bind.
enum LoginVerdict: Sendable {
    /// The session has its row, which the receiver of this verdict gives back.
    case accepted(Account, sessionID: String)
    /// The status for the client, and the reason for the log.
    case refused(CommandStatus, String)
}

/// Decides binds from PostgreSQL, at each bind anew (EMG caches nothing either: changes act at the next login): the account, its
/// password and lock, where it comes from, and how many sessions there are already.
///
/// Its connections are its own: hashing a password takes some 50 ms of a thread, which nothing else may wait for.
final class Authenticator: Sendable {
    /// Who tries passwords from one address holds up at most those that share its connection.
    private static let connections = 2
    /// Binds that may wait for their verdict; beyond it they are refused at once.
    private static let maxPending = 4_000

    private let databases: [Database]
    private let registry: SessionRegistry
    private let memory = PasswordMemory()
    private let limiter = LoginLimiter()
    private let pending = Atomic<Int>(0)
    private let logger: Logger

    init(_ environment: ServiceEnvironment, registry: SessionRegistry) {
        databases = (1...Authenticator.connections).map {
            Database(url: environment.databaseURL, applicationName: "\(environment.instance)/logins-\($0)")
        }
        self.registry = registry
        logger = environment.logger
    }

    /// - Throws: `DatabaseError` where nobody can be asked: that is no verdict on the password.
    func login(_ request: LoginRequest) async throws -> LoginVerdict {
        let connector = request.connector
        if let limit = connector.incoming.loginsPerMinute,
            !limiter.allows(request.remote.description, limit: limit, now: monotonicMilliseconds())
        {
            return .refused(.bindFailed, "more than LOGINSPERMIN binds from this address")
        }
        guard pending.wrappingAdd(1, ordering: .relaxed).newValue <= Authenticator.maxPending else {
            pending.wrappingSubtract(1, ordering: .relaxed)
            return .refused(.systemError, "too many binds wait for their verdict")
        }
        defer { pending.wrappingSubtract(1, ordering: .relaxed) }
        let (memory, registry, logger) = (memory, registry, logger)
        let id = registry.newSessionID(connector: connector.name)
        let database = databases[Int(UInt(bitPattern: request.remote.hashValue) % UInt(databases.count))]
        return try await database.run { connection in
            let username = request.bind.systemID
            let record = try UsersFileLogin.find(connection, username: username, connector: connector)
            let decision = LoginDecision.decide(
                record, password: request.bind.password, ip: request.remote, connector: connector.name,
                nowMilliseconds: wallClockMilliseconds(), memory: memory)
            switch decision {
            case .accepted(let account):
                let candidate = SessionStore.Candidate(
                    id: id, instance: registry.instance, connector: connector.name, connectorLimit: connector.instances,
                    account: account.username, accountLimit: account.maxSessions, bind: "\(request.bind.kind)",
                    remote: request.remote.description)
                switch try SessionStore.admit(connection, candidate, gone: registry.gone) {
                case .admitted: break
                case .connectorFull: return .refused(.bindFailed, "all INSTANCES of the connector are bound")
                case .accountFull: return .refused(.bindFailed, "maxsessions of the account are bound")
                }
                try AccountStore.recordLogin(connection, username: username, succeeded: true, ip: request.remote)
                if let record, record.needsUpgrade {
                    try AccountStore.upgradePassword(connection, record, password: request.bind.password)
                }
                return .accepted(account, sessionID: id)
            case .unknownUser: return .refused(.invalidSystemID, "unknown user")
            case .wrongPassword:
                // Only from where the account may log in at all: strangers cannot lock it out.
                let counts = record.map { AccessRules.allows($0.access, ip: request.remote, connector: connector.name) } ?? false
                let isLocked = try AccountStore.recordLogin(
                    connection, username: username, succeeded: false, ip: request.remote,
                    lockout: counts ? (connector.incoming.maxFailedLogins, connector.incoming.lockoutSeconds) : nil)
                if isLocked {
                    logger.warning(
                        "account locked after wrong passwords",
                        metadata: ["account": "\(username)", "seconds": "\(connector.incoming.lockoutSeconds)"])
                }
                return .refused(.invalidPassword, "wrong password")
            case .locked(let until):
                try AccountStore.recordLogin(connection, username: username, succeeded: false, ip: request.remote)
                return .refused(.bindFailed, "the account is locked until \(utcText(until))")
            case .notAllowedFromHere:
                try AccountStore.recordLogin(connection, username: username, succeeded: false, ip: request.remote)
                return .refused(.bindFailed, "no access row fits the address and the connector")
            }
        }
    }
}
