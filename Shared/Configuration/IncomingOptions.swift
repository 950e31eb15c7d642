import Foundation

/// What only connectors have that clients bind to (TYPE=INCOMING). docs/smpp.md, "Server", describes each for operators.
public struct IncomingOptions: Sendable, Equatable {
    /// What happens to a message above the allowed rate.
    public enum Throttle: String, Sendable, CaseIterable {
        /// It waits and its answer with it, as EMG does; no more is read from a session that has many waiting.
        case delay = "DELAY"
        /// It is refused with ESME_RTHROTTLED.
        case reject = "REJECT"
    }

    /// How message ids are written towards clients.
    public enum MessageIDFormat: String, Sendable, CaseIterable {
        case decimal = "DEC"
        case hexadecimal = "HEX"
    }

    public enum ClientCertificate: String, Sendable, CaseIterable {
        case none = "NONE"
        /// One that is shown must be good; none need be shown.
        case optional = "OPTIONAL"
        case required = "REQUIRED"
    }

    /// The oldest version of TLS that a client may speak.
    public enum TLSVersion: String, Sendable, CaseIterable {
        case v12 = "1.2"
        case v13 = "1.3"
    }

    public struct TLS: Sendable, Equatable {
        /// PEM with the private key, and the certificate chain unless `certificateFile` names another file for it.
        public var keyFile: String
        public var certificateFile: String
        /// PEM with the authorities that client certificates must come from.
        public var clientAuthorityFile: String?
        public var clientCertificate: ClientCertificate
        public var minimumVersion = TLSVersion.v12
    }

    /// SSL; nil = in the clear.
    public var tls: TLS?
    /// ACCESS: networks that may connect, as written; empty = all.
    public var access: [String] = []
    /// THROTTLE.
    public var throttle = Throttle.delay
    /// OPS_MAXOUTSTANDING: unanswered requests of a session; beyond it ESME_RTHROTTLED.
    public var maxOutstanding = 1_000
    /// WINDOWSIZE: unanswered deliver_sm that a session may have.
    public var deliveryWindow = 50
    /// MSGIDFORMAT.
    public var messageIDFormat = MessageIDFormat.decimal
    /// BINDTIMEOUT: from the connection to the bind.
    public var bindTimeoutSeconds = 10
    /// KEEPALIVE is given; else a client that is silent is asked after a minute.
    public var hasKeepalive = false
    /// LOGINSPERMIN: binds a minute from one address, good ones too; nil = any number.
    public var loginsPerMinute: Int?
    /// MAXFAILEDLOGINS: wrong passwords in a row after which an account is locked; 0 = never.
    public var maxFailedLogins = 10
    /// LOCKOUTTIME.
    public var lockoutSeconds = 300
    /// PARKTIME: how long reports and messages wait for a client that is away.
    public var parkSeconds = 7 * 86_400
    /// REVDLR: reports carry the original's addresses as they were, not swapped.
    public var reversesReportAddresses = false

    public init() {}

    static let keywords = [
        "USERDB", "SSL", "SSL_KEYFILE", "SSL_CERTFILE", "SSL_CAFILE", "SSL_CLIENTCERT", "SSL_MINVERSION", "ACCESS", "THROTTLE",
        "OPS_MAXOUTSTANDING",
        "MSGIDFORMAT", "BINDTIMEOUT", "LOGINSPERMIN", "MAXFAILEDLOGINS", "LOCKOUTTIME", "PARKTIME", "REVDLR",
    ]
}

