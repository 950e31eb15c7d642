import Configuration
import Ingress
import Logging
import NIOCore
import ServiceKit
import Store

/// What the sessions of one incoming connector share. Values and `Sendable` parts only: sessions live on different event loops.
struct IncomingConnector: Sendable {
    var configuration: ConnectorConfiguration
    var entrance: Entrance
    var shared: SharedParts
    var delivery: ClientDelivery
    /// THROUGHPUT of the connector on this instance.
    var gate: RateGate?

    var name: String { configuration.name }
    var incoming: IncomingOptions { configuration.incoming }
    /// With LOGLEVEL.
    var logger: Logger { shared.environment.logger.at(configuration.trace.level?.rawValue) }
    /// PDULOG
    var logsPDUs: Bool { configuration.trace.logsPDUs ?? false }

    /// The id that a client is given for a message.
    func reference(_ msgid: Int64) -> String {
        switch incoming.messageIDFormat {
        case .decimal: String(msgid)
        case .hexadecimal: String(msgid, radix: 16)
        }
    }

    /// The message that a client means; nil where it is no id of ours.
    func msgid(_ reference: String) -> Int64? {
        guard let number = Int64(reference, radix: incoming.messageIDFormat == .decimal ? 10 : 16), number > 0 else { return nil }
        return number
    }
}

/// What all connectors of this instance share.
struct SharedParts: Sendable {
    var environment: ServiceEnvironment
    var intake: Intake
    var authenticator: Authenticator
    var registry: SessionRegistry
    var desk: MessageDesk
    var monitor: QueueMonitor
    var ids: SharedMessageIDs
}
