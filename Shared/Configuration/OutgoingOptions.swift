/// What only a connector has that binds to a provider. Read by `OptionReader.outgoingOptions`; docs/smpp.md tells it to operators.
public struct OutgoingOptions: Sendable, Equatable {
    // MARK: Connecting

    /// Before each attempt to connect, the first included (WAITBEFORECONNECT); nil = at once, then a wait that doubles from 200 ms.
    public var waitBeforeConnectSeconds: Int?
    /// After so many failed attempts in a row comes the long sleep (MAXFAILEDCONNECTS); nil = never.
    public var maxFailedConnects: Int?
    /// The long sleep (MAXFAILEDSLEEP).
    public var maxFailedSleepSeconds = 60
    /// The address that we connect from (TCPSOURCEIP).
    public var sourceIP: String?
    /// The port that we connect from (TCPSOURCEPORT): of the first session; each further one takes the next.
    public var sourcePort: Int?
    public var tls: TLS?
    /// Where a provider's outbind is awaited (OUTBINDLISTEN).
    public var outbindListen: Endpoint?

    // MARK: The bind

    public var addressTON = 0
    public var addressNPI = 0
    public var addressRange = ""
    /// SMPP's interface_version: 0x33, 0x34 or 0x50 (INTERFACEVERSION).
    public var interfaceVersion: UInt8 = 0x34

    // MARK: Flow

    public var errorMap = ErrorMap()
    public var retries = RetryPlan()
    /// How long an answer to a submit is awaited (RESPONSETIMEOUT).
    public var responseTimeoutSeconds = 30
    /// What becomes of a submit that was not answered in time (ONTIMEOUT).
    public var onTimeout = OnTimeout.resend
    /// The greatest age of a message that has no validity period of its own, counted from its acceptance (VP); nil = none.
    public var validitySeconds: Int?

    // MARK: Ids

    public var messageIDs = MessageIDStyle.automatic
    /// Ids are compared by their last so many characters (DLRMINMATCHLENGTH); nil = whole.
    public var idMatchLength: Int?

    // MARK: What is written

    public var longMessages = LongMessages.udh8
    /// The provider's default alphabet, data_coding 0 (DEFAULT_CHARCODE_TEXT).
    public var defaultAlphabet = Alphabet.gsm
    /// data_coding of every text (FORCE_DCS).
    public var forcedDataCoding: UInt8?
    /// Where the message names none (SERVICETYPE).
    public var serviceType = ""
    public var disablesUCS2Downgrade = false
    public var enablesUCS2Upgrade = false
    /// Where the message has no source address.
    public var defaultSource: Source?
    /// In place of every source address.
    public var forcedSource: Source?

    // MARK: Set by an operator at run time, kept in the database only

    /// Sessions stay bound, nothing is sent.
    public var isHeld = false
    /// Rises with each order to leave all sessions and bind anew.
    public var bounces = 0

    public init() {}

    public struct TLS: Sendable, Equatable {
        public enum Verification: String, Sendable, CaseIterable {
            /// The certificate's chain and the host's name.
            case full = "FULL"
            /// The chain only.
            case chain = "CHAIN"
            /// Nothing: whoever sits between reads all.
            case none = "NONE"
        }
        public var verification = Verification.full
        /// PEM file of trusted authorities (SSL_CAFILE); nil = the system's.
        public var authoritiesFile: String?
        /// PEM file with our certificate and its key (SSL_KEYFILE); nil = we show none.
        public var keyFile: String?
        /// The name to verify and to send as SNI (SSL_SERVERNAME); nil = the host of ADDRESS.
        public var serverName: String?
        public init() {}
    }

    public enum OnTimeout: String, Sendable, CaseIterable {
        /// At once again over another session: the provider may get it twice.
        case resend = "RESEND"
        /// Later, as after a passing error.
        case retry = "RETRY"
        /// Over the next route.
        case failOver = "FAILOVER"
    }

    /// How the provider writes a message's id in its answer and in its receipt.
    public enum MessageIDStyle: Sendable, Equatable {
        /// Found out from what comes.
        case automatic
        case fixed(response: Spelling, receipt: Spelling)

