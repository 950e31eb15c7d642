import Bus
import Foundation
import Message
import ServiceKit
import SwiftProtobuf
import Testing

@testable import Delay

/// Follows records from tier to tier with a clock of its own.
struct `Delay tiers` {
    static let choices: [(Int64, DelayTier)] = [
        (-5, .second), (0, .second), (999, .second), (1_000, .second), (9_999, .second), (10_000, .tenSeconds), (59_999, .tenSeconds),
        (60_000, .minute), (599_999, .minute), (600_000, .tenMinutes), (3_599_999, .tenMinutes), (3_600_000, .hour), (.max, .hour),
    ]

    @Test(arguments: choices)
    func `the longest tier that is not longer than what remains`(remaining: Int64, tier: DelayTier) {
        #expect(DelayTier.holding(forRemaining: remaining) == tier)
    }

    static let payload = OutgoingRecord(topic: "target", key: [1, 2], value: [3, 4, 5])

    static func read(_ record: OutgoingRecord, offset: Int64 = 0) -> Record {
        Record(topic: record.topic, partition: 0, offset: offset, key: record.key, value: record.value)
    }

    @Test func `what is due at once is not delayed`() {
        for due in [Int64.min, 0, 999, 1_000] {
            let record = DelayTier.delaying(Self.payload, until: due, now: 1_000, reason: "")
            #expect(record.topic == "target" && record.key == [1, 2] && record.value == [3, 4, 5])
        }
    }

    @Test func `it comes out as it went in, never early and at once when due, after the fewest tiers`() throws {
        var random = SystemRandomNumberGenerator()
        for round in 0..<500 {
            let start = Int64.random(in: 1...2_000_000_000_000, using: &random)
            let delay = Int64.random(in: 1...(round % 2 == 0 ? 20_000 : 200_000_000), using: &random)
            var now = start
            let transform = DelayTransform(now: { now })
            var record = DelayTier.delaying(Self.payload, until: start + delay, now: now, reason: "test")
            var hops = 0
            while record.topic != "target" {
                hops += 1
                try #require(hops < 100)
                let delayed = try Delayed(serializedBytes: record.value)
                #expect(delayed.leavesAt > now && delayed.leavesAt <= start + delay)
                #expect(delayed.dueAt == start + delay && delayed.reason == "test" && record.key == [1, 2])
                now = delayed.leavesAt - 1
                let early = try transform.process([Self.read(record)])
                #expect(early.records.isEmpty && early.postponed.values.first?.offset == 0)
                now = delayed.leavesAt
                let output = try transform.process([Self.read(record)])
                #expect(output.postponed.isEmpty)
                record = try #require(output.records.first)
            }
            #expect(now == start + delay)
            #expect(record.key == [1, 2] && record.value == [3, 4, 5])
        }
    }

    @Test func `a head that waits holds up its own partition only`() throws {
        let transform = DelayTransform(now: { 10_000 })
        func record(_ partition: Int32, _ offset: Int64, leaves: Int64) -> Record {
            var delayed = Delayed()
            delayed.dueAt = leaves
            delayed.leavesAt = leaves
            delayed.topic = "target"
            return Record(topic: DelayTier.second.topic, partition: partition, offset: offset, key: [], value: encode(delayed))
        }
        let output = try transform.process([
            record(0, 5, leaves: 9_000), record(0, 6, leaves: 10_300), record(0, 7, leaves: 9_000), record(1, 1, leaves: 10_000),
            record(1, 2, leaves: 10_001),
        ])
        #expect(output.records.count == 2)
        #expect(
            output.postponed == [
                TopicPartition(topic: DelayTier.second.topic, partition: 0): Postponement(offset: 6, wait: .milliseconds(300)),
                TopicPartition(topic: DelayTier.second.topic, partition: 1): Postponement(offset: 2, wait: .milliseconds(25)),
            ])
    }

    @Test func `a head that a wrong clock wrote begins anew instead of holding up the rest`() throws {
        var delayed = Delayed()
        delayed.dueAt = 900_000_000
        delayed.leavesAt = 900_000_000
        delayed.topic = "target"
        let record = OutgoingRecord(topic: DelayTier.second.topic, key: [], value: encode(delayed))
        let output = try DelayTransform(now: { 10_000 }).process([Self.read(record)])
        #expect(output.postponed.isEmpty)
        #expect(output.records.map(\.topic) == [DelayTier.hour.topic])
    }

    @Test(arguments: [[UInt8]([0xFF, 0xFF]), []]) func `what is no delayed record is refused`(value: [UInt8]) {
        let record = Record(topic: DelayTier.second.topic, partition: 0, offset: 0, key: [], value: value)
        #expect(throws: (any Error).self) { try DelayTransform(now: { 0 }).process([record]) }
    }
}
