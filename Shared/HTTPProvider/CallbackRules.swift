/// What a provider's word for a message's state means.
public enum ReportState: String, Sendable, CaseIterable {
    case delivered = "DELIVERED"
    case failed = "FAILED"
    case expired = "EXPIRED"
    case deleted = "DELETED"
    case undeliverable = "UNDELIVERABLE"
    case rejected = "REJECTED"
    case unknown = "UNKNOWN"
    /// Not the end: the provider goes on trying.
    case buffered = "BUFFERED"
    /// Says nothing that anybody waits for: answered, and dropped.
    case ignored = "IGNORED"
}

/// One report out of a provider's call.
public struct ProviderReport: Sendable, Equatable {
    /// The provider's id of the message; or ours in decimal, where it reports by that.
    public var id = ""
    public var state = ReportState.unknown
    public var error = ""
    public var text = ""
}

/// How calls of a provider are read that report on messages.
public struct CallbackRules: Sendable, Equatable {
    /// Reports in one call, at most.
    static let maxReports = 1_000
    private static let maxIDOctets = 255

    /// CALLBACK_LIST: a call tells of several messages, and the other values stand in each of its items.
    public var list: Extractor?
    /// CALLBACK_ID, or CALLBACK_MSGID: ours, as `${MSGID}` gave it to the provider.
    public var id: Extractor?
    public var messageID: Extractor?
    /// CALLBACK_STATUS
    public var status: Extractor
    /// CALLBACK_STATUSMAP
    public var states: StateMap
    /// CALLBACK_ERROR, CALLBACK_TEXT
    public var error: Extractor?
    public var text: Extractor?

    /// Reports name our own ids, so they are what a message is known by.
    public var areIDsOurs: Bool { messageID != nil }

    /// - Throws: where it is not said by which id, or a list is none.
    public init(
        list: Extractor? = nil, id: Extractor?, messageID: Extractor?, status: Extractor, states: StateMap = StateMap(),
        error: Extractor? = nil, text: Extractor? = nil
    ) throws(ProviderFault) {
        guard (id == nil) != (messageID == nil) else {
            throw ProviderFault("a report names its message by CALLBACK_ID or by CALLBACK_MSGID: one of the two")
        }
        if let list, !list.isList { throw ProviderFault("a list is found by json: or xml:, not \(list.text)") }
        self.list = list
        self.id = id
        self.messageID = messageID
        self.status = status
        self.states = states
        self.error = error
        self.text = text
    }

    /// - Returns: the reports in it, without those that are to be ignored.
    /// - Throws: what is missing in it or not understood; then nothing of it is taken.
    public func read(_ call: ReceivedDocument) throws(ProviderFault) -> [ProviderReport] {
        guard let list else { return try report(call).map { [$0] } ?? [] }
        let items = call.items(at: list)
        guard !items.isEmpty else { throw ProviderFault("nothing is found at \(list.text)") }
        guard items.count <= CallbackRules.maxReports else {
            throw ProviderFault("more than \(CallbackRules.maxReports) reports in one call")
        }
        var reports: [ProviderReport] = []
        for item in items { if let report = try report(item) { reports.append(report) } }
        return reports
    }

    private func report(_ document: ReceivedDocument) throws(ProviderFault) -> ProviderReport? {
        guard let word = status.value(in: document), !word.isEmpty else { throw ProviderFault("no status is found at \(status.text)") }
        guard let state = states.state(of: word) else {
            throw ProviderFault("the status \(AnswerRules.oneLine(String(word.prefix(40)))) is not in CALLBACK_STATUSMAP")
        }
        guard state != .ignored else { return nil }
        var report = ProviderReport()
        report.state = state
        if let found = id?.value(in: document), !found.isEmpty {
            guard found.utf8.count <= CallbackRules.maxIDOctets else { throw ProviderFault("the id is too long") }
            report.id = AnswerRules.oneLine(found)
        }
        if let found = messageID?.value(in: document), !found.isEmpty {
            guard let number = Int64(found), number > 0 else { throw ProviderFault("\(messageID?.text ?? "") holds no id of ours") }
            report.id = String(number)
        }
        guard !report.id.isEmpty else {
            throw ProviderFault("no id is found at \([id?.text, messageID?.text].compactMap { $0 }.joined(separator: " or "))")
        }
        report.error = AnswerRules.oneLine(String((error?.value(in: document) ?? "").prefix(100)))
        report.text = AnswerRules.oneLine(String((text?.value(in: document) ?? "").prefix(200)))
        return report
    }
}

/// Providers' words for states, and ours. Without a word about it those are known that providers commonly use.
public struct StateMap: Sendable, Equatable {
    private var own: [String: ReportState] = [:]
    private var others: ReportState?

    public init() {}

    /// `delivered=DELIVERED 1=DELIVERED failed=UNDELIVERABLE *=UNKNOWN`; a blank in a provider's word is written `_`.
    public init(_ text: String) throws(ProviderFault) {
        for pair in text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "\t" }) {
            guard let equals = pair.lastIndex(of: "="), equals != pair.startIndex,
                let state = ReportState(rawValue: pair[pair.index(after: equals)...].uppercased())
            else {
                let words = ReportState.allCases.map(\.rawValue).joined(separator: ", ")
                throw ProviderFault("a list of word=state, where a state is one of \(words), has no \(pair)")
            }
            let word = pair[..<equals].lowercased()
            if word == "*" { others = state } else { own[word] = state }
        }
    }

    public func state(of word: String) -> ReportState? {
        let word = String(word.lowercased().map { $0.isWhitespace ? "_" : $0 })
        return own[word] ?? StateMap.standard[word] ?? others
    }

    /// What SMPP's receipts call them (3.4, Appendix B) and the common words of HTTP APIs.
    private static let standard: [String: ReportState] = [
        "delivrd": .delivered, "delivered": .delivered, "expired": .expired, "deleted": .deleted, "canceled": .deleted,
        "cancelled": .deleted, "undeliv": .undeliverable, "undelivered": .undeliverable, "undeliverable": .undeliverable,
        "failed": .failed, "rejectd": .rejected, "rejected": .rejected, "unknown": .unknown, "buffered": .buffered, "enroute": .buffered,
        "acceptd": .buffered, "accepted": .buffered, "queued": .buffered, "pending": .buffered, "sent": .buffered, "submitted": .buffered,
    ]
}
