import Bus
import Database
import Message
import Routing
import ServiceKit

/// One decision per message, over the plan as it stands when the batch begins.
///
/// A batch that is processed again yields the same: decisions are drawn from the message, numbers of pools are found by its id,
/// parts of long messages by theirs.
final class RouterTransform: StageTransform {
    private static let tidyMilliseconds: Int64 = 60_000

    private let plan: () -> RoutingPlan
    private let live: () -> LiveState
    private let ids: SharedMessageIDs
    private let numbers: PoolNumbers
    private let parts: PartJoiner
    private var lastTidy: Int64 = 0

    init(
        plan: @escaping () -> RoutingPlan, live: @escaping () -> LiveState, ids: SharedMessageIDs,
        connect: @escaping () throws -> Connection
    ) {
        self.plan = plan
        self.live = live
        self.ids = ids
        numbers = PoolNumbers(connect: connect)
        parts = PartJoiner(connect: connect)
    }

    /// What becomes of one message.
    private enum Fate {
        case records([OutgoingRecord])
        case go(RouteChoice)
        case answers(PoolNumbers.Original)
    }

    func process(_ batch: [Record]) throws -> StageOutput {
        let plan = plan()
        let live = live()
        let now = wallClockMilliseconds()
        var output = StageOutput()
        let messages = try parts.joined(
            try batch.map { (try decode(ShortMessage.self, $0), $0.position) }, plan, now, records: &output.records)
        let originals = try answered(messages, plan)
        let withContent = plan.usesContent
        var fates: [Fate] = []
        fates.reserveCapacity(messages.count)
        for (index, message) in messages.enumerated() {
            fates.append(fate(of: message, originals[index], plan, live, withContent, now))
        }
        let senders = try replacedSenders(messages, fates, plan)
        output.records.reserveCapacity(batch.count)
        for (message, fate) in zip(messages, fates) {
            switch fate {
            case .records(let records): output.records += records
            case .answers(let original): output.records += deliverAnswer(message, original, plan, now)
            case .go(let choice) where choice.isDelivery: output.records += deliver(message, choice, now)
            case .go(var choice):
                if let pool = choice.pool {
                    guard let number = senders[message.msgid] else {
                        let text = plan.pools[pool] == nil ? "there is no pool \(pool)" : "no number of the pool \(pool) is free"
                        output.records += end(message, as: .rejected, text: text, now)
                        continue
                    }
                    choice.sentSource = number
                }
                output.records += send(message, choice, now)
            }
        }
        if plan.reassembles { output.records += try parts.givenUp(isUsed: true) }
        return output
    }

    func idle() throws -> StageOutput {
        let plan = plan()
        let output = StageOutput(records: try parts.givenUp(isUsed: plan.reassembles))
        let monotonic = monotonicMilliseconds()
        guard monotonic - lastTidy >= Self.tidyMilliseconds, !plan.pools.isEmpty else { return output }
        lastTidy = monotonic
        try numbers.tidy()
        return output
    }

    // MARK: Deciding

    private func fate(
        of message: ShortMessage, _ original: PoolNumbers.Original?, _ plan: RoutingPlan, _ live: LiveState, _ withContent: Bool,
        _ now: Int64
    ) -> Fate {
        if message.expiresAt != 0, message.expiresAt <= now {
            return .records(end(message, as: .expired, text: "validity period ended before routing", now))
        }
        if message.scheduledAt > now {
            if message.expiresAt != 0, message.expiresAt <= message.scheduledAt {
                return .records(end(message, as: .expired, text: "validity period ends before the scheduled time", now))
            }
            return .records(schedule(message, now))
        }
        let query = MessageFacts.query(message, withContent: withContent, now: now)
        if let original {
            if let why = plan.listed(query) { return .records(end(message, as: .rejected, text: why, now)) }
            return .answers(original)
        }
        switch plan.decide(query, live) {
        case .go(let choice): return .go(choice)
        case .refuse(let refusal): return .records(refuse(message, refusal, now))
        }
    }

    /// Where another provider refused it before, its word is the message's end, and not that we have no further one.
    private func refuse(_ message: ShortMessage, _ refusal: RouteRefusal, _ now: Int64) -> [OutgoingRecord] {
        guard message.hasLastRefusal, !message.refusalText.isEmpty, refusal == .exhausted || refusal == .noRoute else {
            return end(message, as: .rejected, text: refusal.description, now)
        }
        // Without a code nobody said no: there was no answer.
        return end(message, as: message.refusal == 0 ? .failed : .rejected, reason: message.refusal, text: message.refusalText, now)
    }

    // MARK: Pools

    private func answered(_ messages: [ShortMessage], _ plan: RoutingPlan) throws -> [Int: PoolNumbers.Original] {
        guard !plan.pools.isEmpty else { return [:] }
        var answers: [PoolNumbers.Answer] = []
        for (index, message) in messages.enumerated() where message.account.isEmpty {
            let number =
                message.destination.number.hasPrefix("+") ? String(message.destination.number.dropFirst()) : message.destination.number
            let pools = plan.pools(answeredTo: number, over: message.inConnector)
            guard !pools.isEmpty else { continue }
            answers.append(PoolNumbers.Answer(index: index, pools: pools, number: number, phone: message.source.number))
        }
        return try numbers.originals(of: answers)
    }

