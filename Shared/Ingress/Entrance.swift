package import Configuration
package import Logging
package import NIOCore
import NIOSSL
package import ServiceKit
package import Store

/// What a new connection to a connector passes before anything is read of it: ACCESS, room, and TLS with the certificate as it is now.
package struct Entrance: Sendable {
    private let name: String
    private let access: [IPNetwork]
    private let tls: TLSContexts?
    private let refused: Counter
    private let logger: Logger

    /// - Parameter refused: counts connections that are refused.
    /// - Throws: `ServiceError` naming the file that cannot be used.
    package init(_ configuration: ConnectorConfiguration, refused: Counter, logger: Logger) throws {
        name = configuration.name
        access = configuration.incoming.access.compactMap { IPNetwork($0) }
        tls = try configuration.incoming.tls.map { try TLSContexts($0, logger: logger) }
        self.refused = refused
        self.logger = logger
    }

    /// Called on the channel's event loop.
    /// - Parameter hasRoom: whether INSTANCES allow one more; asked last.
    /// - Returns: where the connection comes from.
    /// - Throws: `ServiceError` where it is not to be; who accepts then closes it.
    package func admit(_ channel: any Channel, hasRoom: () -> Bool) throws -> IPAddress {
        guard let text = channel.remoteAddress?.ipAddress, let remote = IPAddress(text) else {
            throw ServiceError("a connection without an address")
        }
        guard access.isEmpty || access.contains(where: { $0.contains(remote) }) else { throw refusal(remote, "not in ACCESS") }
        guard hasRoom() else { throw refusal(remote, "too many connections for INSTANCES") }
        return remote
    }

    /// TLS before whatever follows in the pipeline, where the connector wants it. Called on the channel's event loop.
    package func secure(_ channel: any Channel) throws {
        guard let tls else { return }
        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls.current))
    }

    /// Looks whether the certificate has changed. Reads from disk: not for event loops.
    package func refresh() { tls?.refresh() }

    private func refusal(_ remote: IPAddress, _ why: String) -> ServiceError {
        refused.add()
        logger.notice("connection refused", metadata: ["connector": "\(name)", "remote": "\(remote)", "reason": "\(why)"])
        return ServiceError(why)
    }
}
