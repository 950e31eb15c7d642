/// What only incoming HTTP connectors have. docs/http.md describes each for operators.
public struct HTTPServerOptions: Sendable, Equatable {
    /// The sets of addresses that a connector answers at.
    public enum Interface: String, Sendable, CaseIterable {
        /// Our own, under `/v1`.
        case api = "API"
        /// EMG's `/bin/send` and its like.
        case emg = "EMG"
        /// Kannel's `/cgi-bin/sendsms`.
        case kannel = "KANNEL"
        /// Jasmin's `/send`, `/rate`, `/balance`.
        case jasmin = "JASMIN"
    }

    /// INTERFACES (ours): API and EMG where nothing is said.
    public var interfaces: Set<Interface> = [.api, .emg]
    /// INSTANCES: connections at a time.
    public var maxConnections = 1_000
    /// IDLETIMEOUT: an idle connection is closed after so long, in seconds.
    public var idleSeconds = 60
    /// DEFAULT_CHARCODE_TEXT: in which character set texts come where the request does not say it.
    public var charset = Charset.utf8
    /// WEBHOOKCONCURRENCY (ours): requests to one account's address at a time, where the account has no number of its own.
    public var webhookConcurrency = 8
    /// WEBHOOKTIMEOUT (ours): how long an endpoint may take to answer, in seconds.
    public var webhookTimeoutSeconds = 10
    /// WEBHOOKMAXAGE (ours): so long after it was made a report is tried; then it is parked. In seconds.
    public var webhookMaxAgeSeconds = 86_400
    /// WEBHOOKRETRY (ours): the waits between tries, in seconds; the last one holds for all further ones.
    public var webhookRetrySeconds = [5, 30, 120, 600, 1_800, 3_600]
    /// WEBHOOKALLOW (ours): networks that requests may go to although they are internal; as written.
    public var webhookAllowed: [String] = []

    public enum Charset: String, Sendable, CaseIterable {
        case utf8 = "UTF8"
        case latin1 = "LATIN1"
        case ucs2 = "UCS2"

        /// By the names that clients use: `UTF-8`, `iso-8859-1`, `UTF-16BE`, ...; nil for one that is not known.
        public init?(name: String) {
            switch name.uppercased().filter({ $0 != "-" && $0 != "_" }) {
            case "UTF8": self = .utf8
            case "LATIN1", "ISO88591", "WINDOWS1252": self = .latin1
            case "UCS2", "UTF16BE", "UTF16": self = .ucs2
            default: return nil
            }
        }
    }

    public init() {}

    static let keywords = [
        "INTERFACES", "DEFAULT_CHARCODE_TEXT", "WEBHOOKCONCURRENCY", "WEBHOOKTIMEOUT", "WEBHOOKMAXAGE", "WEBHOOKRETRY", "WEBHOOKALLOW",
    ]
}

extension OptionReader {
    mutating func httpServerOptions(_ direction: ConnectorConfiguration.Direction?, _ protocolName: String?) -> HTTPServerOptions {
        var options = HTTPServerOptions()
        guard direction == .incoming, protocolName == "HTTP" else { return options }
        if let value = text("INTERFACES") {
            options.interfaces = []
            for word in value.split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
                if let interface = HTTPServerOptions.Interface(rawValue: word.uppercased()) {
                    options.interfaces.insert(interface)
                } else {
                    let known = HTTPServerOptions.Interface.allCases.map(\.rawValue).joined(separator: ", ")
                    fault("INTERFACES", "INTERFACES is a list of \(known), and has no \(word)")
                }
            }
        }
        options.maxConnections = integer("INSTANCES", 1...10_000) ?? options.maxConnections
        options.idleSeconds = integer("IDLETIMEOUT", 1...86_400) ?? options.idleSeconds
        if let value = text("DEFAULT_CHARCODE_TEXT") {
            if let charset = HTTPServerOptions.Charset(name: value) {
                options.charset = charset
            } else {
                fault("DEFAULT_CHARCODE_TEXT", "DEFAULT_CHARCODE_TEXT is UTF8, LATIN1 or UCS2, not \(value)")
            }
        }
        options.webhookConcurrency = integer("WEBHOOKCONCURRENCY", 1...1_000) ?? options.webhookConcurrency
        options.webhookTimeoutSeconds = integer("WEBHOOKTIMEOUT", 1...300) ?? options.webhookTimeoutSeconds
        options.webhookMaxAgeSeconds = integer("WEBHOOKMAXAGE", 1...2_592_000) ?? options.webhookMaxAgeSeconds
        if let value = text("WEBHOOKRETRY") {
            let waits = value.split(whereSeparator: { $0 == "," || $0.isWhitespace }).map { Int($0) ?? 0 }
            if !waits.isEmpty, waits.allSatisfy({ (1...86_400).contains($0) }) {
                options.webhookRetrySeconds = waits
            } else {
                fault("WEBHOOKRETRY", "WEBHOOKRETRY is a list of seconds such as 5,30,120, and not \(value)")
            }
        }
        for word in (text("WEBHOOKALLOW") ?? "").split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            if OptionReader.isNetwork(word) {
                options.webhookAllowed.append(String(word))
            } else {
                fault("WEBHOOKALLOW", "WEBHOOKALLOW lists addresses and networks such as 10.1.0.0/16, not \(word)")
            }
        }
        return options
    }
}
