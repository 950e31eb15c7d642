import Configuration
import Database
import Egress
import NIOCore
import NIOPosix
import SMPP
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
        let feeds = OrderFeeds()
        let reader = try await QueueOrderReader(context) { await feeds.consider($0) }
        let connectors = ConnectorPool(context, onEnd: { feeds.set(nil, $0) }, onStopped: { receipts.close() }) { configuration, share in
            let (name, address) = (configuration.name, configuration.addressText)
            // A database that is away costs what was learnt, not the connector.
            let knownIDs = try? await context.database.run { try MessageIDRuleStore.load($0, connector: name, address: address) }
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            let setup = ConnectorSetup(configuration, share, context, eventLoop: eventLoop, board: board, book: reader.book)
            let writer = PartWriter(configuration.outgoing, configuration.smpp)
            let connector = try await eventLoop.submit {
                NIOLoopBound<QueueConnector<SubmitSm>>(
                    ProviderConnector(setup, writer, receipts: receipts, rows: rows, knownIDs: knownIDs), eventLoop: eventLoop)
            }.get()
            let feed = QueueFeed(setup, writer, connector: connector)
            // Before the first record is read: an order must not be told to nobody.
            feeds.set(feed, name)
            return feed
        }
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
