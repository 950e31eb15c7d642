import Charset
import Message
import SMPPMessage

/// A message that is a part of a long one, as the table `message_part` has it.
struct StoredPart: Equatable {
    var msgid: Int64
    /// Which long message; see ``PartTicket/set``.
    var set: [UInt8]
    var number: Int
    var total: Int
    var message: ShortMessage
    /// Position of the record with which it went on; nil = it waits.
    var closedBy: String?
    /// The message that it went on in; nil = it waits or went on alone.
    var whole: Int64?
    /// How long it waits, in seconds; counts for a new one.
    var seconds = 0
    /// It is not in the table yet.
    var isNew = false
    /// It was closed just now.
    var isChanged = false

    func hasBody(of other: StoredPart) -> Bool {
        message.body.text == other.message.body.text && message.body.data == other.message.body.data
    }
}

/// What a message says of the long one that it is a part of.
struct PartTicket {
    /// Parts of one message have it in common: connector, account, addresses, reference, kind of numbering and total.
    var set: [UInt8]
    var number: Int
    var total: Int
    var seconds: Int

    /// - Returns: nil where the message is none, or is too large to be carried by a phone network, which no part is.
    init?(_ message: ShortMessage, seconds: Int) {
        guard message.type == .message, message.body.text.utf8.count + message.body.data.count <= Self.maximumOctets,
            let (key, number) = PartReader.part(of: message, origin: message.inConnector), (1...key.total).contains(number)
        else { return nil }
        let numbering =
            switch key.numbering {
            case .header8: "8"
            case .header16: "16"
            case .sar: "sar"
            }
        let words = [key.origin, message.account, key.source, key.destination, numbering, String(key.reference), String(key.total)]
        // With their lengths, so that no two lists of words read alike.
        set = words.flatMap { Array("\($0.utf8.count):\($0)".utf8) }
        self.number = Int(number)
        total = Int(key.total)
        self.seconds = seconds
    }

    /// UTF-8 or octets; 255 such parts stay below what a record may hold.
    private static let maximumOctets = 2_048
}

/// Decides over the parts of a batch, with what the table held when the batch began. Pure.
///
/// Each outcome belongs to one record of the batch, by its position, which is stored with the parts that it closed. The same
/// record, given again, finds them and has the same outcome; all other records of the same parts have none.
struct PartDesk {
    enum Outcome: Equatable {
        /// It goes on as it is.
        case goes
        /// It waits, or went on with another record.
        case held
        /// It was the last one: the whole goes on, and these parts end, which does not include the one whose id the whole has.
        case whole(ShortMessage, ended: [ShortMessage])
    }

    /// Parts of one set that may wait at a time: twice a longest message. One more goes on alone.
    static let maximumWaiting = 510

    private(set) var parts: [Int64: StoredPart] = [:]
    private var waiting: [[UInt8]: [Int64]] = [:]

    init(_ stored: [StoredPart]) {
        for part in stored {
            parts[part.msgid] = part
            if part.closedBy == nil { waiting[part.set, default: []].append(part.msgid) }
        }
    }

    /// - Parameter position: of the message's record.
    mutating func take(_ message: ShortMessage, _ ticket: PartTicket, position: String, now: Int64) -> Outcome {
        if message.joining == .givenUp { return release(message.msgid, position) }
        if let known = parts[message.msgid] {
            guard known.closedBy == position else { return .held }
            return again(known, position)
        }
        // One that has ended, or is to be sent later, is not for the others to wait with.
        guard message.expiresAt == 0 || message.expiresAt > now, message.scheduledAt <= now else { return .goes }
        guard waiting[ticket.set, default: []].count < Self.maximumWaiting else { return .goes }
        var part = StoredPart(msgid: message.msgid, set: ticket.set, number: ticket.number, total: ticket.total, message: message)
        part.seconds = ticket.seconds
        part.isNew = true
        parts[part.msgid] = part
        waiting[ticket.set, default: []].append(part.msgid)
        return complete(ticket, position)
    }

    /// Its time is up. It may have gone on meanwhile, or be told twice.
    private mutating func release(_ msgid: Int64, _ position: String) -> Outcome {
        guard let part = parts[msgid] else { return .held }
        if part.closedBy == nil {
            close(msgid, by: position, in: nil)
            waiting[part.set]?.removeAll { $0 == msgid }
            return .goes
        }
        return part.closedBy == position && part.whole == nil ? .goes : .held
    }

    private mutating func complete(_ ticket: PartTicket, _ position: String) -> Outcome {
        let candidates = waiting[ticket.set, default: []]
        guard candidates.count >= ticket.total else { return .held }
        guard let found = Self.whole(of: candidates.compactMap { parts[$0] }) else { return .held }
        for msgid in found.used { close(msgid, by: position, in: found.message.msgid) }
        waiting[ticket.set] = candidates.filter { !found.used.contains($0) }
        return outcome(found)
    }

    private func again(_ known: StoredPart, _ position: String) -> Outcome {
        let closed = parts.values.filter { $0.closedBy == position && $0.set == known.set && $0.whole == known.whole }
        guard known.whole != nil, let found = Self.whole(of: closed) else { return .held }
        return outcome(found)
    }

    private func outcome(_ found: (message: ShortMessage, used: Set<Int64>)) -> Outcome {
        .whole(found.message, ended: found.used.subtracting([found.message.msgid]).sorted().compactMap { parts[$0]?.message })
    }

    private mutating func close(_ msgid: Int64, by position: String, in whole: Int64?) {
        parts[msgid]?.closedBy = position
        parts[msgid]?.whole = whole
        parts[msgid]?.isChanged = true
    }

    /// The first that came of each number; and with them those that say the same again. One that says something else under the
    /// same number belongs to a later message with the same reference.
    /// - Returns: nil where a number is missing, or text and binary parts are mixed.
    private static func whole(of candidates: [StoredPart]) -> (message: ShortMessage, used: Set<Int64>)? {
        let ordered = candidates.sorted { $0.msgid < $1.msgid }
        var first: [Int: StoredPart] = [:]
        for part in ordered where first[part.number] == nil { first[part.number] = part }
        guard let total = ordered.first?.total, first.count == total,
            var whole = PartReader.join(first.values.sorted { $0.number < $1.number }.map(\.message))
        else { return nil }
        let used = ordered.filter { part in first[part.number].map { part.hasBody(of: $0) } ?? false }
        whole.parts = UInt32(clamping: (try? MessageWriter.parts(of: whole.body, reference: 0).count) ?? total)
        whole.joined = used.sorted { ($0.number, $0.msgid) < ($1.number, $1.msgid) }.map { JoinedPart($0.message) }
        whole.joining = .done
        whole.reportRequest = common(used.map(\.message.reportRequest))
        whole.intermediateReports = used.contains { $0.message.intermediateReports }
        whole.submissionReport = used.contains { $0.message.submissionReport }
        // Each part that came in hears once of the whole, into however many parts it is split again.
        whole.reportPerPart = false
        return (whole, Set(used.map(\.msgid)))
    }

    /// What is to be asked of the provider so that each can be told what it asked for.
    private static func common(_ requests: [ReportRequest]) -> ReportRequest {
        let asked = Set(requests.filter { $0 != .none })
        guard let only = asked.first else { return .none }
        return asked.count == 1 ? only : .final
    }
}

extension JoinedPart {
    init(_ message: ShortMessage) {
        self.init()
        msgid = message.msgid
        reportRequest = message.reportRequest
        intermediateReports = message.intermediateReports
        submissionReport = message.submissionReport
        clientReference = message.clientReference
    }
}
