/// A phone's message out of a provider's call.
public struct PhoneMessage: Sendable, Equatable {
    public enum Content: Sendable, Equatable {
        case text(String)
        case binary([UInt8])
    }

    /// The provider's, by which a call that comes twice is known; empty where it gives none.
    public var id = ""
    public var source = ""
    public var destination = ""
    public var content = Content.text("")
    /// With its length octet; empty without one.
    public var userDataHeader: [UInt8] = []

    public init() {}
}

/// How calls of a provider are read that bring messages from phones.
public struct MessageCallRules: Sendable, Equatable {
    /// What the parts are of which a reader is made; each named after its keyword.
    public struct Source: Sendable, Equatable {
        /// MO_LIST: a call brings several messages, and the other values stand in each of its items.
        public var list: Extractor?
        /// MO_ID
        public var id: Extractor?
        /// MO_SOURCEADDR
        public var source: Extractor
        /// MO_DESTADDR, and MO_DEFAULT_DESTADDR where a call names none.
        public var destination: Extractor?
        public var defaultDestination: String?
        /// MO_MESSAGE
        public var message: Extractor
        /// MO_UDH
        public var userDataHeader: Extractor?
        /// MO_BINARYIF: the message is binary, in hexadecimal.
        public var binary: Condition?
        /// MO_UCS2IF: the message is UCS-2, in hexadecimal.
        public var ucs2: Condition?
        /// MO_CHARSET, and MO_DEFAULT_CHARSET where a call names none: what a parameter's or the body's octets are of.
        public var charset: Extractor?
        public var defaultCharset = CallCharset.utf8

        public init(source: Extractor, message: Extractor) {
            self.source = source
            self.message = message
        }
    }

    /// Messages in one call, at most.
    static let maxMessages = 1_000
    private static let maxIDOctets = 255
    /// Of an address: as SMPP has it (3.4, 5.2.9, without its NUL), and a +.
    private static let maxAddressOctets = 21
    /// 255 parts of 134 octets.
    private static let maxMessageOctets = 34_170

    private let rules: Source

    /// - Throws: where nothing says whom messages are for, or a list is none.
    public init(_ rules: Source) throws(ProviderFault) {
        guard rules.destination != nil || rules.defaultDestination != nil else {
            throw ProviderFault("whom messages are for stands at MO_DESTADDR, or is MO_DEFAULT_DESTADDR")
        }
        if let list = rules.list, !list.isList { throw ProviderFault("a list is found by json: or xml:, not \(list.text)") }
        self.rules = rules
    }

    /// - Throws: what is missing in it or not understood; then nothing of it is taken.
    public func read(_ call: ReceivedDocument) throws(ProviderFault) -> [PhoneMessage] {
        guard let list = rules.list else { return [try message(call)] }
        let items = call.items(at: list)
        guard !items.isEmpty else { throw ProviderFault("nothing is found at \(list.text)") }
        guard items.count <= MessageCallRules.maxMessages else {
            throw ProviderFault("more than \(MessageCallRules.maxMessages) messages in one call")
        }
        var messages: [PhoneMessage] = []
        for item in items { messages.append(try message(item)) }
        return messages
    }

    private func message(_ document: ReceivedDocument) throws(ProviderFault) -> PhoneMessage {
        var message = PhoneMessage()
        message.source = try address(rules.source.value(in: document), "sender", rules.source)
        let destination = rules.destination?.value(in: document) ?? ""
        message.destination = try address(
            destination.isEmpty ? rules.defaultDestination : destination, "recipient", rules.destination ?? rules.source)
        if let id = rules.id {
            guard let found = id.value(in: document), !found.isEmpty else { throw ProviderFault("no id is found at \(id.text)") }
            guard found.utf8.count <= MessageCallRules.maxIDOctets else { throw ProviderFault("the id is too long") }
            message.id = AnswerRules.oneLine(found)
        }
        if let found = rules.userDataHeader?.value(in: document), !found.isEmpty {
            guard let octets = MessageCallRules.octets(hex: found), octets.count <= 140 else {
                throw ProviderFault("the user data header is no hexadecimal of at most 140 octets")
            }
            message.userDataHeader = octets
        }
        message.content = try content(document)
        return message
    }

