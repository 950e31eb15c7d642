/// What a connector of either direction says of SMPP beyond the session itself. docs/smpp.md tells it to operators.
public struct SMPPOptions: Sendable, Equatable {
    /// esm_class, bits 1 and 0 (SMPP 3.4 §5.2.12), of what goes out.
    public enum MessageMode: UInt8, Sendable, CaseIterable {
        case standard = 0
        case datagram = 1
        case transaction = 2
        case storeAndForward = 3

        /// In any case, or the number.
        init?(_ word: String) {
            switch word.uppercased() {
            case "DEFAULT", "0": self = .standard
            case "DATAGRAM", "1": self = .datagram
            case "TRANSACTION", "FORWARD", "2": self = .transaction
            case "STORE", "STOREANDFORWARD", "3": self = .storeAndForward
            default: return nil
            }
        }
    }

    /// MESSAGEMODE.
    public var messageMode = MessageMode.standard
    /// NATIONALLANGUAGES: whose tables of 3GPP TS 23.038 may be used for texts that the default alphabet lacks characters for.
    public var nationalLanguages: [String] = []
    /// FORCE_DESTADDR: in place of every destination address.
    public var forcedDestination: String?
    /// USEPRIORITY: off, all messages are alike.
    public var usesPriority = true
    /// OUTBINDSYSTEMID, OUTBINDPASSWORD: what a provider must say in its outbind; nil = anything.
    public var outbindSystemID: String?
    public var outbindPassword: Secret?

    public init() {}

    /// 3GPP TS 23.038 Annex A.
    public static let languages = [
        "turkish", "spanish", "portuguese", "bengali", "gujarati", "hindi", "kannada", "malayalam", "oriya", "punjabi", "tamil", "telugu",
        "urdu",
    ]

    static let keywords = [
        "MESSAGEMODE", "NATIONALLANGUAGES", "FORCE_DESTADDR", "USEPRIORITY", "OUTBINDSYSTEMID", "OUTBINDPASSWORD", "USERS",
    ]
}

extension OptionReader {
    mutating func smppOptions(_ direction: ConnectorConfiguration.Direction?) -> SMPPOptions {
        var options = SMPPOptions()
        options.usesPriority = flag("USEPRIORITY") ?? true
        let outgoing = SMPPOptions.keywords.filter { $0 != "USEPRIORITY" && $0 != "USERS" }
        guard direction == .outgoing else {
            for key in outgoing where section.last(key) != nil { warn(key, "\(key) means nothing for an incoming connector") }
            return options
        }
        if section.last("USERS") != nil { warn("USERS", "USERS means nothing for an outgoing connector") }
        if let word = text("MESSAGEMODE") {
            if let mode = SMPPOptions.MessageMode(word) {
                options.messageMode = mode
            } else {
                fault("MESSAGEMODE", "MESSAGEMODE is DEFAULT, DATAGRAM, TRANSACTION or STORE, not \(word)")
            }
        }
        for word in (text("NATIONALLANGUAGES") ?? "").split(whereSeparator: { $0 == "," || $0.isWhitespace }) {
            let name = word.lowercased()
            if SMPPOptions.languages.contains(name) {
                if !options.nationalLanguages.contains(name) { options.nationalLanguages.append(name) }
            } else {
                fault("NATIONALLANGUAGES", "there are no tables for \(word), only for \(SMPPOptions.languages.joined(separator: ", "))")
            }
        }
        options.forcedDestination = text("FORCE_DESTADDR")
        if let number = options.forcedDestination, number.utf8.count > 20 {
            fault("FORCE_DESTADDR", "SMPP's destination_addr has at most 20 octets")
        }
        options.outbindSystemID = text("OUTBINDSYSTEMID")
        options.outbindPassword = text("OUTBINDPASSWORD").map { Secret($0) }
        if section.last("OUTBINDLISTEN") == nil {
            for key in ["OUTBINDSYSTEMID", "OUTBINDPASSWORD"] where section.last(key) != nil {
                warn(key, "\(key) means nothing without OUTBINDLISTEN")
            }
        }
        return options
    }
}
