import Bus
import Configuration
import Database
import Logging
import NIOCore
import NIOPosix
public import ServiceKit
public import ServiceLifecycle
import Store

/// Takes messages from clients over SMPP, and brings them their reports.
public enum IngressSMPPService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        try await SessionRows(context).clear()
        let listeners = ListenerPool(
            context, intake: try Intake(context.environment), ids: SharedMessageIDs(try await context.messageIDs()))
        let snapshot = try await Snapshot(
            "connectors", context, load: { try loadConnectors($0) }, onChange: { listeners.wanted($0) })
        listeners.wanted(snapshot.value)
        return [listeners, snapshot]
    }
}

/// The incoming SMPP connectors, as the operator has them now.
private func loadConnectors(_ connection: Connection) throws -> [ConnectorConfiguration] {
    try ConnectorStore.load(connection).connectors.filter { $0.direction == .incoming && $0.protocolName == "SMPP" && !$0.isDisabled }
}
