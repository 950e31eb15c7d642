package import Message
package import SMPP
package import Store

/// What a client asks, or orders, about a message of its own: query_sm, cancel_sm, replace_sm.
package struct DeskRequest: Sendable {
    package enum Wish: Sendable {
        case query
        /// - Parameter destination: as in the original, where it is given.
        case cancel(destination: String)
        case replace(ReplaceSm)

        /// SMPP's status for "this cannot be done".
        package var failure: CommandStatus {
            switch self {
            case .query: .queryFailed
            case .cancel: .cancelFailed
            case .replace: .replaceFailed
            }
        }
    }

    package var wish: Wish
    package var msgid: Int64
    package var account: String
    /// As in the original, where it is given; nil = not compared, for the account's senders are forced.
    package var source: String?

    package init(wish: Wish, msgid: Int64, account: String, source: String? = nil) {
        self.wish = wish
        self.msgid = msgid
        self.account = account
        self.source = source
    }
}

/// What the client is told.
package enum DeskAnswer: Sendable, Equatable {
    /// To cancel_sm and replace_sm.
    case done
    case state(MessageState, finalDate: String, error: UInt8)
    case refused(CommandStatus)
}

/// What is to be done about a request. Pure.
package enum DeskDecision: Equatable {
    case answer(DeskAnswer)
    /// The log has no such message yet; it is so young that it may come.
    case askAgain
    /// It waits for its time: to be written, and then answered with `done`.
    case order(MessageOrder.Kind, due: Int64, replacement: ShortMessage?)
    /// It may be on its way to a provider: the owners of the queues are to be asked.
    case ask(MessageOrder.Kind, replacement: ShortMessage?)
}
