/// The keywords of a CONNECTOR section that do what they say, by the part of the gateway that honours them.
enum ConnectorKeywords {
    static let working = connection + incoming + outgoing + text + smpp + routing + money + log + trace + httpServer + providerHTTP

    /// Keywords of an SMPP connector that only the other direction has. (STATIC and USERDB have words of their own.)
    static func meaningless(for direction: ConnectorConfiguration.Direction) -> Set<String> {
        let (own, other) = direction == .incoming ? (incoming, outgoing) : (outgoing, incoming)
        return Set(other).subtracting(own).subtracting(connection + text + routing + money + log + trace + ["STATIC", "USERDB"])
    }

    /// Both directions.
    static let connection = [
        "TYPE", "PROTOCOL", "ADDRESS", "INSTANCES", "MODE", "KEEPALIVE", "IDLETIMEOUT", "USERNAME", "PASSWORD", "WINDOWSIZE", "SYSTEMTYPE",
        "MAXQUEUESIZE", "THROUGHPUT",
    ]
    /// Clients bind to us.
    static let incoming = IncomingOptions.keywords
    /// We bind to providers.
    static let outgoing = OutgoingOptions.keywords
    /// Character sets, addresses as sent, long messages.
    static let text = TextOptions.keywords
    /// Clients reach us by HTTP.
    static let httpServer = HTTPServerOptions.keywords
    /// SMPP beyond the session itself.
    static let smpp = SMPPOptions.keywords
    static let routing = routingKeywords
    /// Providers with an HTTP API.
    static let providerHTTP = ProviderHTTPOptions.keywords
    /// The message log.
    static let log = LogOptions.keywords
    /// The services' logs, and how long a client's message may be.
    static let trace = TraceOptions.keywords
    /// Money and delivery reports.
    static let money = ["DEFAULT_CHARGE", "DLREXPIRE", "HEXID", "NODLR"]
}
