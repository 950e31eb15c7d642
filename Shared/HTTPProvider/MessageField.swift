/// What a template may name of a message: EMG's option names where EMG has the option.
public enum MessageField: Hashable, Sendable {
    case sourceAddress, sourceTON, sourceNPI
    case destinationAddress, destinationTON, destinationNPI
    /// Text; hexadecimal where the body is binary.
    case message
    /// User data header, hexadecimal; empty without one.
    case userDataHeader
    /// 1 for a binary body, else 0.
    case isBinary
    /// The data_coding that the message came with.
    case dataCoding
    /// Ours, decimal.
    case messageID
    /// Seconds of validity that are left; empty without a limit.
    case validity
    /// The end of validity, `2026-01-31T12:00:00Z`; empty without one.
    case expires
    /// 1 where a report is awaited, else 0.
    case report
    case priority
    /// Parts that the message takes, and which of them this is, from 1.
    case parts, part
    /// The moment of sending: seconds since 1970, and `2026-01-31T12:00:00Z`.
    case timestamp, time
    /// Of the connector.
    case connector, username, password, token
    /// Any other option of the message, by its name.
    case option(String)

    /// The fixed names, in the order in which the documentation lists them.
    static let named: [(name: String, field: MessageField)] = [
        ("SOURCEADDR", .sourceAddress), ("SOURCEADDRTON", .sourceTON), ("SOURCEADDRNPI", .sourceNPI), ("DESTADDR", .destinationAddress),
        ("DESTADDRTON", .destinationTON), ("DESTADDRNPI", .destinationNPI), ("MESSAGE", .message), ("UDH", .userDataHeader),
        ("BINARY", .isBinary), ("DCS", .dataCoding), ("MSGID", .messageID), ("VP", .validity), ("EXPIRES", .expires), ("DLR", .report),
        ("PRIORITY", .priority), ("NPDUS", .parts), ("PART", .part), ("TIMESTAMP", .timestamp), ("TIME", .time), ("CONNECTOR", .connector),
        ("USERNAME", .username), ("PASSWORD", .password), ("TOKEN", .token),
    ]

    private static let byName = Dictionary(named.map { ($0.name, $0.field) }, uniquingKeysWith: { first, _ in first })

    init(name: some StringProtocol) throws(ProviderFault) {
        let name = name.uppercased()
        if name.hasPrefix("OPTION."), name.count > 7 {
            self = .option(String(name.dropFirst(7)))
        } else if let field = MessageField.byName[name] {
            self = field
        } else {
            let names = MessageField.named.map(\.name).joined(separator: ", ")
            throw ProviderFault("a message has no ${\(name)}; it has \(names) and OPTION.name")
        }
    }
}

/// A message, or a part of one, in the texts that templates take.
public struct MessageValues: Sendable {
    public struct Party: Sendable {
        public var number: String
        public var ton: UInt32
        public var npi: UInt32

        public init(number: String, ton: UInt32, npi: UInt32) {
            self.number = number
            self.ton = ton
            self.npi = npi
        }
    }

    public var source: Party
    public var destination: Party
    /// Text, or hexadecimal digits where `isBinary`.
    public var message = ""
    public var isBinary = false
    public var userDataHeader = ""
    public var dataCoding: UInt32 = 0
    public var messageID: Int64 = 0
    /// Milliseconds since 1970; 0 = none.
    public var expiresAt: Int64 = 0
    public var awaitsReport = false
    public var priority: UInt32 = 0
    public var parts = 1
    public var part = 1
    public var options: [String: String] = [:]
    /// Milliseconds since 1970.
    public var now: Int64 = 0

    public init(source: Party, destination: Party) {
        self.source = source
        self.destination = destination
    }

    func text(of field: MessageField, for account: ProviderAccount) -> String {
        switch field {
        case .sourceAddress: source.number
        case .sourceTON: String(source.ton)
        case .sourceNPI: String(source.npi)
        case .destinationAddress: destination.number
        case .destinationTON: String(destination.ton)
        case .destinationNPI: String(destination.npi)
        case .message: message
        case .userDataHeader: userDataHeader
        case .isBinary: isBinary ? "1" : "0"
        case .dataCoding: String(dataCoding)
        case .messageID: String(messageID)
        case .validity: expiresAt > 0 ? String(max(1, (expiresAt - now + 999) / 1_000)) : ""
        case .expires: expiresAt > 0 ? Calendar.utc(expiresAt) : ""
        case .report: awaitsReport ? "1" : "0"
        case .priority: String(priority)
        case .parts: String(parts)
        case .part: String(part)
        case .timestamp: String(now / 1_000)
        case .time: Calendar.utc(now)
        case .connector: account.connector
        case .username: account.username
        case .password: account.password
        case .token: account.token
        case .option(let name): options[name] ?? ""
        }
    }
}

/// What a provider knows us by.
public struct ProviderAccount: Sendable, Equatable {
    public var connector = ""
    public var username = ""
    public var password = ""
    public var token = ""

    public init() {}
}

/// Days and times of the Gregorian calendar without a time zone.
enum Calendar {
    /// `2026-01-31T12:00:00Z`. Source: the civil calendar's arithmetic (days from 0000-03-01), as in ISO 8601.
    static func utc(_ milliseconds: Int64) -> String {
        let seconds = Int64((Double(milliseconds) / 1_000).rounded(.down))
        let day = (seconds >= 0 ? seconds : seconds - 86_399) / 86_400
        let rest = seconds - day * 86_400
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let dayOfMonth = dayOfYear - (153 * month + 2) / 5 + 1
        let realMonth = month < 10 ? month + 3 : month - 9
        let year = yearOfEra + era * 400 + (realMonth <= 2 ? 1 : 0)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(realMonth))-\(two(dayOfMonth))T\(two(rest / 3_600)):\(two(rest / 60 % 60)):\(two(rest % 60))Z"
    }
}
