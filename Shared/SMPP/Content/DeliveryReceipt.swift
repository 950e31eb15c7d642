/// A delivery receipt: what Appendix B of SMPP 3.4 has in text, and what the optional parameters say better.
///
/// The text is "specific to the SMSC vendor". We read it in any order of fields, in any case, with any of them missing.
public struct DeliveryReceipt: Hashable, Sendable {
    /// The SMSC's id of the message, as written; nil when the receipt does not say.
    public var messageID: String?
    /// Nil when the receipt does not say, or in a word that no dialect known to us has (see `statWord`).
    public var state: MessageState?
    /// The `stat:` word as written.
    public var statWord: String?
    /// `err:` as written.
    public var error: String?
    public var networkErrorCode: NetworkErrorCode?
    /// `sub:` and `dlvrd:`.
    public var submitted: Int?
    public var delivered: Int?
    /// `submit date:` and `done date:` as written; see ``SMPPTime/parseReceiptDate(_:now:)``.
    public var submitDate: String?
    public var doneDate: String?
    /// The start of the message's text, octets as Latin-1.
    public var text: String?

    public init(
        messageID: String?, state: MessageState?, statWord: String? = nil, error: String? = nil,
        networkErrorCode: NetworkErrorCode? = nil, submitted: Int? = nil, delivered: Int? = nil, submitDate: String? = nil,
        doneDate: String? = nil, text: String? = nil
    ) {
        self.messageID = messageID
        self.state = state
        self.statWord = statWord ?? state?.statWord
        self.error = error
        self.networkErrorCode = networkErrorCode
        self.submitted = submitted
        self.delivered = delivered
        self.submitDate = submitDate
        self.doneDate = doneDate
        self.text = text
    }

    /// Reads a receipt's text. Nothing is required.
    public init(text: [UInt8]) {
        self.init(messageID: nil, state: nil)
        for (key, value) in Self.fields(text) {
            let word = latin1Text(value.prefix { $0 > 0x20 })
            let whole = latin1Text(value)
            switch key {
            case .id: self.messageID = self.messageID ?? (word.isEmpty ? nil : word)
            case .sub: self.submitted = self.submitted ?? Int(word)
            case .dlvrd: self.delivered = self.delivered ?? Int(word)
            case .submitDate: self.submitDate = self.submitDate ?? whole
            case .doneDate: self.doneDate = self.doneDate ?? whole
            case .stat:
                if self.statWord == nil, !word.isEmpty {
                    self.statWord = word
                    self.state = MessageState(statWord: word)
                }
            case .err: self.error = self.error ?? (word.isEmpty ? nil : word)
            case .text: self.text = self.text ?? whole
            }
        }
    }

    /// The receipt that a deliver_sm carries, or nil when its `esm_class` says that it is none and nothing else does.
    /// Optional parameters win over the text (§5.3.2.12, §5.3.2.35).
    public init?(_ deliverSm: DeliverSm) {
        let type = deliverSm.esmClass.messageType
        // Some SMSCs leave esm_class at zero and only add the parameters.
        let saysSo = type == 0x04 || type == 0x20 || (type == 0 && deliverSm.tlvs[.receiptedMessageID] != nil)
        guard saysSo else { return nil }
        self.init(text: Self.octets(deliverSm.userData, deliverSm.esmClass, deliverSm.dataCoding), tlvs: deliverSm.tlvs)
    }

    /// The receipt that a data_sm carries, by the same rules.
    public init?(_ dataSm: DataSm) { self.init(ShortMessagePDU(dataSm)) }

    /// Some SMSCs write the text in UCS-2, or put a header before it.
    private static func octets(_ userData: [UInt8], _ esmClass: ESMClass, _ dataCoding: DataCoding) -> [UInt8] {
        var octets = userData[...]
        if esmClass.hasUserDataHeader, let length = octets.first, octets.count > Int(length) { octets = octets.dropFirst(Int(length) + 1) }
        guard dataCoding == .ucs2, octets.count.isMultiple(of: 2) else { return Array(octets) }
        return stride(from: octets.startIndex, to: octets.endIndex, by: 2).map { octets[$0] == 0 ? octets[$0 + 1] : 0x3F }
    }

