import Database
import Logging
public import ServiceKit
public import ServiceLifecycle
public import Store
import Synchronization

/// What this instance's connectors say of themselves, and the service that writes it to `connector_state` once a second.
public final class StateBoard: Service {
    private struct Learnt: Sendable {
        var address: String
        var rule: MessageIDRule?
    }

    /// What is still to be written.
    private let rules = Mutex<[String: Learnt]>([:])
    private let states = Mutex<[String: ConnectorState]>([:])
    private let database: Database
    private let instance: String
    private let logger: Logger

    public init(_ context: ServiceContext) {
        database = context.database
        instance = context.environment.instance
        logger = context.environment.logger
    }

    /// How a provider writes its ids, for the next start.
    public func learnt(_ rule: MessageIDRule?, of connector: String, address: String) {
        rules.withLock { $0[connector] = Learnt(address: address, rule: rule) }
    }

    public func set(_ state: ConnectorState) { states.withLock { $0[state.connector] = state } }
    public func remove(_ connector: String) { states.withLock { _ = $0.removeValue(forKey: connector) } }

    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                await write(states.withLock { Array($0.values) })
                try? await Task.sleep(for: .seconds(1))
            }
        }
        await write([])
    }

    private func write(_ states: [ConnectorState]) async {
        let instance = instance
        let learnt = rules.withLock { rules in
            defer { rules.removeAll() }
            return rules
        }
        do {
            try await database.run { connection in
                for (name, one) in learnt {
                    try MessageIDRuleStore.write(connection, connector: name, address: one.address, rule: one.rule)
                }
                try ConnectorControl.report(states, instance: instance, connection)
            }
        } catch is CancellationError {
            return
        } catch {
            rules.withLock { $0.merge(learnt) { newer, _ in newer } }
            logger.debug("connector states not written", metadata: ["error": "\(error)"])
        }
    }
}

/// Looks twice a second which instances of the service live, and tells which sessions are ours.
public final class ShareWatch: Service {
    private let database: Database
    private let service: String
    private let instance: String
    private let onChange: @Sendable (SessionShare) -> Void

    public init(_ context: ServiceContext, onChange: @escaping @Sendable (SessionShare) -> Void) {
        database = context.database
        service = context.environment.service
        instance = context.environment.instance
        self.onChange = onChange
    }

    public func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            let service = service
            var settled = SettledShare()
            while !Task.isCancelled {
                // A database that is away changes nothing: the last share holds.
                if let living = try? await database.run({ try ConnectorControl.livingInstances(of: service, $0) }),
                    settled.saw(SessionShare(own: instance, living: living)), let share = settled.value
                {
                    onChange(share)
                }
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
    }
}
