/// The services that `up` runs, by the names that `signalbox run` knows.
public enum GatewayServices {
    /// In the order in which they start: whoever reads before whoever writes. They stop the other way round.
    public static let all = ["routelog", "dlr-matcher", "billing", "router", "delay", "egress-smpp", "ingress-smpp", "ingress-http"]

    /// The name of a service's one instance on this machine.
    public static func instance(_ service: String) -> String { "\(service)-0" }
}
