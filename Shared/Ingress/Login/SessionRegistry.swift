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
    /// An account that sent nothing here for so long leaves its rate to where it sends.
    private static let useMilliseconds: Int64 = 10_000
    /// So long the gate of an account without sessions is kept.
    private static let keepMilliseconds: Int64 = 60_000

    private struct State {
        var open: [String: @Sendable () -> Void] = [:]
        /// Their rows are not removed yet.
        var gone: Set<String> = []
        var isFlushing = false
        var lastNumber = 0
        var accounts: [String: (gate: RateGate, sessions: Int)] = [:]
        var connectors: [String: RateGate] = [:]
        /// What was written last of the accounts' use; nil = not known.
        var written: [String: Int]?
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

    /// The gate of an account that has no sessions here, whose messages come by requests.
    /// - Parameter limit: messages a second, as the account has it now.
    package func requestGate(_ name: String, limit: Int) -> RateGate? {
        guard limit > 0 else { return nil }
        let gate = state.withLock { state in
            if let entry = state.accounts[name] { return entry.gate }
            let gate = RateGate(limit: limit)
            state.accounts[name] = (gate, 0)
            return gate
        }
        gate.set(limit: limit)
        return gate
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
            // Told anew now and then: the table does not outlive a crash of the database.
            state.withLock { $0.written = nil }
            let open = state.withLock { Array($0.open.keys) }
            let now = wallClockMilliseconds()
            try await database.run { connection in
                try SessionStore.removeUnknown(connection, instance: instance, open: open, olderThanSeconds: 60)
                try MessageOrderStore.removeOld(connection, nowMilliseconds: now)
                try AccountUseStore.removeOld(connection)
            }
        }
    }

    private func share() async throws {
        let instance = instance
        try await shareAccounts()
        let connectors = state.withLock { Array($0.connectors.keys) }
        guard !connectors.isEmpty else { return }
        let shares = try await database.run { try SessionStore.shares($0, of: connectors, instance: instance) }
        state.withLock { state in
            for (name, share) in shares { state.connectors[name]?.set(share: SessionRegistry.part(share)) }
        }
    }

    /// An account's rate is shared by where it sends at present, whatever the protocol. One that sends nothing here is ready to begin
    /// with the part that it will have.
    private func shareAccounts() async throws {
        let now = monotonicMilliseconds()
        let instance = instance
        let (weights, used, written) = state.withLock { state in
            state.accounts = state.accounts.filter {
                $0.value.sessions > 0 || $0.value.gate.idle(now: now) < SessionRegistry.keepMilliseconds
            }
            let used = state.accounts.filter { $0.value.gate.idle(now: now) < SessionRegistry.useMilliseconds }
            return (state.accounts.mapValues { max(1, $0.sessions) }, used.mapValues { max(1, $0.sessions) }, state.written)
        }
        guard !weights.isEmpty || written?.isEmpty != true else { return }
        state.withLock { $0.written = nil }
        let others = try await database.run { connection in
            if used != written { try AccountUseStore.write(connection, instance: instance, used.map { ($0.key, $0.value) }) }
            return try AccountUseStore.others(connection, of: Array(weights.keys), besides: instance)
        }
        state.withLock { state in
            state.written = used
            for (name, weight) in weights {
                state.accounts[name]?.gate.set(share: SessionRegistry.part((weight, weight + (others[name] ?? 0))))
            }
        }
    }

    /// One that has no session here (yet) counts as if it had one: a new one begins with something.
    package static func part(_ share: (here: Int, all: Int)) -> Double {
        let here = max(1, share.here)
        return Double(here) / Double(max(here, share.all))
    }
}