        public enum Spelling: String, Sendable, CaseIterable {
            case text = "TEXT"
            case decimal = "DECIMAL"
            case hex = "HEX"
        }
    }

    public enum LongMessages: String, Sendable, CaseIterable {
        case udh8 = "UDH8"
        case udh16 = "UDH16"
        case sar = "SAR"
        case payload = "PAYLOAD"
        case reject = "REJECT"
    }

    public enum Alphabet: String, Sendable, CaseIterable {
        case gsm = "GSM"
        case latin1 = "LATIN1"
        case ascii = "ASCII"
        case utf8 = "UTF8"
        case ucs2 = "UCS2"
    }

    /// A source address; `ton` and `npi` nil = by the look of the number.
    public struct Source: Sendable, Equatable {
        public var number: String
        public var ton: Int?
        public var npi: Int?

        public init(number: String, ton: Int?, npi: Int?) {
            self.number = number
            self.ton = ton
            self.npi = npi
        }
    }
}

extension OutgoingOptions {
    /// The keywords of CONNECTOR that are read here.
    static let keywords = [
        "STATIC", "DLR_SUPPORT", "WAITBEFORECONNECT", "MAXFAILEDCONNECTS", "MAXFAILEDSLEEP", "TCPSOURCEIP", "TCPSOURCEPORT", "SSL",
        "SSL_KEYFILE", "SSL_CAFILE", "SSL_VERIFY", "SSL_SERVERNAME", "OUTBINDLISTEN", "ADDRTON", "ADDRNPI", "ADDRESSRANGE",
        "INTERFACEVERSION", "ERRORMAP", "RETRYSCHEME", "RETRYTIME", "MAXTRIES", "RESPONSETIMEOUT", "ONTIMEOUT", "VP", "SMSCIDFORMAT",
        "DLRMINMATCHLENGTH", "LONGMESSAGE", "DEFAULT_CHARCODE_TEXT", "FORCE_DCS", "SERVICETYPE", "DISABLE_UCS2_DOWNGRADE",
        "ENABLE_UCS2_UPGRADE", "DEFAULT_SOURCEADDR", "DEFAULT_SOURCEADDRTON", "DEFAULT_SOURCEADDRNPI", "FORCE_SOURCEADDR",
    ]
}

extension OptionReader {
    mutating func outgoingOptions(_ direction: ConnectorConfiguration.Direction?) -> OutgoingOptions {
        var options = OutgoingOptions()
        guard direction == .outgoing else { return options }
        options.waitBeforeConnectSeconds = integer("WAITBEFORECONNECT", 0...86_400)
        options.maxFailedConnects = integer("MAXFAILEDCONNECTS", 1...1_000_000)
        options.maxFailedSleepSeconds = integer("MAXFAILEDSLEEP", 1...86_400) ?? options.maxFailedSleepSeconds
        options.sourceIP = text("TCPSOURCEIP")
        options.sourcePort = integer("TCPSOURCEPORT", 1...65_535)
        options.tls = tlsOptions()
        if let listen = text("OUTBINDLISTEN") {
            options.outbindListen = Endpoint(listen, defaultPort: nil)
            if options.outbindListen == nil { fault("OUTBINDLISTEN", "OUTBINDLISTEN is host:port, not \(listen)") }
        }
        options.addressTON = integer("ADDRTON", 0...255) ?? 0
        options.addressNPI = integer("ADDRNPI", 0...255) ?? 0
        options.addressRange = text("ADDRESSRANGE") ?? ""
        if options.addressRange.utf8.count > 40 { fault("ADDRESSRANGE", "SMPP's address_range has at most 40 octets") }
        options.interfaceVersion = interfaceVersion()
        options.errorMap = errorMap()
        options.retries = retryPlan()
        options.responseTimeoutSeconds = integer("RESPONSETIMEOUT", 1...3_600) ?? options.responseTimeoutSeconds
        options.onTimeout = word("ONTIMEOUT") ?? options.onTimeout
        options.validitySeconds = integer("VP", 1...100_000_000)
        options.messageIDs = messageIDStyle()
        options.idMatchLength = integer("DLRMINMATCHLENGTH", 1...64)
        options.longMessages = word("LONGMESSAGE") ?? options.longMessages
        options.defaultAlphabet = word("DEFAULT_CHARCODE_TEXT") ?? options.defaultAlphabet
        options.forcedDataCoding = integer("FORCE_DCS", 0...255).flatMap { UInt8(exactly: $0) }
        options.serviceType = text("SERVICETYPE") ?? ""
        if options.serviceType.utf8.count > 5 { fault("SERVICETYPE", "SMPP's service_type has at most 5 octets") }
        options.disablesUCS2Downgrade = flag("DISABLE_UCS2_DOWNGRADE") ?? false
        options.enablesUCS2Upgrade = flag("ENABLE_UCS2_UPGRADE") ?? false
        let ton = integer("DEFAULT_SOURCEADDRTON", 0...255)
        let npi = integer("DEFAULT_SOURCEADDRNPI", 0...255)
        options.defaultSource = source("DEFAULT_SOURCEADDR", ton, npi)
        if options.defaultSource == nil, ton != nil || npi != nil {
            warn("DEFAULT_SOURCEADDRTON", "DEFAULT_SOURCEADDRTON and DEFAULT_SOURCEADDRNPI mean nothing without DEFAULT_SOURCEADDR")
        }
        options.forcedSource = source("FORCE_SOURCEADDR", nil, nil)
        return options
    }

