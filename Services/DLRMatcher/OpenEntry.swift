import Message
import ServiceKit

/// A part of a message that a provider has taken and not yet reported on.
struct OpenEntry: Equatable {
    /// How long a provider may take where the message has no validity of its own: SMSCs keep a message for two or three days.
    private static let defaultLife: Int64 = 4 * 86_400_000
    /// What a provider gets on top of the validity to tell that it ended.
    private static let grace: Int64 = 3_600_000

    var connector: String
    var smscid: String
    var msgid: Int64
    var part: Int64
    var parts: Int64
    /// The message without its body: what a report needs.
    var record: [UInt8]
    /// Milliseconds since 1970.
    var expires: Int64

    static func entries(of submission: Submission, now: Int64) -> [OpenEntry] {
        var message = submission.message
        message.clearBody()
        message.options = []
        let record = encode(message)
        let expires = message.expiresAt > now ? message.expiresAt + grace : now + defaultLife
        // A provider may give several parts one id, and then reports on them together.
        var seen: Set<String> = []
        let distinct = submission.smscids.filter { seen.insert($0).inserted }
        return distinct.enumerated().map { index, smscid in
            OpenEntry(
                connector: submission.connector, smscid: smscid, msgid: message.msgid, part: Int64(index), parts: Int64(distinct.count),
                record: record, expires: expires)
        }
    }
}

/// A provider's receipt with where it was read.
struct MatchReceipt {
    var receipt: Receipt
    /// `topic/partition/offset`: closes an entry once and for all.
    var source: String
    var bytes: [UInt8]

    var key: ReceiptKey { ReceiptKey(connector: receipt.connector, smscid: receipt.smscid) }
}

struct ReceiptKey: Hashable {
    var connector: String
    var smscid: String
}

/// What is to be told about a message.
struct MatchedReport {
    var message: ShortMessage
    var report: Report
    /// When the (last) receipt reached us, in milliseconds since 1970.
    var receivedAt: Int64
}
