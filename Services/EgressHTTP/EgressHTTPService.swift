import Configuration
import Database
import Egress
import HTTPProvider
import NIOCore
import NIOPosix
public import ServiceKit
public import ServiceLifecycle
import Store

/// Sends to providers over HTTP what is queued for them, and takes in what they report by calling us.
public enum EgressHTTPService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let board = StateBoard(context)
        let desk = try ReceiptDesk(context.environment.bus)
        let intake = MessageIntake(context.environment, desk: desk, ids: SharedMessageIDs(try await context.messageIDs()))
        let callbacks = CallbackServer(context, desk: desk, intake: intake)
        let feeds = OrderFeeds()
        let reader = try await QueueOrderReader(context) { await feeds.consider($0) }
        let connectors = ConnectorPool(context, onEnd: { feeds.set(nil, $0) }, onStopped: {}) { configuration, share in
            guard let http = configuration.providerHTTP else { throw ServiceError("\(configuration.name) has no options of HTTP") }
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            let client = try await NIOThreadPool.singleton.runIfActive {
                try ProviderClient(configuration, connections: HTTPConnector.connections(configuration), eventLoop: eventLoop)
            }
            let setup = ConnectorSetup(configuration, share, context, eventLoop: eventLoop, board: board, book: reader.book)
            let parts = RequestParts(http, configuration.outgoing)
            let connector = try await eventLoop.submit {
                NIOLoopBound<QueueConnector<MessageValues>>(
                    HTTPConnector(setup, parts, http: http, client: client), eventLoop: eventLoop)
            }.get()
            let feed = QueueFeed(setup, parts, connector: connector)
            // Before the first record is read: an order must not be told to nobody.
            feeds.set(feed, configuration.name)
            return feed
        }
        let snapshot = try await Snapshot(
            "connectors", context, load: { try loadConnectors($0) },
            onChange: {
                connectors.wanted($0)
                callbacks.wanted($0)
            })
        connectors.wanted(snapshot.value)
        callbacks.wanted(snapshot.value)
        let share = ShareWatch(context) { connectors.wanted($0) }
        // The reader first: it stops last, when nothing is sent any more.
        return [reader, board, intake, callbacks, connectors, snapshot, share]
    }
}

/// The outgoing HTTP connectors, as the operator has them now.
private func loadConnectors(_ connection: Connection) throws -> [ConnectorConfiguration] {
    try ConnectorStore.load(connection).connectors.filter { $0.direction == .outgoing && $0.protocolName == "HTTP" && !$0.isDisabled }
}
