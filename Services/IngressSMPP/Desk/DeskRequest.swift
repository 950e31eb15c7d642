import Message
import SMPP
import Store

/// What a client asks, or orders, about a message of its own: query_sm, cancel_sm, replace_sm.
struct DeskRequest: Sendable {
    enum Wish: Sendable {
        case query
        /// - Parameter destination: as in the original, where it is given.
        case cancel(destination: String)
        case replace(ReplaceSm)

        /// SMPP's status for "this cannot be done".
        var failure: CommandStatus {
            switch self {
            case .query: .queryFailed
            case .cancel: .cancelFailed
            case .replace: .replaceFailed
            }
        }
    }

    var wish: Wish
    var msgid: Int64
    var account: String
    /// As in the original, where it is given; nil = not compared, for the account's senders are forced.
    var source: String?
}

/// What the client is told.
enum DeskAnswer: Sendable, Equatable {
    /// To cancel_sm and replace_sm.
    case done
    case state(MessageState, finalDate: String, error: UInt8)
    case refused(CommandStatus)
}

/// What is to be done about a request. Pure.
enum DeskDecision: Equatable {
    case answer(DeskAnswer)
    /// The log has no such message yet; it is so young that it may come.
    case askAgain
    /// It waits for its time: to be written, and then answered with `done`.
    case order(MessageOrder.Kind, due: Int64, replacement: ShortMessage?)
    /// It may be on its way to a provider: the owners of the queues are to be asked.
    case ask(MessageOrder.Kind, replacement: ShortMessage?)
}
