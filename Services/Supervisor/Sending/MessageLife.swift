import Foundation
public import Pricing
import Store

/// One message's way through the gateway, as `signalbox send --wait` tells it.
public struct MessageLife: Encodable, Sendable {
    /// A step of it.
    public struct Step: Encodable, Sendable, Equatable {
        /// `accepted`, `routed`, `priced`, `submitted`, `delivered` or how else it ended.
        public var stage: String
        /// Milliseconds since 1970.
        public var at: Int64
        public var detail: String

        enum CodingKeys: String, CodingKey {
            case stage, detail
            case at = "at_ms"
        }
    }

    public var id: String
    public var destination: String
    /// `accepted` until more is known; lower case, as in the steps.
    public var state: String
    public var life: [Step]
    public var charge: Money?
    public var cost: Money?
    public var currency: String?
    public var smscid: String?

    enum CodingKeys: String, CodingKey {
        case id, destination, state, life, charge, currency, smscid
        case cost = "charge_cost"
    }

    /// A message that was accepted and of which no more is known yet.
    init(id: String, destination: String) {
        self.id = id
        self.destination = destination
        state = "accepted"
        life = []
    }

    init(_ story: MessageStory, destination: String) {
        let message = story.message
        id = String(message.msgid)
        self.destination = message.destination ?? destination
        state = LoggedMessage.statusName(message.status).lowercased()
        charge = message.charge
        cost = message.cost
        currency = message.currency
        smscid = message.smscid
        life = []
        func add(_ stage: String, _ at: Int64?, _ details: [String?]) {
            guard let at else { return }
            life.append(Step(stage: stage, at: at, detail: details.compactMap { $0 }.joined(separator: ", ")))
        }
        let money = { (amount: Money?, name: String) in amount.map { "\(name) \($0) \(message.currency ?? "")" } }
        add("accepted", message.acceptedAt, [message.inConnector.map { "on \($0)" }, message.account.map { "account \($0)" }])
        add("routed", message.routedAt, [message.outConnector.map { "to \($0)" }])
        add("priced", message.pricedAt, [money(message.charge, "charge"), money(message.cost, "cost")])
        add("submitted", message.submittedAt, [message.smscid.map { "the SMSC calls it \($0)" }])
        if Self.isEnd(message.status) {
            add(state, message.reportedAt ?? message.endedAt, [message.reasonText])
        }
    }

    /// EMG's final states, `docs/status.md`.
    private static func isEnd(_ status: Int64?) -> Bool { status.map { (10...17).contains($0) } ?? false }

    var isEnded: Bool { life.contains { $0.stage == state } && state != "accepted" && state != "submitted" }

    /// Lines for a terminal.
    public var text: String {
        var lines = ["message \(id) to \(destination): \(state)"]
        let start = life.first?.at ?? 0
        for (index, step) in life.enumerated() {
            let time = index == 0 ? Self.clock(step.at) : "+\(step.at - start) ms"
            lines.append("  " + Self.padded(step.stage, 14) + (step.detail.isEmpty ? time : Self.padded(time, 16) + step.detail))
        }
        return lines.joined(separator: "\n")
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func clock(_ milliseconds: Int64) -> String {
        let inDay = ((milliseconds % 86_400_000) + 86_400_000) % 86_400_000
        func digits(_ number: Int64, _ count: Int) -> String { String(String(number + 1_000).suffix(count)) }
        return
            "\(digits(inDay / 3_600_000, 2)):\(digits(inDay / 60_000 % 60, 2)):\(digits(inDay / 1_000 % 60, 2)).\(digits(inDay % 1_000, 3))"
    }
}
