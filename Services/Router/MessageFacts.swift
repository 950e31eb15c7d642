import Charset
import Message
import Routing

/// From a message to the question that is asked of the routing plan.
enum MessageFacts {
    /// - Parameter withContent: text and options too, where some route asks for them.
    static func query(_ message: ShortMessage, withContent: Bool, now: Int64) -> RouteQuery {
        // A message that comes back from a provider starts over with what its client wrote.
        let destination = message.hasClientDestination ? message.clientDestination.number : message.destination.number
        var query = RouteQuery(
            source: message.source.number, destination: destination, account: message.account, inConnector: message.inConnector,
            tried: message.triedConnectors, hops: Int(message.hops), share: share(message), now: now)
        if withContent {
            query.text = message.body.text
            query.options = message.options.map { RouteMatch.Option(name: $0.name, value: $0.value) }
        }
        return query
    }

    /// Parts of one long message have their sender's reference in common, other messages nothing.
    static func share(_ message: ShortMessage) -> UInt64 {
        guard !message.body.udh.isEmpty, let header = UserDataHeader.parse(Array(message.body.udh))?.header,
            let part = header.concatenation
        else { return RouteShare.message(message.msgid) }
        return RouteShare.part(
            account: message.account.isEmpty ? message.inConnector : message.account, source: message.source.number,
            destination: message.hasClientDestination ? message.clientDestination.number : message.destination.number,
            reference: part.reference, isWide: part.isWide)
    }

    /// A sender that an operator or a pool names: digits are international, anything else is a name (TON 1 and 5).
    static func address(_ text: String) -> Address {
        var address = Address()
        let digits = text.hasPrefix("+") ? String(text.dropFirst()) : text
        let isNumber = !digits.isEmpty && digits.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
        address.number = isNumber ? digits : text
        address.ton = isNumber ? 1 : 5
        address.npi = isNumber ? 1 : 0
        return address
    }
}