    private func address(_ found: String?, _ what: String, _ place: Extractor) throws(ProviderFault) -> String {
        guard let found, !found.isEmpty else { throw ProviderFault("no \(what) is found at \(place.text)") }
        guard found.utf8.count <= MessageCallRules.maxAddressOctets, !found.contains(where: \.isNewline) else {
            throw ProviderFault("the \(what) has more than \(MessageCallRules.maxAddressOctets) octets")
        }
        return found
    }

    private func content(_ document: ReceivedDocument) throws(ProviderFault) -> PhoneMessage.Content {
        guard let octets = rules.message.octets(in: document) else { throw ProviderFault("no message is found at \(rules.message.text)") }
        guard octets.octets.count <= MessageCallRules.maxMessageOctets * 4 else { throw ProviderFault("the message is too long") }
        let isBinary = rules.binary?.holds(in: document) ?? false
        if isBinary || rules.ucs2?.holds(in: document) ?? false {
            guard let bare = MessageCallRules.octets(hex: String(decoding: octets.octets, as: UTF8.self)) else {
                throw ProviderFault("the message is \(isBinary ? "binary" : "UCS-2"), and no hexadecimal")
            }
            guard bare.count <= MessageCallRules.maxMessageOctets else { throw ProviderFault("the message is too long") }
            if isBinary { return .binary(bare) }
            guard let text = CallCharset.utf16.text(bare) else { throw ProviderFault("the message is no UCS-2") }
            return .text(text)
        }
        var charset = octets.isText ? .utf8 : rules.defaultCharset
        if !octets.isText, let name = rules.charset?.value(in: document), !name.isEmpty {
            guard let found = CallCharset(name: name) else {
                throw ProviderFault("the charset \(AnswerRules.oneLine(String(name.prefix(40)))) is not known here")
            }
            charset = found
        }
        guard let text = charset.text(octets.octets) else { throw ProviderFault("the message is no \(charset.rawValue)") }
        return .text(text)
    }

    static func octets(hex text: String) -> [UInt8]? {
        let digits = text.utf8.filter { $0 > 0x20 }
        guard digits.count % 2 == 0 else { return nil }
        var octets: [UInt8] = []
        octets.reserveCapacity(digits.count / 2)
        var high: UInt8?
        for digit in digits {
            guard let value = Character(UnicodeScalar(digit)).hexDigitValue else { return nil }
            if let first = high {
                octets.append(first << 4 | UInt8(truncatingIfNeeded: value))
                high = nil
            } else {
                high = UInt8(truncatingIfNeeded: value)
            }
        }
        return octets
    }
}

/// What the octets of a call's text are of.
public enum CallCharset: String, Sendable, CaseIterable {
    case utf8 = "UTF-8"
    case latin1 = "ISO-8859-1"
    /// The more significant octet first, as UCS-2 goes in SMS.
    case utf16 = "UTF-16BE"

    /// By the names that providers use, in any case.
    public init?(name: String) {
        switch name.uppercased().filter({ $0 != "-" && $0 != "_" }) {
        case "UTF8", "ASCII", "USASCII": self = .utf8
        case "LATIN1", "ISO88591": self = .latin1
        case "UTF16", "UTF16BE", "UCS2", "UCS2BE", "ISO10646UCS2": self = .utf16
        default: return nil
        }
    }

    /// - Returns: nil where they are none of it.
    func text(_ octets: [UInt8]) -> String? {
        switch self {
        case .utf8: return String(validating: octets, as: UTF8.self)
        case .latin1: return String(String.UnicodeScalarView(octets.map { UnicodeScalar($0) }))
        case .utf16:
            guard octets.count % 2 == 0 else { return nil }
            let units = stride(from: 0, to: octets.count, by: 2).map { UInt16(octets[$0]) << 8 | UInt16(octets[$0 + 1]) }
            return String(validating: units, as: UTF16.self)
        }
    }
}
