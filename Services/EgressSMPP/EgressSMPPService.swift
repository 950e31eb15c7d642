import Configuration
import Database
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
        let feeds = OrderDesk.Feeds()
        let reader = try await QueueOrderReader(context) { await feeds.consider($0) }
        let connectors = ConnectorPool(context, receipts: receipts, board: board, orders: OrderDesk(book: reader.book, feeds: feeds))
        let snapshot = try await Snapshot(
            "connectors", context, load: { try loadConnectors($0) }, onChange: { connectors.wanted($0) })
        connectors.wanted(snapshot.value)
        let share = ShareWatch(context) { connectors.wanted($0) }
        // The reader first: it stops last, when nothing is sent any more.
        return [reader, board, connectors, snapshot, share]
    }
}

/// The outgoing SMPP connectors, as the operator has them now.
private func loadConnectors(_ connection: Connection) throws -> [ConnectorConfiguration] {
    try ConnectorStore.load(connection).connectors.filter { $0.direction == .outgoing && $0.protocolName == "SMPP" && !$0.isDisabled }
}
