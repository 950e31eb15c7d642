import Bus
import Message
import ServiceKit

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

    init(now: @escaping () -> Int64 = { wallClockMilliseconds() }) { self.now = now }

    func process(_ batch: [Record]) throws -> StageOutput {
        let now = now()
        var output = StageOutput()
        for record in batch {
            let partition = TopicPartition(topic: record.topic, partition: record.partition)
            // Behind a head that waits, all wait.
            guard output.postponed[partition] == nil else { continue }
            let delayed = try decode(Delayed.self, record)
            guard !delayed.topic.isEmpty else { throw ServiceError("\(record.position) names no topic to go to") }
            let longest = (DelayTransform.tiers[record.topic]?.milliseconds ?? 0) + DelayTransform.toleratedMilliseconds
            if delayed.leavesAt <= now || delayed.leavesAt - now > longest {
                output.records.append(DelayTier.next(for: delayed, now: now))
            } else {
                let remaining = min(delayed.leavesAt - now, DelayTransform.longestWaitMilliseconds)
                output.postponed[partition] = Postponement(
                    offset: record.offset, wait: .milliseconds(max(remaining, DelayTransform.shortestWaitMilliseconds)))
            }
        }
        return output
    }
}
