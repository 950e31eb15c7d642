import Message

/// Kannel's addresses with escape codes, for reports (dlr-url) and messages (get-url). Source: Kannel's user's guide, "Delivery reports"
/// and "Parameters (Escape Codes)". Pure.
enum KannelCallback {
    /// The bit of dlr-mask that a report is: 1 delivered, 2 not delivered, 4 kept by the provider for later, 8 taken by the provider, 16
    /// not taken by it (refused, or ended before it was asked). Who asked for 2 and not for 16 hears of the latter as 2: that a message
    /// fails is always told.
    static func type(_ report: Report, mask: UInt32) -> UInt32 {
        switch report.status {
        case .delivered: 1
        case .submitted, .relayed: 8
        case .accepted, .routed, .queued, .buffered: 4
        default: report.smscid.isEmpty && mask & (2 | 16) != 2 ? 16 : 2
        }
    }

    /// Whether the client asked for such a report.
    static func isWanted(_ report: Report, mask: UInt32) -> Bool { mask == 0 || mask & type(report, mask: mask) != 0 }

    /// In a report the sender is the phone that the message went to, as Kannel has it.
    static func fill(_ url: String, _ message: ShortMessage) -> String {
        var result = ""
        var rest = url[...]
        while let percent = rest.firstIndex(of: "%") {
            result += rest[..<percent]
            rest = rest[rest.index(after: percent)...]
            guard let code = rest.first else {
                result += "%25"
                break
            }
            // What is escaped in the address already stays: `%20` is no code of Kannel's, all of which are letters.
            if let value = value(code, message) {
                result += escaped(value)
                rest = rest.dropFirst()
            } else {
                result += "%"
            }
        }
        return result + rest
    }

    private static func value(_ code: Character, _ message: ShortMessage) -> String? {
        let report = message.report
        let isReport = message.type == .deliveryReport
        let words = message.body.text.split(whereSeparator: \.isWhitespace)
        switch code {
        case "d": return String(isReport ? type(report, mask: message.reportCallback.mask) : 0)
        case "A": return isReport ? answer(report) : ""
        case "F": return isReport ? report.smscid : ""
        case "I": return String(isReport ? message.origMsgid : message.msgid)
        case "p": return number(message.source)
        case "P": return number(message.destination)
        case "q": return number(message.source, plus: "+")
        case "Q": return number(message.destination, plus: "+")
        case "i": return isReport ? report.connector : message.inConnector
        case "n", "o": return message.account
        case "t": return when(message)
        case "T": return String((isReport ? report.doneAt : message.times.accepted) / 1_000)
        case "a": return words.joined(separator: " ")
        case "b": return message.body.encoding == .binary ? String(decoding: message.body.data, as: UTF8.self) : message.body.text
        case "k": return words.first.map(String.init) ?? ""
        case "s": return words.dropFirst().first.map(String.init) ?? ""
        case "r": return words.dropFirst().joined(separator: " ")
        case "c": return message.body.encoding == .binary ? "1" : "0"
        case "C": return "UTF-8"
        case "u": return hexText(message.body.udh)
        case "%": return "%"
        default: return nil
        }
    }

    private static func number(_ address: Address, plus: String = "") -> String { (address.ton == 1 ? plus : "") + address.number }

    /// What a provider's receipt says, in the words of SMPP 3.4, Appendix B.
    private static func answer(_ report: Report) -> String {
        "stat:\(ReportWords.state(report.status)) err:\(report.error.isEmpty ? "000" : report.error)"
    }

    private static func when(_ message: ShortMessage) -> String {
        let time = message.type == .deliveryReport ? message.report.doneAt : message.times.accepted
        return String(Timestamp.text(time).prefix(19).map { $0 == "T" ? " " : $0 })
    }
}

/// States as receipts write them (SMPP 3.4, Appendix B).
enum ReportWords {
    static func state(_ status: Status) -> String {
        switch status {
        case .delivered, .relayed: "DELIVRD"
        case .expired: "EXPIRED"
        case .deleted: "DELETED"
        case .rejected: "REJECTD"
        case .accepted, .routed, .queued, .submitted, .buffered: "ACCEPTD"
        case .unknown: "UNKNOWN"
        default: "UNDELIV"
        }
    }
}