    private init(text: [UInt8], tlvs: TLVs) {
        self.init(text: text)
        if let id = tlvs.receiptedMessageID, !id.isEmpty { self.messageID = id }
        if let state = tlvs.messageState {
            self.state = state
            self.statWord = self.statWord ?? state.statWord
        }
        self.networkErrorCode = tlvs.networkErrorCode
    }

    /// The text of Appendix B; what is not known is left out, but for `id`, `stat` and `err`.
    public var encodedText: [UInt8] {
        var text = "id:" + (self.messageID ?? "")
        if let submitted { text += " sub:" + Self.three(submitted) }
        if let delivered { text += " dlvrd:" + Self.three(delivered) }
        if let submitDate { text += " submit date:" + submitDate }
        if let doneDate { text += " done date:" + doneDate }
        text += " stat:" + (self.statWord ?? MessageState.unknown.statWord ?? "")
        text += " err:" + (self.error ?? "000")
        if let start = self.text { text += " text:" + start }
        return text.unicodeScalars.map { UInt8(exactly: $0.value) ?? 0x3F }
    }

    private static func three(_ value: Int) -> String {
        let digits = String(min(999, max(0, value)))
        return String(repeating: "0", count: 3 - digits.utf8.count) + digits
    }

    // MARK: Fields

    private enum Key: CaseIterable {
        case id, sub, dlvrd, submitDate, doneDate, stat, err, text

        /// Lower-case spellings, longest first; a colon follows.
        var spellings: [[UInt8]] {
            let names: [String] =
                switch self {
                case .id: ["id"]
                case .sub: ["sub"]
                case .dlvrd: ["dlvrd", "dlvr"]
                case .submitDate: ["submit date", "submit_date", "submitdate"]
                case .doneDate: ["done date", "done_date", "donedate"]
                case .stat: ["status", "state", "stat"]
                case .err: ["error", "err"]
                case .text: ["text", "txt"]
                }
            return names.map { Array($0.utf8) }
        }
    }

    private static let spellings: [(key: Key, octets: [UInt8])] = Key.allCases.flatMap { key in key.spellings.map { (key, $0) } }

    /// The fields in their order. A value reaches to the next key; that of `text:` to the end once id and state are known,
    /// for the text may look like anything.
    private static func fields(_ octets: [UInt8]) -> [(Key, ArraySlice<UInt8>)] {
        var found: [(Key, ArraySlice<UInt8>)] = []
        var open: (key: Key, start: Int)?
        var index = 0
        var mayStart = true
        var (hasID, hasState) = (false, false)
        while index < octets.count {
            if mayStart, let (key, length) = self.key(octets, at: index) {
                if let open { found.append((open.key, self.trimmed(octets[open.start..<index]))) }
                open = (key, index + length)
                index += length
                hasID = hasID || key == .id
                hasState = hasState || key == .stat
                if key == .text, hasID, hasState { break }
                mayStart = true
                continue
            }
            // A key stands at the start or behind a character that is no part of a word.
            mayStart = !self.isWord(octets[index])
            index += 1
        }
        if let open { found.append((open.key, self.trimmed(octets[open.start...]))) }
        return found
    }

    private static func key(_ octets: [UInt8], at index: Int) -> (Key, Int)? {
        for (key, spelling) in self.spellings where octets.count - index > spelling.count {
            guard octets[index + spelling.count] == UInt8(ascii: ":") else { continue }
            if spelling.indices.allSatisfy({ spelling[$0] == self.lowercased(octets[index + $0]) }) { return (key, spelling.count + 1) }
        }
        return nil
    }

    private static func lowercased(_ octet: UInt8) -> UInt8 { (0x41...0x5A).contains(octet) ? octet | 0x20 : octet }

    private static func isWord(_ octet: UInt8) -> Bool {
        (0x30...0x39).contains(octet) || (0x61...0x7A).contains(octet | 0x20) || octet >= 0x80
    }

    private static func trimmed(_ octets: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var part = octets
        while let first = part.first, first <= 0x20 { part.removeFirst() }
        while let last = part.last, last <= 0x20 { part.removeLast() }
        // Some dialects put commas or semicolons between fields.
        while let last = part.last, last == 0x2C || last == 0x3B { part.removeLast() }
        return part
    }
}
