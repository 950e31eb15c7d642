import Database
import Logging
package import ServiceKit
import ServiceLifecycle
import Store
import Synchronization

/// This instance's client sessions towards the `session` table: removes the rows of those that ended, ends those that an operator
/// kicks, and keeps each account's and connector's part of its allowed rate.
package final class SessionRegistry: Service {
    private static let interval = Duration.milliseconds(500)

    private struct State {
        var open: [String: @Sendable () -> Void] = [:]
        /// Their rows are not removed yet.
        var gone: Set<String> = []
        var isFlushing = false
        var lastNumber = 0
        var accounts: [String: (gate: RateGate, sessions: Int)] = [:]
        var connectors: [String: RateGate] = [:]
    }

    package let instance: String
    private let database: Database
    private let logger: Logger
    private let started = wallClockMilliseconds()
    private let state = Mutex(State())

    package init(_ environment: ServiceEnvironment) {
        instance = environment.instance
        database = Database(url: environment.databaseURL, applicationName: "\(environment.instance)/sessions")
        logger = environment.logger
    }

    /// At the start: the sessions of this instance's predecessor are gone.
    package func clear() async throws {
        let instance = instance
        try await database.run { _ = try $0.execute("DELETE FROM session WHERE instance = $1", [.text(instance)]) }
    }

    package func newSessionID(connector: String) -> String {
        let number = state.withLock { state in
            state.lastNumber += 1
            return state.lastNumber
        }
        return "\(instance)/\(connector)/\(started)-\(number)"
    }

    /// Sessions that ended and whose rows may still be there.
    package var gone: [String] { state.withLock { Array($0.gone) } }

    /// - Parameter kick: ends the session in order; from any thread.
    package func opened(_ id: String, kick: @escaping @Sendable () -> Void) { state.withLock { $0.open[id] = kick } }

    package func closed(_ id: String) {
        let mustFlush = state.withLock { state in
            state.open[id] = nil
            state.gone.insert(id)
            defer { state.isFlushing = true }
            return !state.isFlushing
        }
        // One at a time; what cannot be removed now is tried again by the next turn of `run`.
        if mustFlush { Task { await flush() } }
    }

    private func flush() async {
        while true {
            let ids = state.withLock { state in
                state.isFlushing = !state.gone.isEmpty
                return Array(state.gone)
            }
            guard !ids.isEmpty else { return }
            do {
                try await database.run { try SessionStore.remove($0, ids: ids) }
                state.withLock { $0.gone.subtract(ids) }
            } catch {
                logger.debug("session rows not removed yet", metadata: ["count": "\(ids.count)", "error": "\(error)"])
                state.withLock { $0.isFlushing = false }
                return
            }
        }
    }

    // MARK: Rates

    /// The gate of an account's sessions on this instance; each `join` is followed by one `leave`.
    /// - Parameter limit: messages a second, as the account has it now.
    package func joinAccount(_ name: String, limit: Int) -> RateGate? {
        guard limit > 0 else { return nil }
        return state.withLock { state in
            var entry = state.accounts[name] ?? (RateGate(limit: limit), 0)
            entry.gate.set(limit: limit)
            entry.sessions += 1
            state.accounts[name] = entry
            return entry.gate
        }
    }

    package func leaveAccount(_ name: String) {
        state.withLock { state in
            guard var entry = state.accounts[name] else { return }
            entry.sessions -= 1
            state.accounts[name] = entry.sessions > 0 ? entry : nil
        }
    }

    package func connectorGate(_ name: String, limit: Int?) -> RateGate? {
        let gate = limit.map { RateGate(limit: $0) }
        state.withLock { $0.connectors[name] = gate }
        return gate
    }

    // MARK: Turns

    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            var turn = 0
            while !Task.isCancelled {
                try? await Task.sleep(for: SessionRegistry.interval)
                turn += 1
                do {
                    try await work(turn)
                } catch is CancellationError {
                    return
                } catch {
                    logger.debug("sessions not looked at", metadata: ["error": "\(error)"])
                }
            }
        }
        await flush()
    }

    private func work(_ turn: Int) async throws {
        let instance = instance
        let mustFlush = state.withLock { state in
            defer { if !state.gone.isEmpty { state.isFlushing = true } }
            return !state.gone.isEmpty && !state.isFlushing
        }
        if mustFlush { await flush() }
        for id in try await database.run({ try SessionStore.kicked($0, instance: instance) }) {
            if let kick = state.withLock({ $0.open[id] }) { kick() }
        }
        if turn % 2 == 0 { try await share() }
        if turn % 120 == 0 {
            let open = state.withLock { Array($0.open.keys) }
            let now = wallClockMilliseconds()
            try await database.run { connection in
                try SessionStore.removeUnknown(connection, instance: instance, open: open, olderThanSeconds: 60)
                try MessageOrderStore.removeOld(connection, nowMilliseconds: now)
            }
        }
    }

    private func share() async throws {
        let (accounts, connectors) = state.withLock { (Array($0.accounts.keys), Array($0.connectors.keys)) }
        let instance = instance
        if !accounts.isEmpty {
            let shares = try await database.run { try SessionStore.shares($0, of: accounts, by: .account, instance: instance) }
            state.withLock { state in
                for (name, share) in shares { state.accounts[name]?.gate.set(share: SessionRegistry.part(share)) }
            }
        }
        if !connectors.isEmpty {
            let shares = try await database.run { try SessionStore.shares($0, of: connectors, by: .connector, instance: instance) }
            state.withLock { state in
                for (name, share) in shares { state.connectors[name]?.set(share: SessionRegistry.part(share)) }
            }
        }
    }

    /// One that has no session here (yet) counts as if it had one: a new one begins with something.
    package static func part(_ share: (here: Int, all: Int)) -> Double {
        let here = max(1, share.here)
        return Double(here) / Double(max(here, share.all))
    }
}
