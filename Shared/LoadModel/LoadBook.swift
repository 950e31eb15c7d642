/// The load generator's book: what was sent, what became of it, and when. Pure; times are nanoseconds of one monotonic clock, and 0
/// stands for "not yet".
///
/// Messages have numbers from 0 on. At the provider a message is known by its destination, `firstDestination + number`; in a report by the
/// id that the answer gave.
public struct LoadBook: Sendable {
    /// What makes a message finished.
    public enum Finish: Sendable { case report, arrival }

    public let firstDestination: UInt64
    public let finish: Finish
    /// In how many parts a message reaches the provider.
    public let parts: Int

    public private(set) var sentAt: [Int64] = []
    public private(set) var answeredAt: [Int64] = []
    /// When the provider first saw any of it.
    public private(set) var arrivedAt: [Int64] = []
    /// When the provider had all of it.
    public private(set) var completeAt: [Int64] = []
    public private(set) var reportedAt: [Int64] = []
    /// Parts seen at the provider, a bit each.
    private var seenParts: [UInt32] = []
    private var numbers: [UInt64: Int] = [:]
    /// Reports that came before the answer to their message was read.
    private var early: [UInt64: EarlyReport] = [:]

    private struct EarlyReport: Sendable {
        var destination: UInt64
        var isDelivered: Bool
        var at: Int64
        var repeats = 0
    }

    public private(set) var accepted = 0
    /// Refusals by command_status.
    public private(set) var refusals: [UInt32: Int] = [:]
    public private(set) var refused = 0
    /// Messages of which the provider has every part.
    public private(set) var complete = 0
    /// Messages whose first report came.
    public private(set) var reported = 0
    /// Parts that the provider took a second time.
    public private(set) var providerDuplicates = 0
    /// Submits that the provider refused.
    public private(set) var providerRefusals = 0
    public private(set) var duplicateReports = 0
    /// Reports that do not say DELIVRD.
    public private(set) var undelivered = 0
    /// Reports whose number is not the one that their message went to.
    public private(set) var mixedUp = 0
    /// Answers without an id that can be read, or with one that another message has.
    public private(set) var badIDs = 0
    /// Submits at the provider to a number that was not sent.
    public private(set) var strangers = 0

    /// Reports that may wait for the answer of their message; more are counted as of nobody.
    private static let mostEarly = 100_000
    private var reportsDropped = 0

    public init(firstDestination: UInt64, finish: Finish, parts: Int = 1) {
        self.firstDestination = firstDestination
        self.finish = finish
        self.parts = min(max(1, parts), 32)
    }

    public var sent: Int { sentAt.count }
    public var unanswered: Int { sent - accepted - refused }
    public var finished: Int { finish == .report ? reported : complete }
    /// Sent and neither refused nor finished.
    public var inFlight: Int { sent - refused - finished }
    /// Reports of messages that nobody sent.
    public var unknownReports: Int { early.count + reportsDropped }
    /// Rises with everything that happens.
    public var progress: Int { sent + accepted + refused + complete + reported }

    public func destination(of number: Int) -> UInt64 { firstDestination + UInt64(number) }

    // MARK: What happens

    /// - Returns: the new message's number.
    public mutating func send(at now: Int64) -> Int {
        sentAt.append(now)
        answeredAt.append(0)
        arrivedAt.append(0)
        completeAt.append(0)
        reportedAt.append(0)
        seenParts.append(0)
        return sentAt.count - 1
    }

    /// - Parameter id: as the answer gave it; nil where it cannot be read.
    public mutating func accept(_ number: Int, id: UInt64?, at now: Int64) {
        guard sentAt.indices.contains(number), answeredAt[number] == 0 else { return }
        answeredAt[number] = now
        accepted += 1
        guard let id, numbers.updateValue(number, forKey: id) == nil else {
            badIDs += 1
            return
        }
        guard let report = early.removeValue(forKey: id) else { return }
        note(number, destination: report.destination, isDelivered: report.isDelivered, at: report.at)
        duplicateReports += report.repeats
    }

    public mutating func refuse(_ number: Int, status: UInt32) {
        refused += 1
        refusals[status, default: 0] += 1
    }

    /// A delivery report came.
    /// - Parameter destination: of the message, by the report's source address; 0 where it is no number.
    public mutating func report(id: UInt64, destination: UInt64, isDelivered: Bool, at now: Int64) {
        if let number = numbers[id] { return note(number, destination: destination, isDelivered: isDelivered, at: now) }
        if early[id] != nil {
            early[id]?.repeats += 1
        } else if early.count < Self.mostEarly {
            early[id] = EarlyReport(destination: destination, isDelivered: isDelivered, at: now)
        } else {
            reportsDropped += 1
        }
    }

    /// A report without an id that can be read.
    public mutating func strangeReport() { reportsDropped += 1 }

    private mutating func note(_ number: Int, destination: UInt64, isDelivered: Bool, at now: Int64) {
        if destination != self.destination(of: number) { mixedUp += 1 }
        guard reportedAt[number] == 0 else {
            duplicateReports += 1
            return
        }
        reportedAt[number] = now
        reported += 1
        if !isDelivered { undelivered += 1 }
    }

    /// The provider noted a submit.
    public mutating func arrive(_ record: ArrivalRecord) {
        guard record.destination >= firstDestination, record.destination - firstDestination < UInt64(sent) else {
            strangers += 1
            return
        }
        let number = Int(record.destination - firstDestination)
        guard record.isTaken else {
            providerRefusals += 1
            return
        }
        let bit = UInt32(1) << UInt32((max(1, record.part) - 1) & 31)
        guard seenParts[number] & bit == 0 else {
            providerDuplicates += 1
            return
        }
        seenParts[number] |= bit
        let now = Int64(clamping: record.nanoseconds)
        if arrivedAt[number] == 0 { arrivedAt[number] = now }
        guard seenParts[number].nonzeroBitCount == parts else { return }
        completeAt[number] = now
        complete += 1
    }

    // MARK: What came of it

    /// Durations from sending to each of the three, over messages sent in `range`.
    public func latencies(sentIn range: Range<Int64>) -> (answer: LatencyHistogram, arrival: LatencyHistogram, report: LatencyHistogram) {
        var all = (answer: LatencyHistogram(), arrival: LatencyHistogram(), report: LatencyHistogram())
        for (number, start) in sentAt.enumerated() where range.contains(start) {
            if answeredAt[number] > 0 { all.answer.record(nanoseconds: answeredAt[number] - start) }
            if arrivedAt[number] > 0 { all.arrival.record(nanoseconds: arrivedAt[number] - start) }
            if reportedAt[number] > 0 { all.report.record(nanoseconds: reportedAt[number] - start) }
        }
        return all
    }

    /// How many messages were accepted, and how many finished, in a span of time.
    public func counts(in range: Range<Int64>) -> (accepted: Int, finished: Int) {
        let finishes = finish == .report ? reportedAt : completeAt
        var counts = (accepted: 0, finished: 0)
        for number in sentAt.indices {
            if answeredAt[number] > 0, range.contains(answeredAt[number]) { counts.accepted += 1 }
            if range.contains(finishes[number]) { counts.finished += 1 }
        }
        return counts
    }

    /// From the first arrival of a whole message at the provider to the last, and how many.
    public func arrivalSpan(after start: Int64) -> (first: Int64, last: Int64, count: Int)? {
        var span: (first: Int64, last: Int64, count: Int)?
        for time in completeAt where time >= start && time > 0 {
            guard let known = span else {
                span = (time, time, 1)
                continue
            }
            span = (min(known.first, time), max(known.last, time), known.count + 1)
        }
        return span
    }
}
