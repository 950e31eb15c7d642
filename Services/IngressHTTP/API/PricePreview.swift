import Message
import Pricing
import Routing
import Store

/// What a message would cost if it were sent now: the router's and billing's decisions, over the same tables. Pure.
struct PricePreview: Equatable {
    var chargePerPart: Money?
    /// For all parts.
    var charge: Money?
    /// Why it would not be sent.
    var problem: String?

    init(_ message: ShortMessage, account: Account, connector: String, tariffs: Tariffs, now: Int64) {
        var query = RouteQuery(
            source: message.source.number, destination: message.destination.number, account: account.username, inConnector: connector,
            share: RouteShare.message(1), now: now)
        if tariffs.plan.usesContent {
            query.text = message.body.text
            query.options = message.options.map { RouteMatch.Option(name: $0.name, value: $0.value) }
        }
        switch tariffs.plan.decide(query) {
        case .refuse(let refusal): problem = "\(refusal)"
        case .go(let choice):
            guard
                let quote = tariffs.prices.quote(
                    destination: choice.destination, account: account.username, inConnector: connector,
                    outConnector: choice.connector, currency: account.currency, now: now)
            else {
                problem = "there is no price for it"
                return
            }
            chargePerPart = quote.charge
            charge = try? quote.charge.multiplied(by: Int(message.parts))
        }
    }
}
