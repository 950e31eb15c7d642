import Configuration
import Crypto
import Foundation
import Ingress
import Logging
import ServiceKit
import Store
import Synchronization

/// Whoever made a request.
struct Client: Sendable {
    var account: Account
    /// The account's THROUGHPUT on this instance.
    var gate: RateGate?
}

/// Decides who may make requests. The database is asked once a second for each client that keeps asking, whatever the number of its
/// requests: so a change of an account acts within two seconds.
final class Gatekeeper: Sendable {
    private static let freshMilliseconds: Int64 = 1_000
    /// A verdict of this age still holds while a new one is on its way.
    private static let staleMilliseconds: Int64 = 2_000
    /// Verdicts that are remembered; beyond it those that no longer hold are forgotten, or all.
    private static let capacity = 20_000

    private struct Entry {
        var account: Account?
        var at: Int64 = 0
        /// The question that is under way, which all requests of one client share.
        var asking: Task<LoginVerdict, any Error>?
    }

    private struct State {
        var entries: [Data: Entry] = [:]
    }

    private let authenticator: Authenticator
    private let registry: SessionRegistry
    private let failures = LoginLimiter()
    private let key = SymmetricKey(size: .bits256)
    private let logger: Logger
    private let state = Mutex(State())

    /// - Parameter registry: has the gates of accounts with an allowed rate.
    init(_ authenticator: Authenticator, registry: SessionRegistry, logger: Logger) {
        self.authenticator = authenticator
        self.registry = registry
        self.logger = logger
    }

    /// - Throws: `Fault`: unauthorized, forbidden, throttled or unavailable.
    func admit(_ credentials: Credentials?, remote: IPAddress, connector: ConnectorConfiguration) async throws(Fault) -> Client {
        guard let credentials else { throw Fault(.unauthorized, "the request says not who makes it") }
        let digest = digest(credentials, remote, connector.name)
        let now = monotonicMilliseconds()
        if let account = remembered(digest, now, credentials, remote, connector) { return client(account) }
        if let limit = connector.incoming.loginsPerMinute, failures.isSpent(remote.description, limit: limit, now: now) {
            throw Fault(.throttled, "too many refused logins from this address", retryAfterSeconds: 60)
        }
        let verdict: LoginVerdict
        do {
            verdict = try await question(digest, credentials, remote, connector).value
        } catch {
            logger.warning("login not decided", metadata: ["error": "\(error)"])
            throw Fault(.unavailable, "nobody can be asked who you are", retryAfterSeconds: 1)
        }
        switch verdict {
        case .accepted(let account, _): return client(account)
        case .refused(let refusal, let why): throw fault(refusal, why, credentials, remote, connector)
        }
    }

    private func digest(_ credentials: Credentials, _ remote: IPAddress, _ connector: String) -> Data {
        var text: [UInt8]
        switch credentials {
        case .password(let username, let password): text = Array(username.utf8) + [0] + Array(password.utf8) + [1]
        case .key(let key): text = Array(key.utf8) + [2]
        }
        text += remote.octets + Array(connector.utf8)
        return Data(HMAC<SHA256>.authenticationCode(for: text, using: key))
    }

    /// The verdict of a moment ago. One that ages is asked for anew behind the request's back.
    private func remembered(
        _ digest: Data, _ now: Int64, _ credentials: Credentials, _ remote: IPAddress, _ connector: ConnectorConfiguration
    ) -> Account? {
        let (account, isAging) = state.withLock { state -> (Account?, Bool) in
            guard let entry = state.entries[digest], let account = entry.account, now - entry.at < Gatekeeper.staleMilliseconds else {
                return (nil, false)
            }
            return (account, now - entry.at >= Gatekeeper.freshMilliseconds && entry.asking == nil)
        }
        if isAging { _ = question(digest, credentials, remote, connector) }
        return account
    }

    /// The one question for these credentials that is under way, or a new one.
    private func question(
        _ digest: Data, _ credentials: Credentials, _ remote: IPAddress, _ connector: ConnectorConfiguration
    ) -> Task<LoginVerdict, any Error> {
        state.withLock { state in
            if let asking = state.entries[digest]?.asking { return asking }
            let task = Task { [self] in try await ask(digest, credentials, remote, connector) }
            if state.entries.count >= Gatekeeper.capacity {
                let now = monotonicMilliseconds()
                state.entries = state.entries.filter { $0.value.asking != nil || now - $0.value.at < Gatekeeper.staleMilliseconds }
            }
            state.entries[digest, default: Entry()].asking = task
            return task
        }
    }

    /// Ends with the database's answer or its timeout.
    private func ask(
        _ digest: Data, _ credentials: Credentials, _ remote: IPAddress, _ connector: ConnectorConfiguration
    ) async throws -> LoginVerdict {
        let verdict: LoginVerdict
        do {
            switch credentials {
            case .password(let username, let password):
                verdict = try await authenticator.login(
                    LoginRequest(username: username, password: password, session: nil, remote: remote, connector: connector))
            case .key(let key): verdict = try await authenticator.login(key: key, remote: remote, connector: connector)
            }
        } catch {
            state.withLock { $0.entries[digest]?.asking = nil }
            throw error
        }
        let now = monotonicMilliseconds()
        state.withLock { state in
            if case .accepted(let account, _) = verdict {
                state.entries[digest] = Entry(account: account, at: now)
            } else {
                state.entries[digest] = nil
            }
        }
        return verdict
    }

    private func fault(
        _ refusal: LoginRefusal, _ why: String, _ credentials: Credentials, _ remote: IPAddress, _ connector: ConnectorConfiguration
    ) -> Fault {
        HTTPMetrics.refusedLogins.add()
        var metadata: Logger.Metadata = ["connector": "\(connector.name)", "remote": "\(remote)", "reason": "\(why)"]
        if case .password(let username, _) = credentials { metadata["account"] = "\(username)" }
        logger.notice("login refused", metadata: metadata)
        if let limit = connector.incoming.loginsPerMinute {
            _ = failures.allows(remote.description, limit: limit, now: monotonicMilliseconds())
        }
        switch refusal {
        // Which of the two it was is nobody's business.
        case .unknownUser, .wrongPassword: return Fault(.unauthorized, "unknown user or key, or wrong password")
        case .locked: return Fault(.forbidden, "the account is locked")
        case .notAllowedFromHere: return Fault(.forbidden, "the account may not log in from this address")
        case .busy, .tooManyLogins, .connectorFull, .accountFull:
            return Fault(.unavailable, "too many log in at the moment", retryAfterSeconds: 1)
        }
    }

    private func client(_ account: Account) -> Client {
        Client(account: account, gate: registry.requestGate(account.username, limit: account.throughputPerSecond))
    }
}
