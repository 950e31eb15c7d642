package import Configuration
package import Message
import Pricing
package import Store

/// What an account's row says of each message that it hands in.
package enum AccountTerms {
    /// - Returns: what is to be taken from the account before the message is accepted; `nil` = nothing.
    package static func apply(
        _ account: Account, _ connector: ConnectorConfiguration, to message: inout ShortMessage
    ) -> ReservationStore.Request? {
        message.reportConnector = account.routeDLR ?? ""
        message.reportPerPart = account.reportsByPart
        guard let charge = connector.defaultCharge, account.chargeBalance != nil else { return nil }
        message.charge.mechanism = 2
        message.charge.chargeMicros = charge.micros
        message.charge.currency = account.currency
        return ReservationStore.Request(msgid: message.msgid, username: account.username, amount: charge)
    }
}
