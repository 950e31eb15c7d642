import Configuration
import Database
import Egress
import NIOCore
import NIOPosix
public import ServiceKit
public import ServiceLifecycle
import Store

/// Sends to providers over HTTP what is queued for them, and takes in what they report by calling us.
public enum EgressHTTPService {
    public static func build(_ context: ServiceContext) async throws -> [any Service] {
        let board = StateBoard(context)
        let callbacks = CallbackServer(context, desk: try ReceiptDesk(context.environment.bus))
        let connectors = ConnectorPool(context, onStopped: {}) { configuration, share in
            guard let http = configuration.providerHTTP else { throw ServiceError("\(configuration.name) has no options of HTTP") }
            let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
            let client = try await NIOThreadPool.singleton.runIfActive {
                try ProviderClient(configuration, connections: HTTPConnector.connections(configuration), eventLoop: eventLoop)
            }
            let connector = try await eventLoop.submit {
                NIOLoopBound(
                    HTTPConnector(
                        configuration: configuration, http: http, client: client, share: share, environment: context.environment,
                        health: context.health, board: board, eventLoop: eventLoop), eventLoop: eventLoop)
            }.get()
            return HTTPQueueFeed(configuration, http, eventLoop: eventLoop, connector: connector, logger: context.environment.logger)
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
        return [board, callbacks, connectors, snapshot, share]
    }
}

/// The outgoing HTTP connectors, as the operator has them now.
private func loadConnectors(_ connection: Connection) throws -> [ConnectorConfiguration] {
    try ConnectorStore.load(connection).connectors.filter { $0.direction == .outgoing && $0.protocolName == "HTTP" && !$0.isDisabled }
}
