import Bus
import Message
import ServiceKit
import Store
import SwiftProtobuf

/// Takes from the head of each partition what may leave its tier, and says when to come back for the rest.
final class DelayTransform: StageTransform {
    /// What leaves within this time leaves together, in one transaction.
    private static let shortestWaitMilliseconds: Int64 = 25
    /// The wall clock may be set while we wait: look at it now and then.
    private static let longestWaitMilliseconds: Int64 = 5_000

    /// A record that wants to stay this much longer than its tier holds was written by a clock that was wrong; it must not hold up
    /// the partition, so it begins anew.
    private static let toleratedMilliseconds: Int64 = 60_000
    private static let tiers = Dictionary(uniqueKeysWithValues: DelayTier.allCases.map { ($0.topic, $0) })

    private let now: () -> Int64
    private let orders: ([Int64]) throws -> [Int64: MessageOrder]
    private let reportID: () -> Int64

    /// - Parameters:
    ///   - orders: what the senders of these messages ordered; asked once per batch in which scheduled messages fire.
    ///   - reportID: an id for the report of a message that was cancelled.
    init(
        now: @escaping () -> Int64 = { wallClockMilliseconds() },
        orders: @escaping ([Int64]) throws -> [Int64: MessageOrder] = { _ in [:] },
        reportID: @escaping () -> Int64 = { 0 }
    ) {
        self.now = now
        self.orders = orders
        self.reportID = reportID
    }

    func process(_ batch: [Record]) throws -> StageOutput {
        let now = now()
        var output = StageOutput()
        var fired: [(record: OutgoingRecord, message: ShortMessage)] = []
        for record in batch {
            let partition = TopicPartition(topic: record.topic, partition: record.partition)
            // Behind a head that waits, all wait.
            guard output.postponed[partition] == nil else { continue }
            let delayed = try decode(Delayed.self, record)
            guard !delayed.topic.isEmpty else { throw ServiceError("\(record.position) names no topic to go to") }
            let longest = (DelayTransform.tiers[record.topic]?.milliseconds ?? 0) + DelayTransform.toleratedMilliseconds
            if delayed.leavesAt <= now || delayed.leavesAt - now > longest {
                let next = DelayTier.next(for: delayed, now: now)
                if next.topic == Topics.due, let message = try? ShortMessage(serializedBytes: next.value) {
                    fired.append((next, message))
                } else {
                    output.records.append(next)
                }
            } else {
                let remaining = min(delayed.leavesAt - now, DelayTransform.longestWaitMilliseconds)
                output.postponed[partition] = Postponement(
                    offset: record.offset, wait: .milliseconds(max(remaining, DelayTransform.shortestWaitMilliseconds)))
            }
        }
        if !fired.isEmpty {
            output.records += DelayOrders.apply(fired, try orders(fired.map(\.message.msgid)), now: now, reportID: reportID)
        }
        return output
    }
}
