import Message
import Pricing

/// What a batch says of one message, ready to be merged into its row of `routelog`. `nil` says nothing.
///
/// Merging is commutative and idempotent: topics are read in no particular order among each other, and batches may repeat.
struct LogRow: Equatable {
    var msgid: Int64
    var type: Int64?
    var accepted: Int64?
    var inConnector: String?
    var outConnector: String?
    var source: String?
    var destination: String?
    var username: String?
    var status: Int64 = 0
    var reason: Int64?
    var reasonText: String?
    var ended: Int64?
    var note: String?
    var smscid: String?
    var reported: Int64?
    var parts: Int64?
    var buffered: Int64?
    var origMsgid: Int64?
    var charge: Money?
    var cost: Money?
    var chargePriceID: Int64?
    var costPriceID: Int64?
    var currency: String?
    /// Of several charges the one with the highest number counts; -1 = none is known.
    var chargeRevision: Int64 = -1
    var routed: Int64?
    var priced: Int64?
    var submitted: Int64?
    var answered: Int64?
    /// Body and options, known from the first record of a message, and from the one that says that it was joined of parts.
    var content: ShortMessage?

    init(msgid: Int64) { self.msgid = msgid }

    /// A message as it came in, or a report as it was made.
    mutating func add(_ message: ShortMessage) {
        type = Int64(message.type.rawValue)
        accepted = message.times.accepted
        inConnector = text(message.inConnector) ?? inConnector
        outConnector = text(message.outConnector) ?? outConnector
        source = message.source.number
        destination = message.destination.number
        username = text(message.account)
        if parts == nil, message.parts > 0 { parts = Int64(message.parts) }
        if message.origMsgid != 0 { origMsgid = message.origMsgid }
        add(message.charge)
        if message.type == .deliveryReport {
            smscid = text(message.report.smscid) ?? smscid
            reasonText = text(message.report.reasonText) ?? reasonText
            raise(.queued)
        } else {
            raise(.accepted)
        }
        if content?.joined.isEmpty ?? true { content = message }
    }

    mutating func add(_ submission: Submission) {
        let message = submission.message
        outConnector = text(submission.connector) ?? text(message.outConnector) ?? outConnector
        if !submission.smscids.isEmpty { smscid = submission.smscids.joined(separator: ",") }
        if submission.parts > 0 { parts = Int64(submission.parts) }
        ended = message.times.answered == 0 ? ended : message.times.answered
        add(message.times)
        add(message.charge)
        raise(submission.status)
        if submission.status.isEnd { reason = Int64(submission.reason) }
        reasonText = text(submission.reasonText) ?? reasonText
    }

    mutating func add(_ event: Event) {
        if event.hasMessage { add(event.message) }
        raise(event.status)
        if event.hasTimes { add(event.times) }
        if !event.connector.isEmpty, event.hasReport == false { outConnector = outConnector ?? event.connector }
        if event.reason != 0 { reason = Int64(event.reason) }
        reasonText = text(event.reasonText) ?? reasonText
        note = text(event.note) ?? note
        if event.hasCharge { add(event.charge) }
        if event.hasReport {
            if event.report.status.isEnd {
                reported = event.at
                if let code = Int64(event.report.error), code != 0 { reason = code }
                reasonText = text(event.report.reasonText) ?? reasonText
            } else {
                buffered = Int64(event.report.status.rawValue)
                raise(.buffered)
            }
        } else if event.status.isEnd {
            ended = event.at
        }
    }

    private mutating func add(_ news: Charge) {
        guard news.mechanism > 0, Int64(news.revision) > chargeRevision else { return }
        chargeRevision = Int64(news.revision)
        charge = Money(micros: news.chargeMicros)
        cost = Money(micros: news.costMicros)
        chargePriceID = number(news.chargePriceID) ?? chargePriceID
        costPriceID = number(news.costPriceID) ?? costPriceID
        currency = text(news.currency) ?? currency
    }

    private mutating func add(_ times: Times) {
        routed = number(times.routed) ?? routed
        priced = number(times.priced) ?? priced
        submitted = number(times.submitted) ?? submitted
        answered = number(times.answered) ?? answered
    }

    /// A later state never gives way to an earlier one, and the first end stays (the same rule as in the statement's merge).
    private mutating func raise(_ next: Status) {
        guard status < Int64(Status.relayed.rawValue) else { return }
        status = max(status, Int64(next.rawValue))
    }

    private func text(_ value: String) -> String? { value.isEmpty ? nil : value }
    private func number(_ value: Int64) -> Int64? { value == 0 ? nil : value }
}

extension Status {
    fileprivate var isEnd: Bool { rawValue >= Status.relayed.rawValue }
}
