import CPlatform
public import Database
import Foundation
import Logging
public import ServiceLifecycle
import UnixSignals

/// What every service is given when it is built.
public struct ServiceContext: Sendable {
    public var environment: ServiceEnvironment
    public var health: Health
    /// For what is not on the hot path: logins, configuration, heartbeats.
    public var database: Database

    /// A generator of message ids with a slot that no other has: one for each place that makes ids.
    public func messageIDs() async throws -> MessageIDs {
        let slot = try await database.run { try $0.query("SELECT nextval('node_slot')")[0].int(0) }
        return MessageIDs(slot: slot)
    }
}

/// Runs one service until it is told to stop, with all that makes it one: signals, heartbeat, health endpoint.
///
/// - Parameter build: makes the parts, in the order in which they depend on each other; they stop in reverse.
/// - Throws: what kept it from starting, or the part that failed. The process then exits with 1 and its supervisor restarts it.
public func runService(_ name: String, build: (ServiceContext) async throws -> [any Service]) async throws {
    // A reader of our log lines that is gone must not end us in the middle of an orderly stop.
    signal(SIGPIPE, SIG_IGN)
    // Each session and each connection is an open file, and the usual soft limit is 1,024 of them.
    _ = cplatform_raise_open_files()
    if ProcessInfo.processInfo.environment["SIGNALBOX_SUPERVISED"] == "1" { _ = cplatform_die_with_parent(SIGTERM) }
    let environment = try ServiceEnvironment(service: name)
    let health = Health()
    let database = Database(url: environment.databaseURL, applicationName: environment.instance)
    let context = ServiceContext(environment: environment, health: health, database: database)
    let heartbeat = Heartbeat(environment: environment, health: health)
    var services: [any Service] = [heartbeat]
    if let port = environment.httpPort {
        services.append(HealthEndpoint(port: port, health: health, logger: environment.logger))
    }
    try await waitForDatabase(database, environment.logger)
    try await TopicSetup.ensure(environment, connectors: [])
    services += try await build(context)
    environment.logger.info("service starts", metadata: ["instance": "\(environment.instance)"])
    var configuration = ServiceGroupConfiguration(
        services: services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet(environment.logger))
    configuration.maximumGracefulShutdownDuration = .seconds(20)
    try await ServiceGroup(configuration: configuration).run()
    environment.logger.info("service stopped")
}

/// A database that is still starting, or away, is waited for: to end and be restarted again and again would only take longer, for
/// whoever restarts us waits longer each time.
/// - Throws: why there is no connection, after 30 seconds of trying.
private func waitForDatabase(_ database: Database, _ logger: Logger) async throws {
    let giveUp = ContinuousClock.now + .seconds(30)
    var hasSaid = false
    while true {
        do {
            return try await database.run { _ = try $0.query("SELECT 1") }
        } catch let error as DatabaseError where error.isRetriable && ContinuousClock.now < giveUp {
            if !hasSaid { logger.warning("waits for the database", metadata: ["error": "\(error)"]) }
            hasSaid = true
            try await Task.sleep(for: .milliseconds(200))
        }
    }
}

/// The lifecycle library narrates at info; for an operator that is debug.
private func quiet(_ logger: Logger) -> Logger {
    var logger = logger
    logger.logLevel = max(logger.logLevel, .warning)
    return logger
}
