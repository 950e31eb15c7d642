package import Configuration
import Database
import Logging
package import ServiceKit
package import Store
import Synchronization

/// A login to decide on.
package struct LoginRequest: Sendable {
    package var username: String
    package var password: String
    /// What kind of session begins with it, such as `transceiver`; nil where none does: then sessions are not counted.
    package var session: String?
    package var remote: IPAddress
    package var connector: ConnectorConfiguration

    package init(username: String, password: String, session: String?, remote: IPAddress, connector: ConnectorConfiguration) {
        self.username = username
        self.password = password
        self.session = session
        self.remote = remote
        self.connector = connector
    }
}

/// The verdict on a login.
package enum LoginVerdict: Sendable {
    /// The session, where one was asked for, has its row, which the receiver of this verdict gives back.
    case accepted(Account, sessionID: String)
    /// Why, and the reason for the log.
    case refused(LoginRefusal, String)
}

/// Why somebody is not let in. Each protocol has its own codes for it.
package enum LoginRefusal: Sendable, Equatable {
    /// LOGINSPERMIN.
    case tooManyLogins
    /// Too many wait for their verdict.
    case busy
    /// INSTANCES of the connector.
    case connectorFull
    /// maxsessions of the account.
    case accountFull
    case unknownUser
    case wrongPassword
    case locked
    case notAllowedFromHere
}

/// Decides logins from PostgreSQL, at each login anew (EMG caches nothing either: changes act at the next login): the account, its
/// password and lock, where it comes from, and how many sessions there are already.
///
/// Its connections are its own: hashing a password takes some 50 ms of a thread, which nothing else may wait for.
package final class Authenticator: Sendable {
    /// Who tries passwords from one address holds up at most those that share its connection.
    private static let connections = 2
    /// Logins that may wait for their verdict; beyond it they are refused at once.
    private static let maxPending = 4_000

    private let databases: [Database]
    private let registry: SessionRegistry
    private let memory = PasswordMemory()
    private let limiter = LoginLimiter()
    private let pending = Atomic<Int>(0)
    private let logger: Logger

    package init(_ environment: ServiceEnvironment, registry: SessionRegistry) {
        databases = (1...Authenticator.connections).map {
            Database(url: environment.databaseURL, applicationName: "\(environment.instance)/logins-\($0)")
        }
        self.registry = registry
        logger = environment.logger
    }

    /// Decides a login with an API key, which begins no session.
    /// - Throws: `DatabaseError` where nobody can be asked.
    package func login(key: String, remote: IPAddress, connector: ConnectorConfiguration) async throws -> LoginVerdict {
        guard pending.wrappingAdd(1, ordering: .relaxed).newValue <= Authenticator.maxPending else {
            pending.wrappingSubtract(1, ordering: .relaxed)
            return .refused(.busy, "too many logins wait for their verdict")
        }
        defer { pending.wrappingSubtract(1, ordering: .relaxed) }
        let database = databases[Int(UInt(bitPattern: remote.hashValue) % UInt(databases.count))]
        return try await database.run { connection in
            let record = try APIKeyStore.findLogin(connection, key: key)
            switch LoginDecision.decide(
                keyOf: record, ip: remote, connector: connector.name, nowMilliseconds: wallClockMilliseconds())
            {
            case .accepted(let account):
                try AccountStore.recordLogin(connection, username: account.username, succeeded: true, ip: remote)
                return .accepted(account, sessionID: "")
            case .unknownUser, .wrongPassword: return .refused(.unknownUser, "unknown or revoked key")
            case .locked(let until): return .refused(.locked, "the account is locked until \(utcText(until))")
            case .notAllowedFromHere: return .refused(.notAllowedFromHere, "no access row fits the address and the connector")
            }
        }
    }

    /// - Throws: `DatabaseError` where nobody can be asked: that is no verdict on the password.
    package func login(_ request: LoginRequest) async throws -> LoginVerdict {
        let connector = request.connector
        if request.session != nil, let limit = connector.incoming.loginsPerMinute,
            !limiter.allows(request.remote.description, limit: limit, now: monotonicMilliseconds())
        {
            return .refused(.tooManyLogins, "more than LOGINSPERMIN binds from this address")
        }
        guard pending.wrappingAdd(1, ordering: .relaxed).newValue <= Authenticator.maxPending else {
            pending.wrappingSubtract(1, ordering: .relaxed)
            return .refused(.busy, "too many logins wait for their verdict")
        }
        defer { pending.wrappingSubtract(1, ordering: .relaxed) }
        let (memory, registry, logger) = (memory, registry, logger)
        let id = registry.newSessionID(connector: connector.name)
        let database = databases[Int(UInt(bitPattern: request.remote.hashValue) % UInt(databases.count))]
        return try await database.run { connection in
            let username = request.username
            let record = try UsersFileLogin.find(connection, username: username, connector: connector)
            let decision = LoginDecision.decide(
                record, password: request.password, ip: request.remote, connector: connector.name,
                nowMilliseconds: wallClockMilliseconds(), memory: memory)
            switch decision {
            case .accepted(let account):
                if let session = request.session {
                    let candidate = SessionStore.Candidate(
                        id: id, instance: registry.instance, connector: connector.name, connectorLimit: connector.instances,
                        account: account.username, accountLimit: account.maxSessions, bind: session, remote: request.remote.description)
                    switch try SessionStore.admit(connection, candidate, gone: registry.gone) {
                    case .admitted: break
                    case .connectorFull: return .refused(.connectorFull, "all INSTANCES of the connector are bound")
                    case .accountFull: return .refused(.accountFull, "maxsessions of the account are bound")
                    }
                }
                try AccountStore.recordLogin(connection, username: username, succeeded: true, ip: request.remote)
                if let record, record.needsUpgrade {
                    try AccountStore.upgradePassword(connection, record, password: request.password)
                }
                return .accepted(account, sessionID: id)
            case .unknownUser: return .refused(.unknownUser, "unknown user")
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
                return .refused(.wrongPassword, "wrong password")
            case .locked(let until):
                try AccountStore.recordLogin(connection, username: username, succeeded: false, ip: request.remote)
                return .refused(.locked, "the account is locked until \(utcText(until))")
            case .notAllowedFromHere:
                try AccountStore.recordLogin(connection, username: username, succeeded: false, ip: request.remote)
                return .refused(.notAllowedFromHere, "no access row fits the address and the connector")
            }
        }
    }
}