extension OptionReader {
    /// - Returns: the defaults for an outgoing connector, whose options other parts read.
    mutating func incomingOptions(_ direction: ConnectorConfiguration.Direction?) -> IncomingOptions {
        var options = IncomingOptions()
        guard direction == .incoming else { return options }
        options.tls = serverTLS()
        options.access = accessNetworks()
        options.throttle = choice("THROTTLE") ?? options.throttle
        options.maxOutstanding = integer("OPS_MAXOUTSTANDING", 1...100_000) ?? options.maxOutstanding
        if let size = section.last("WINDOWSIZE")?.value {
            // Whether it is a number in bounds is checked where both directions read it.
            options.deliveryWindow = max(1, Int(size) ?? options.deliveryWindow)
            if size.lowercased() == "auto" {
                fault("WINDOWSIZE", "WINDOWSIZE is a number for an incoming connector: the reports that a client may leave unanswered")
            }
        }
        options.messageIDFormat = choice("MSGIDFORMAT") ?? options.messageIDFormat
        options.bindTimeoutSeconds = integer("BINDTIMEOUT", 1...3_600) ?? options.bindTimeoutSeconds
        options.hasKeepalive = section.last("KEEPALIVE") != nil
        options.loginsPerMinute = integer("LOGINSPERMIN", 0...1_000_000).flatMap { $0 == 0 ? nil : $0 }
        options.maxFailedLogins = integer("MAXFAILEDLOGINS", 0...1_000_000) ?? options.maxFailedLogins
        options.lockoutSeconds = integer("LOCKOUTTIME", 1...31_536_000) ?? options.lockoutSeconds
        options.parkSeconds = integer("PARKTIME", 1...31_536_000) ?? options.parkSeconds
        options.reversesReportAddresses = flag("REVDLR") ?? false
        return options
    }

    private mutating func choice<Choice: RawRepresentable & CaseIterable>(_ key: String) -> Choice? where Choice.RawValue == String {
        guard let value = text(key) else { return nil }
        guard let choice = Choice(rawValue: value.uppercased()) else {
            fault(key, "\(key) is one of \(Choice.allCases.map(\.rawValue).joined(separator: ", ")), not \(value)")
            return nil
        }
        return choice
    }

    /// SSL, or a key file alone, switches TLS on.
    private mutating func serverTLS() -> IncomingOptions.TLS? {
        let isWanted = flag("SSL")
        let keyFile = text("SSL_KEYFILE")
        let certificateFile = text("SSL_CERTFILE")
        let authorityFile = text("SSL_CAFILE")
        let clientCertificate: IncomingOptions.ClientCertificate? = choice("SSL_CLIENTCERT")
        let minimumVersion: IncomingOptions.TLSVersion? = choice("SSL_MINVERSION")
        guard isWanted ?? (keyFile != nil) else { return nil }
        guard let keyFile else {
            fault("SSL", "SSL needs SSL_KEYFILE: a PEM file with the private key and the certificate")
            return nil
        }
        let demand = clientCertificate ?? (authorityFile == nil ? .none : .optional)
        if demand != .none, authorityFile == nil {
            fault("SSL_CLIENTCERT", "SSL_CLIENTCERT needs SSL_CAFILE: whose certificates are good")
        }
        return IncomingOptions.TLS(
            keyFile: keyFile, certificateFile: certificateFile ?? keyFile, clientAuthorityFile: authorityFile, clientCertificate: demand,
            minimumVersion: minimumVersion ?? .v12)
    }

    /// ACCESS may repeat, and holds addresses and networks with commas or blanks between them.
    private mutating func accessNetworks() -> [String] {
        var networks: [String] = []
        for entry in section.all("ACCESS") {
            for word in (entry.value ?? "").split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
                if OptionReader.isNetwork(word) {
                    networks.append(String(word))
                } else {
                    fault("ACCESS", "ACCESS lists addresses and networks such as 192.0.2.0/24 or 2001:db8::/32, not \(word)")
                }
            }
        }
        if networks.isEmpty, section.last("ACCESS") != nil { fault("ACCESS", "ACCESS needs a value") }
        return networks
    }

    static func isNetwork(_ text: Substring) -> Bool {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var octets = in6_addr()
        guard let address = parts.first.map(String.init) else { return false }
        let isFour = inet_pton(AF_INET, address, &octets) == 1
        guard isFour || inet_pton(AF_INET6, address, &octets) == 1 else { return false }
        guard parts.count == 2 else { return true }
        guard let width = Int(parts[1]) else { return false }
        return (0...(isFour ? 32 : 128)).contains(width)
    }
}
