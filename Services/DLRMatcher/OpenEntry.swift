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

    var key: String { ProviderID.key(smscid) }

    /// - Parameter expirySeconds: DLREXPIRE of the connector; `nil` = the message's validity and a grace, or four days.
    static func entries(of submission: Submission, now: Int64, expirySeconds: Int?) -> [OpenEntry] {
        var message = submission.message
        message.clearBody()
        message.options = []
        let record = encode(message)
        let expires: Int64
        if let expirySeconds {
            expires = now + Int64(expirySeconds) * 1_000
        } else {
            expires = message.expiresAt > now ? message.expiresAt + grace : now + defaultLife
        }
        return submission.smscids.enumerated().map { index, smscid in
            OpenEntry(
                connector: submission.connector, smscid: smscid, msgid: message.msgid, part: Int64(index),
                parts: Int64(submission.smscids.count), record: record, expires: expires)
        }
    }
}

/// A provider's receipt with where it was read.
struct MatchReceipt {
    var receipt: Receipt
    /// `topic/partition/offset`: closes an entry once and for all.
    var source: String
    var bytes: [UInt8]
    /// The other notations of its id.
    var others: [String]
    /// They are configured, not guessed.
    var isNotationKnown: Bool

    init(receipt: Receipt, source: String, bytes: [UInt8], rules: ReportRules) {
        self.receipt = receipt
        self.source = source
        self.bytes = bytes
        let notation = rules.notation(receipt.connector)
        others = ProviderID.others(receipt.smscid, fromReceipt: true, notation: notation)
        isNotationKnown = notation != nil
    }

    var key: String { ProviderID.key(receipt.smscid) }

    /// Where its entry may stand. A report by our own id names no connector.
    var keys: [ReceiptKey] {
        receipt.msgid != 0 ? [] : ([key] + others).map { ReceiptKey(connector: receipt.connector, key: $0) }
    }
}

/// Connector and the provider's id as ``ProviderID/key(_:)`` has it.
struct ReceiptKey: Hashable {
    var connector: String
    var key: String
}

/// What is to be told about a message.
struct MatchedReport {
    var message: ShortMessage
    var report: Report
    /// When the (last) receipt reached us, in milliseconds since 1970.
    var receivedAt: Int64
    /// It is news for the log.
    var isNews = true
    /// It is to be told to the client, where the client wants to hear it.
    var isForClient = true
}