    /// A value that is one of the words of `Value`, in any case.
    mutating func word<Value: RawRepresentable & CaseIterable>(_ key: String) -> Value? where Value.RawValue == String {
        guard let text = text(key) else { return nil }
        if let value = Value(rawValue: text.uppercased()) { return value }
        fault(key, "\(key) is one of \(Value.allCases.map(\.rawValue).joined(separator: ", ")), not \(text)")
        return nil
    }

    private mutating func tlsOptions() -> OutgoingOptions.TLS? {
        let isOn = flag("SSL") ?? isHTTPS
        var tls = OutgoingOptions.TLS()
        tls.verification = word("SSL_VERIFY") ?? tls.verification
        tls.authoritiesFile = text("SSL_CAFILE")
        tls.keyFile = text("SSL_KEYFILE")
        tls.serverName = text("SSL_SERVERNAME")
        if !isOn, tls != OutgoingOptions.TLS() { warn("SSL", "the options of SSL mean nothing without SSL") }
        return isOn ? tls : nil
    }

    private mutating func interfaceVersion() -> UInt8 {
        switch text("INTERFACEVERSION") {
        case nil, "3.4", "34", "0x34": return 0x34
        case "3.3", "33", "0x33": return 0x33
        case "5.0", "50", "0x50": return 0x50
        case let other?:
            fault("INTERFACEVERSION", "INTERFACEVERSION is 3.3, 3.4 or 5.0, not \(other)")
            return 0x34
        }
    }

    private mutating func source(_ key: String, _ ton: Int?, _ npi: Int?) -> OutgoingOptions.Source? {
        guard let number = text(key) else { return nil }
        if number.utf8.count > 20 { fault(key, "SMPP's source_addr has at most 20 octets") }
        return OutgoingOptions.Source(number: number, ton: ton, npi: npi)
    }

    /// With HEXID the matcher of receipts knows both spellings: here they stay as they are.
    private mutating func messageIDStyle() -> OutgoingOptions.MessageIDStyle {
        guard let text = text("SMSCIDFORMAT") else {
            return section.last("HEXID") == nil ? .automatic : .fixed(response: .text, receipt: .text)
        }
        if text.uppercased() == "AUTO" { return .automatic }
        let words = text.uppercased().split(separator: "/").map { OutgoingOptions.MessageIDStyle.Spelling(rawValue: String($0)) }
        if words.count == 1, let both = words[0] { return .fixed(response: both, receipt: both) }
        if words.count == 2, let response = words[0], let receipt = words[1] { return .fixed(response: response, receipt: receipt) }
        fault("SMSCIDFORMAT", "SMSCIDFORMAT is AUTO, TEXT, DECIMAL or HEX, or two of these as answer/receipt, not \(text)")
        return .automatic
    }
}
