public import Logging

/// Where the bus is and how to speak to it. One value serves every client of a process.
public struct BusConfiguration: Sendable {
    /// `host:port`, comma separated where there are several brokers.
    public var bootstrap: String
    /// Shown in the broker's logs and quotas.
    public var clientID: String
    /// Passed to librdkafka as they are (`security.protocol`, `sasl.*`, `ssl.*`, ...). They win over our own settings.
    public var properties: [String: String]
    public var logger: Logger

    public init(bootstrap: String, clientID: String, properties: [String: String] = [:], logger: Logger) {
        self.bootstrap = bootstrap
        self.clientID = clientID
        self.properties = properties
        self.logger = logger
    }

    /// Reads `name=value` pairs separated by `;`, as `SIGNALBOX_KAFKA_PROPERTIES` holds them. A value cannot contain a `;`.
    /// - Throws: which pair is none, by its place: its text may be the rest of a password.
    public static func parseProperties(_ text: String) throws(BusError) -> [String: String] {
        var properties: [String: String] = [:]
        for (index, pair) in text.split(separator: ";", omittingEmptySubsequences: true).enumerated() {
            guard let equals = pair.firstIndex(of: "="), equals != pair.startIndex else {
                throw BusError(code: .invalidConfiguration, "a Kafka property must be name=value: number \(index + 1) is not")
            }
            properties[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
        }
        return properties
    }
}
