public import Bus
public import Foundation
public import Logging

/// Where a service finds everything else, read from its environment.
///
/// | variable | meaning |
/// |---|---|
/// | `SIGNALBOX_DATABASE_URL` | PostgreSQL, `postgresql://user:password@host:port/name` (secret) |
/// | `SIGNALBOX_KAFKA` | `host:port[,host:port]` |
/// | `SIGNALBOX_KAFKA_PROPERTIES` | librdkafka properties, `name=value;name=value` (may be secret) |
/// | `SIGNALBOX_DATA` | directory for the instance's own notes (journals of answers); unset = none are kept |
/// | `SIGNALBOX_INSTANCE` | stable name of this instance; default `<service>-0` |
/// | `SIGNALBOX_HTTP_PORT` | port of `/healthz`, `/readyz`, `/metrics` on loopback or the pod; 0 = any free; unset = none |
/// | `SIGNALBOX_PORT_OFFSET` | added to the ports that clients connect to, for several instances on one machine; default 0 |
/// | `SIGNALBOX_LOG_LEVEL` | trace, debug, info, notice, warning, error; unset = as LOGLEVEL of the configuration says, else info |
public struct ServiceEnvironment: Sendable {
    public var service: String
    public var instance: String
    public var databaseURL: String
    public var bus: BusConfiguration
    public var httpPort: Int?
    public var dataDirectory: String?
    /// Added to the ports that clients connect to.
    public var portOffset = 0
    public var logger: Logger

    /// - Throws: `ServiceError` naming every variable that is missing or wrong.
    public init(service: String, variables: [String: String] = ProcessInfo.processInfo.environment) throws {
        var faults: [String] = []
        func required(_ name: String) -> String {
            guard let value = variables[name], !value.isEmpty else {
                faults.append("\(name) is not set")
                return ""
            }
            return value
        }
        self.service = service
        instance = variables["SIGNALBOX_INSTANCE"].flatMap { $0.isEmpty ? nil : $0 } ?? "\(service)-0"
        databaseURL = required("SIGNALBOX_DATABASE_URL")
        let kafka = required("SIGNALBOX_KAFKA")
        httpPort = nil
        dataDirectory = variables["SIGNALBOX_DATA"].flatMap { $0.isEmpty ? nil : $0 }
        if let text = variables["SIGNALBOX_HTTP_PORT"], !text.isEmpty {
            if let port = Int(text), (0...65_535).contains(port) {
                httpPort = port
            } else {
                faults.append("SIGNALBOX_HTTP_PORT is no port: \(text)")
            }
        }
        if let text = variables["SIGNALBOX_PORT_OFFSET"], !text.isEmpty {
            if let offset = Int(text), (-65_535...65_535).contains(offset) {
                portOffset = offset
            } else {
                faults.append("SIGNALBOX_PORT_OFFSET is no number: \(text)")
            }
        }
        if let text = variables["SIGNALBOX_LOG_LEVEL"], !text.isEmpty {
            if let parsed = Logger.Level(rawValue: text.lowercased()) {
                ServiceLogLevel.fix(parsed)
            } else {
                faults.append("SIGNALBOX_LOG_LEVEL is unknown: \(text)")
            }
        }
        var properties: [String: String] = [:]
        do { properties = try BusConfiguration.parseProperties(variables["SIGNALBOX_KAFKA_PROPERTIES"] ?? "") } catch {
            faults.append("\(error)")
        }
        guard faults.isEmpty else { throw ServiceError(faults.joined(separator: "; ")) }
        logger = makeServiceLogger(service)
        bus = BusConfiguration(bootstrap: kafka, clientID: instance, properties: properties, logger: logger)
    }
}

extension ServiceEnvironment {
    /// Where the windowed stage of `group` notes answers.
    public func journalPath(_ group: String) -> String? { dataDirectory.map { "\($0)/journal/\(group).\(instance)" } }
}

/// Why a service cannot start or go on, in words for an operator.
public struct ServiceError: Error, CustomStringConvertible, Sendable {
    public var description: String
    public init(_ description: String) { self.description = description }
}
