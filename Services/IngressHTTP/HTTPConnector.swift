import Configuration
import Database
import Ingress
import Logging
import Pricing
import Routing
import ServiceKit
import Store

/// What the requests of one incoming connector share.
struct HTTPConnector: Sendable {
    var configuration: ConnectorConfiguration
    var entrance: Entrance
    var shared: SharedParts
    /// THROUGHPUT of the connector on this instance.
    var gate: RateGate?

    var name: String { configuration.name }
    var options: HTTPServerOptions { configuration.httpServer }
    /// With LOGLEVEL.
    var logger: Logger { shared.environment.logger.at(configuration.trace.level?.rawValue) }
}

/// What all connectors of this instance share.
struct SharedParts: Sendable {
    var environment: ServiceEnvironment
    var acceptance: Acceptance
    var gatekeeper: Gatekeeper
    var desk: MessageDesk
    var monitor: QueueMonitor
    var ids: SharedMessageIDs
    var lookups: Lookups
    var idempotency: Idempotency
    /// For price previews.
    var tariffs: @Sendable () -> Tariffs
}

/// What a price preview needs to know; each part is read again when it changes.
struct Tariffs: Sendable {
    var plan: RoutingPlan
    var prices: PriceTable
}
