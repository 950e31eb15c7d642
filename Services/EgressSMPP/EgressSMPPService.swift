import Configuration
import Database
import Egress
import NIOCore
import NIOPosix
public import ServiceKit
public import ServiceLifecycle
import Store

/// Holds the sessions with providers: submits what is queued for them, takes in what they report.
public enum EgressSMPPService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        try await SessionRows(context).clear()
        let ids = SharedMessageIDs(try await context.messageIDs())
        let receipts = try ReceiptIntake(context.environment, ids: ids)
        let board = StateBoard(context)
        let rows = SessionRows(context)
        let connectors = ConnectorPool(context, onStopped: { receipts.close() }) { configuration, share in
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            let connector = try await eventLoop.submit {
                NIOLoopBound(
                    ProviderConnector(
                        configuration: configuration, share: share, environment: context.environment, health: context.health,
                        receipts: receipts, rows: rows, board: board, eventLoop: eventLoop),
                    eventLoop: eventLoop)
            }.get()
            return QueueFeed(configuration, eventLoop: eventLoop, connector: connector, logger: context.environment.logger)
        }
        let snapshot = try await Snapshot(
            "connectors", context, load: { try loadConnectors($0) }, onChange: { connectors.wanted($0) })
        connectors.wanted(snapshot.value)
        let share = ShareWatch(context) { connectors.wanted($0) }
        return [board, connectors, snapshot, share]
    }
}

/// The outgoing SMPP connectors, as the operator has them now.
private func loadConnectors(_ connection: Connection) throws -> [ConnectorConfiguration] {
    try ConnectorStore.load(connection).connectors.filter { $0.direction == .outgoing && $0.protocolName == "SMPP" && !$0.isDisabled }
}
