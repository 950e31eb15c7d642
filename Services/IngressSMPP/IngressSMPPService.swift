import Bus
import Configuration
import Database
import Foundation
import Ingress
import Logging
import NIOCore
import NIOPosix
public import ServiceKit
public import ServiceLifecycle
import Store

/// Takes messages from clients over SMPP, and brings them their reports.
public enum IngressSMPPService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let environment = context.environment
        let registry = SessionRegistry(environment)
        try await registry.clear()
        let limits = try await Snapshot("queue limits", context) { try QueueMonitor.Limits.load($0) }
        let intake = try Intake(environment)
        let ids = SharedMessageIDs(try await context.messageIDs())
        let monitor = QueueMonitor(environment, limits: { limits.value })
        let shared = SharedParts(
            environment: environment, intake: intake, authenticator: Authenticator(environment, registry: registry), registry: registry,
            desk: MessageDesk(environment, intake: intake, ids: ids), monitor: monitor, ids: ids)
        let smpp = SMPPListeners(context: context, shared: shared)
        let listeners = ListenerPool(
            context, start: { try await smpp.start($0) }, stop: { await smpp.stop($0) }, onEnd: { intake.close() })
        let snapshot = try await Snapshot(
            "connectors", context, load: { try ConnectorStore.incoming($0, protocol: "SMPP") }, onChange: { listeners.wanted($0) })
        listeners.wanted(snapshot.value)
        return [registry, limits, monitor, listeners, snapshot]
    }
}
