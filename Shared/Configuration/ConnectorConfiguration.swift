public import Pricing

/// A connector's options with their types, units and defaults.
public struct ConnectorConfiguration: Sendable, Equatable {
    /// Which side opens the connection; it does not say which way messages flow.
    public enum Direction: String, Sendable, Codable {
        case incoming = "INCOMING"
        case outgoing = "OUTGOING"
    }

    /// Whether messages go out, come in, or both.
    public enum Mode: String, Sendable, Codable {
        case both, transmit, receive
    }

    public enum WindowSize: Sendable, Equatable {
        /// Unanswered operations allowed at a time.
        case fixed(Int)
        /// Grows while the rate improves and shrinks when it falls.
        case automatic
    }

    public var name: String
    public var direction: Direction
    /// In capitals: SMPP, HTTP, ...
    public var protocolName: String
    /// Where to listen or to connect to; all are used in turn.
    public var addresses: [Endpoint]
    /// ADDRESS as written, for protocols whose address is a URL or a path.
    public var addressText: String
    /// Sessions at most at a time (INSTANCES, default 1).
    public var instances: Int
    public var mode: Mode
    /// An outgoing connector that is always connected; another connects when there is something to send.
    public var isStatic: Bool
    /// Idle time after which a keep-alive is sent (KEEPALIVE); 0 = never.
    public var keepaliveSeconds: Int
    /// Idle time after which the connection is closed (IDLETIMEOUT); 0 = never.
    public var idleTimeoutSeconds: Int
    public var username: String?
    public var password: Secret?
    /// Sessions are authenticated from `emguser` (USERDB).
    public var userDatabase: String?
    /// Sessions are authenticated from a file (USERS).
    public var usersFile: String?
    /// WINDOWSIZE; EMG's default is 1.
    public var windowSize: WindowSize
    /// Messages that may wait for this connector (MAXQUEUESIZE); nil = no limit of its own.
    public var maxQueueSize: Int?
    /// Messages a second (THROUGHPUT); nil = no limit.
    public var throughputPerSecond: Int?
    /// Connector that everything received here goes to (ROUTE).
    public var route: String?
    /// Connector that reports received here go to (ROUTEDLR).
    public var routeDLR: String?
    /// Connector for what this one cannot deliver (REDIRECT).
    public var redirect: String?
    /// The peer sends delivery reports (DLR_SUPPORT; default yes for SMPP, CIMD2 and UCP, otherwise no).
    public var dlrSupport: Bool
    /// Longest body that a client may send, in octets, header included (MESSAGELENGTH); nil = the protocol's own limit.
    public var messageLengthOctets: Int?
    /// Deducted at acceptance (DEFAULT_CHARGE), before the price is known.
    public var defaultCharge: Money?
    /// How its delivery reports are understood.
    public var money: MoneyOptions
    /// What the message log keeps of its messages.
    public var log: LogOptions
    /// Its lines in the service's log.
    public var trace: TraceOptions
    /// SMPP's system_type (SYSTEMTYPE).
    public var systemType: String
    /// ALLOWROUTE and the other keywords of routing beyond ROUTE, ROUTEDLR and REDIRECT.
    public var routing: RoutingOptions
    /// Long messages on their way in.
    public var text: TextOptions
    /// SMPP beyond the session itself.
    public var smpp: SMPPOptions
    /// What only connectors have that clients bind to.
    public var incoming: IncomingOptions
    /// What only connectors have that bind to a provider.
    public var outgoing: OutgoingOptions
    /// What only connectors have that send to a provider over HTTP; nil for all others.
    public var providerHTTP: ProviderHTTPOptions?
    /// What only connectors have that clients reach by HTTP.
    public var httpServer: HTTPServerOptions
    /// Stopped by an operator; kept in the database only.
    public var isDisabled: Bool
    /// Everything as written.
    public var entries: [ConfigurationEntry]
}

/// A text that prints as `***`.
public struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The clear text, for the protocol that needs it.
    public let revealed: String

    public init(_ text: String) { revealed = text }

    /// Takes as long wherever the texts differ.
    public func matches(_ other: String) -> Bool {
        let (own, given) = (Array(revealed.utf8), Array(other.utf8))
        var difference = own.count ^ given.count
        for index in own.indices { difference |= Int(own[index] ^ (given.indices.contains(index) ? given[index] : 0)) }
        return difference == 0
    }

    public var description: String { "***" }
    public var debugDescription: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// A host and a port: `host:2775`, `192.0.2.1:2775`, `[2001:db8::1]:2775`.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    public var host: String
    public var port: Int

    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// - Parameter defaultPort: where the text names none; nil makes a port a must.
    /// - Returns: nil when the text is no address.
    public init?(_ text: String, defaultPort: Int?) {
        var host = Substring(text)
        var portText: Substring?
        if host.first == "[" {
            guard let end = host.firstIndex(of: "]") else { return nil }
            let rest = host[host.index(after: end)...]
            host = host[host.index(after: host.startIndex)..<end]
            if !rest.isEmpty {
                guard rest.first == ":" else { return nil }
                portText = rest.dropFirst()
            }
            guard host.contains(":") else { return nil }
        } else if let colon = host.firstIndex(of: ":") {
            portText = host[host.index(after: colon)...]
            host = host[..<colon]
        }
        guard !host.isEmpty, host.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "-_.:%".contains($0)) }) else { return nil }
        if let portText {
            guard let port = Int(portText), (0...65_535).contains(port), portText.allSatisfy(\.isNumber) else { return nil }
            self.port = port
        } else {
            guard let defaultPort else { return nil }
            port = defaultPort
        }
        self.host = String(host)
    }

    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
