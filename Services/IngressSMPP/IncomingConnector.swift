import Configuration
import Logging
import NIOCore
import ServiceKit
import Store

/// What the sessions of one incoming connector share. Values and `Sendable` parts only: sessions live on different event loops.
struct IncomingConnector: Sendable {
    var configuration: ConnectorConfiguration
    var environment: ServiceEnvironment
    var rows: SessionRows
    var intake: Intake
    var authenticator: Authenticator
    var delivery: ClientDelivery
    var directory: SessionDirectory
    var ids: SharedMessageIDs
    var logger: Logger

    var name: String { configuration.name }
}
