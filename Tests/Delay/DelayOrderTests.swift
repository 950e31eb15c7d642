import Bus
import Message
import ServiceKit
import Store
import SwiftProtobuf
import Testing

@testable import Delay

struct `Orders for scheduled messages` {
    private static func scheduled(_ id: Int64) -> ShortMessage {
        var message = ShortMessage()
        message.msgid = id
        message.account = "one"
        message.inConnector = "in1"
        message.body.text = "old"
        message.scheduledAt = 10_000
        message.expiresAt = 90_000
        message.reportRequest = .final
        return message
    }

    /// Fires message 7 at 10,000 with what was ordered for it.
    private static func fire(_ order: MessageOrder?, now: Int64 = 10_000) throws -> [OutgoingRecord] {
        let record = OutgoingRecord(topic: Topics.due, key: "4670", value: encode(scheduled(7)))
        let delayed = DelayTier.delaying(record, until: 10_000, now: 9_500, reason: "scheduled")
        let transform = DelayTransform(
            now: { now },
            orders: {
                #expect($0 == [7]); return order.map { [7: $0] } ?? [:]
            }, reportID: { 99 })
        return try transform.process([
            Record(topic: delayed.topic, partition: 0, offset: 0, key: delayed.key, value: delayed.value)
        ]).records
    }

    @Test func `without one it goes on as it came`() throws {
        let records = try Self.fire(nil)
        #expect(records.count == 1 && records[0].topic == Topics.due && records[0].value == encode(Self.scheduled(7)))
    }

    @Test func `a cancelled one goes nowhere, and has its end`() throws {
        #expect(try Self.fire(MessageOrder(kind: .cancel, record: [], hasEnded: true)).isEmpty)
        let records = try Self.fire(MessageOrder(kind: .cancel, record: [], hasEnded: false))
        #expect(records.allSatisfy { $0.topic != Topics.due })
        let end = try Event(serializedBytes: try #require(records.first { $0.topic == Topics.events }).value)
        #expect(end.msgid == 7 && end.status == .deleted)
        let report = try ShortMessage(serializedBytes: try #require(records.first { $0.topic == Topics.queue("in1") }).value)
        #expect(report.msgid == 99 && report.origMsgid == 7 && report.report.status == .deleted)
    }

    @Test func `a replaced one has its new text and keeps what was not given`() throws {
        var new = ShortMessage()
        new.body.text = "new"
        new.parts = 2
        let records = try Self.fire(MessageOrder(kind: .replace, record: encode(new), hasEnded: false))
        let message = try ShortMessage(serializedBytes: try #require(records.first).value)
        #expect(records.count == 1 && records[0].topic == Topics.due)
        #expect(message.body.text == "new" && message.parts == 2 && message.expiresAt == 90_000 && message.msgid == 7)
        #expect(message.reportRequest == .none)
    }

    @Test func `one that was put off waits again`() throws {
        var new = ShortMessage()
        new.body.text = "new"
        new.scheduledAt = 30_000
        let records = try Self.fire(MessageOrder(kind: .replace, record: encode(new), hasEnded: false))
        let delayed = try Delayed(serializedBytes: try #require(records.first).value)
        #expect(records.count == 1 && delayed.dueAt == 30_000 && delayed.topic == Topics.due)
        #expect(try ShortMessage(serializedBytes: delayed.value).body.text == "new")
    }
}