    private func replacedSenders(_ messages: [ShortMessage], _ fates: [Fate], _ plan: RoutingPlan) throws -> [Int64: String] {
        guard !plan.pools.isEmpty else { return [:] }
        var requests: [PoolNumbers.Request] = []
        for (message, fate) in zip(messages, fates) {
            guard case .go(let choice) = fate, let pool = choice.pool.flatMap({ plan.pools[$0] }) else { continue }
            requests.append(
                PoolNumbers.Request(
                    msgid: message.msgid, pool: pool, phone: pool.phoneKey(choice.destination), account: choice.account,
                    source: message.source, inConnector: message.inConnector,
                    quote: pool.quotesReplies && plan.accounts[choice.account]?.hidesTexts != true && !message.body.text.isEmpty
                        ? message.body.text : nil))
        }
        return try numbers.assign(requests)
    }

    // MARK: Outputs

    private func send(_ message: ShortMessage, _ choice: RouteChoice, _ now: Int64) -> [OutgoingRecord] {
        var routed = message
        routed.outConnector = choice.connector
        routed.routeID = choice.routeID
        routed.times.routed = now
        routed.account = choice.account
        if choice.destination != message.destination.number {
            if !message.hasClientDestination { routed.clientDestination = message.destination }
            routed.destination.number = choice.destination
        }
        routed.clearSendSource()
        routed.clearSendDestination()
        if let source = choice.sentSource { routed.sendSource = MessageFacts.address(source) }
        if let destination = choice.sentDestination {
            routed.sendDestination = message.destination
            routed.sendDestination.number = destination
        }
        if let connector = choice.reportConnector { routed.reportConnector = connector }
        if message.hasLastRefusal {
            // What was counted and taken at another provider says nothing here.
            routed.attempts = 0
            routed.takenParts = []
            routed.times.submitted = 0
            routed.times.answered = 0
        }
        let record = OutgoingRecord(topic: Topics.routed, key: choice.destination, value: encode(routed))
        return choice.notes.isEmpty ? [record] : [record, noted(message, choice.notes, now)]
    }

    /// To the clients of an account, by the way of delivery reports: no price is asked for what comes from phones.
    private func deliver(_ message: ShortMessage, _ choice: RouteChoice, _ now: Int64) -> [OutgoingRecord] {
        var delivered = message
        delivered.routeID = choice.routeID
        delivered.account = choice.account
        return delivery(delivered, logged: delivered, to: choice.connector, notes: choice.notes, now)
    }

    private func deliverAnswer(
        _ message: ShortMessage, _ original: PoolNumbers.Original, _ plan: RoutingPlan, _ now: Int64
    ) -> [OutgoingRecord] {
        let connector = plan.answerConnector(account: original.account, inConnector: original.inConnector)
        guard plan.connectors[connector]?.isOutgoing == false else {
            return end(message, as: .rejected, text: "no route: the connector \(connector) of the answered message is not there", now)
        }
        var logged = message
        logged.account = original.account
        logged.origMsgid = original.msgid
        var delivered = logged
        // The client hears its own sender's name, not the number that stood for it.
        delivered.destination = original.source
        if let quote = original.quote, message.body.encoding != .binary, message.body.udh.isEmpty {
            delivered.body.text = SourcePool.quoting(quote, in: message.body.text)
            // The phone's own coding need not have the quoted letters.
            delivered.body.encoding = .utf8
            delivered.body.dataCoding = 0
            delivered.parts = 0
        }
        return delivery(delivered, logged: logged, to: connector, notes: [], now)
    }

    private func delivery(
        _ message: ShortMessage, logged: ShortMessage, to connector: String, notes: [String], _ now: Int64
    ) -> [OutgoingRecord] {
        var delivered = message
        delivered.outConnector = connector
        delivered.times.routed = now
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.status = .queued
        event.times = delivered.times
        event.message = logged
        event.message.outConnector = connector
        event.note = notes.joined(separator: "; ")
        return [
            // One account's messages stay in order.
            OutgoingRecord(topic: Topics.queue(connector), key: message.account, value: encode(delivered)),
            OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event)),
        ]
    }

    private func noted(_ message: ShortMessage, _ notes: [String], _ now: Int64) -> OutgoingRecord {
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.status = .routed
        event.note = notes.joined(separator: "; ")
        return OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event))
    }

    /// A message that comes back from a provider ends like one that the provider refused for good: billing gives back its price.
    private func end(_ message: ShortMessage, as status: Status, reason: UInt32 = 0, text: String, _ now: Int64) -> [OutgoingRecord] {
        guard message.hasLastRefusal else {
            return Reports.end(message, as: status, reason: reason, text: text, at: now, reportID: ids.next(now: now))
        }
        var submission = Submission()
        submission.message = message
        submission.message.times.answered = now
        submission.connector = message.triedConnectors.last ?? ""
        submission.status = status
        submission.reason = reason
        submission.reasonText = text
        return [
            OutgoingRecord(
                topic: Topics.submitted, key: receiptKey(submission.connector, String(message.msgid)), value: encode(submission))
        ]
    }

    /// It waits as it came, and is neither routed nor priced before it is due: routes, prices and balances of that moment count.
    private func schedule(_ message: ShortMessage, _ now: Int64) -> [OutgoingRecord] {
        var event = Event()
        event.msgid = message.msgid
        event.at = now
        event.status = .accepted
        event.note = "scheduled for \(utcText(message.scheduledAt))"
        let record = OutgoingRecord(topic: Topics.due, key: message.destination.number, value: encode(message))
        return [
            DelayTier.delaying(record, until: message.scheduledAt, now: now, reason: "scheduled"),
            OutgoingRecord(topic: Topics.events, key: String(message.msgid), value: encode(event)),
        ]
    }
}

extension ShortMessage {
    /// An egress brought it back: its connector is not its way.
    fileprivate var hasLastRefusal: Bool { !triedConnectors.isEmpty }
}
