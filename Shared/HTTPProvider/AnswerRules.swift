/// What a provider's answer comes to.
public enum ProviderAnswer: Sendable, Equatable {
    /// It has the message. `id` is its own for it, where it gave one.
    case taken(id: String?)
    /// - Parameters:
    ///   - code: what the provider calls the error; else the HTTP status.
    ///   - text: for people.
    case refused(ProviderVerdict, code: String, text: String)
}

/// How answers of a provider are read.
public struct AnswerRules: Sendable, Equatable {
    /// Longest id and longest text that is kept of an answer.
    private static let maxIDOctets = 255
    private static let maxTextCharacters = 200

    /// HTTP_SUCCESS
    public var success: StatusSet
    /// HTTP_SUCCESSIF: all must hold too.
    public var conditions: [Condition] = []
    /// HTTP_ID
    public var id: Extractor?
    /// HTTP_ERROR, HTTP_ERRORTEXT
    public var code: Extractor?
    public var text: Extractor?
    /// ERRORMAP
    public var verdicts = VerdictMap()
    /// EMG's own answer is the message's id and nothing else.
    public var bodyMayBeID = false

    /// EMG's: only 200 means that it was delivered.
    public static let emg: AnswerRules = {
        var rules = AnswerRules(success: StatusSet(statuses: [200]))
        rules.bodyMayBeID = true
        return rules
    }()

    public static let standard = AnswerRules(success: StatusSet(classes: [2]))

    private init(success: StatusSet) { self.success = success }

    public func read(_ answer: ReceivedDocument) -> ProviderAnswer {
        if success.contains(answer.status), conditions.allSatisfy({ $0.holds(in: answer) }) {
            return .taken(id: id(in: answer))
        }
        let named = code?.value(in: answer) ?? ""
        var words = text?.value(in: answer) ?? ""
        if words.isEmpty, success.contains(answer.status), named.isEmpty { words = "the answer does not say that it was taken" }
        let shown = named.isEmpty ? String(answer.status) : named
        var told = "the provider answered \(answer.status)"
        if !named.isEmpty { told += ", error \(named.prefix(AnswerRules.maxTextCharacters))" }
        if !words.isEmpty { told += ": \(words.prefix(AnswerRules.maxTextCharacters))" }
        return .refused(verdicts.verdict(status: answer.status, code: named), code: shown, text: AnswerRules.oneLine(told))
    }

    private func id(in answer: ReceivedDocument) -> String? {
        let found: String?
        if let id {
            found = id.value(in: answer)
        } else if bodyMayBeID, answer.body.count <= 66 {
            let text = answer.text.split(whereSeparator: \.isWhitespace)
            found = text.count == 1 && text[0].utf8.allSatisfy(AnswerRules.isIDOctet) ? String(text[0]) : nil
        } else {
            found = nil
        }
        guard let found, !found.isEmpty, found.utf8.count <= AnswerRules.maxIDOctets else { return nil }
        return AnswerRules.oneLine(found)
    }

    private static func isIDOctet(_ octet: UInt8) -> Bool {
        switch octet {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."), UInt8(ascii: ":"): true
        default: false
        }
    }

    /// A provider's words go into logs and databases: no control characters, U+0000 least of all.
    static func oneLine(_ text: String) -> String {
        var clean = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { clean.append(scalar.value < 0x20 || scalar.value == 0x7F ? " " : scalar) }
        return String(clean)
    }
}
