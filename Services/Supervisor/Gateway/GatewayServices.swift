import Database

/// The services that `up` runs, by the names that `signalbox run` knows.
public enum GatewayServices {
    /// In the order in which they start: whoever reads before whoever writes. They stop the other way round.
    public static let all = ["routelog", "dlr-matcher", "billing", "router", "delay", "egress-smpp", "ingress-smpp"]

    /// Those that run only where a connector needs them, with the protocol and the type of such connectors.
    static let onDemand = [
        (service: "egress-http", protocolName: "HTTP", type: "OUTGOING"), (service: "ingress-http", protocolName: "HTTP", type: "INCOMING"),
    ]

    /// All that may run here.
    static let known = all + onDemand.map(\.service)

    /// The services on demand that the configured connectors need.
    static func needed(_ connection: Connection) throws -> [String] {
        let rows = try connection.query("SELECT DISTINCT protocol, type FROM connector WHERE NOT disabled")
        let used = try rows.map { (try $0.text(0), try $0.text(1)) }
        return onDemand.filter { one in used.contains { $0.0 == one.protocolName && $0.1 == one.type } }.map(\.service)
    }

    /// The name of a service's one instance on this machine.
    public static func instance(_ service: String) -> String { "\(service)-0" }
}
