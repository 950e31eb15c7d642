import Charset
import Store

extension JSONWriter {
    /// What became of a message of a request.
    mutating func result(_ entry: SendRequest.Entry, _ result: SendResult) {
        object { writer in
            switch result {
            case .accepted(let msgid, let parts):
                writer.member("id", String(msgid))
                writer.member("status", "accepted")
                writer.member("to", entry.to)
                writer.member("parts", parts)
                if case .success(let draft) = entry.draft { writer.member("encoding", draft.encoding?.rawValue ?? "binary") }
            case .refused(let fault):
                writer.member("status", "refused")
                writer.member("to", entry.to)
                writer.name("problem")
                writer.object { $0.problem(fault) }
            }
            writer.member("reference", optional: entry.reference)
        }
    }

    /// A message as the log has it.
    mutating func message(_ message: LoggedMessage) {
        object { writer in
            writer.member("id", String(message.msgid))
            writer.member("status", APIStatus.word(message.status))
            writer.member("final", (message.status ?? 0) >= 10)
            writer.member("to", message.destination ?? "")
            writer.member("from", message.source ?? "")
            writer.member("parts", Int(message.parts ?? 0))
            writer.member("charge", nullable: message.charge.map { "\($0)" })
            writer.member("currency", optional: message.currency)
            if let reason = message.reason, reason != 0 { writer.member("error", String(reason)) }
            if let text = message.reasonText, !text.isEmpty { writer.member("error_text", text) }
            writer.member("accepted_at", nullable: message.acceptedAt.map { Timestamp.text($0) })
            writer.member("sent_at", nullable: message.answeredAt.map { Timestamp.text($0) })
            writer.member("done_at", nullable: (message.reportedAt ?? message.endedAt).map { Timestamp.text($0) })
        }
    }
}

/// A status in the API's words: those of docs/status.md in small letters.
enum APIStatus {
    static func word(_ status: Int64?) -> String {
        guard let status, (1...17).contains(status) else { return "unknown" }
        return LoggedMessage.statusName(status).lowercased()
    }
}
