import Configuration
import Message
import SMPP
import ServiceKit
import SwiftProtobuf
import Testing

@testable import Bus
@testable import Egress
@testable import EgressSMPP

struct `Retries after a passing error` {
    @Test(
        arguments: [
            (1, 0, RetryScheme.Decision.again(at: 101_000)), (2, 0, .again(at: 110_000)), (3, 0, .again(at: 160_000)), (4, 0, .failed),
            (0, 0, .failed), (.max, 0, .failed), (1, 101_001, .again(at: 101_000)), (1, 101_000, .expired), (2, 105_000, .expired),
            (4, 105_000, .failed),
        ] as [(UInt32, Int64, RetryScheme.Decision)])
    func `the scheme`(attempts: UInt32, expiresAt: Int64, decision: RetryScheme.Decision) {
        #expect(RetryScheme.decide(RetryPlan(), attempts: attempts, expiresAt: expiresAt, now: 100_000) == decision)
    }

    static func message(parts: [TakenPart] = []) -> ShortMessage {
        var message = ShortMessage()
        message.msgid = 7
        message.destination.number = "46701234567"
        message.takenParts = parts
        return message
    }

    static let refusal = Refusal(status: 8, text: "the provider refused it: ESME_RSYSERR", verdict: .retry)

    static let claim = Claim(partition: TopicPartition(topic: "sms.queue.a.priority", partition: 0), offset: 3, assignment: Assignment())

    @Test func `a message that is put off goes through a tier back into the lane it came from`() throws {
        let records = Outcome.putOff(
            Self.message(), takenParts: [], connector: "a", queue: Self.claim.topic, by: Self.refusal, plan: RetryPlan(), now: 100_000)
        #expect(records.map(\.topic) == [DelayTier.second.topic, Topics.events])
        let delayed = try Delayed(serializedBytes: records[0].value)
        #expect(delayed.topic == "sms.queue.a.priority" && delayed.dueAt == 101_000 && delayed.leavesAt == 101_000)
        #expect(try ShortMessage(serializedBytes: delayed.value).attempts == 1)
        #expect(try Event(serializedBytes: records[1].value).status == .unspecified)
    }

    @Test func `after the last attempt it has failed`() throws {
        var message = Self.message()
        message.attempts = 3
        let records = Outcome.putOff(message, takenParts: [], connector: "a", queue: "q", by: Self.refusal, plan: RetryPlan(), now: 100_000)
        let submission = try Submission(serializedBytes: try #require(records.first).value)
        #expect(records.count == 1 && records[0].topic == Topics.submitted)
        #expect(submission.status == .failed && submission.reason == 8 && submission.message.attempts == 4)
    }

    static func take(_ count: Int, _ queue: inout SubmitQueue<Int>) -> [SubmitQueue<Int>.Slot] {
        (0..<count).compactMap { _ in queue.next() }
    }

    // MARK: Messages of several parts

    @Test func `a message leaves when none of its parts is under way, and keeps what was taken`() throws {
        var queue = SubmitQueue<Int>()
        queue.append(claim: Self.claim, message: Self.message(), parts: [10, 11, 12, 13])
        let slots = Self.take(3, &queue)
        let leavesNow = queue.putOff(slots[1], by: Self.refusal)
        #expect(!leavesNow)
        // The fourth part is not sent any more, and one whose session ended is not given back.
        #expect(Self.take(1, &queue).isEmpty)
        let leaving = queue.giveBack([slots[2]])
        #expect(leaving.isEmpty)
        #expect(Self.take(1, &queue).isEmpty)
        guard case .putOff = queue.answered(slots[0], smscid: "a") else {
            Issue.record("it did not leave")
            return
        }
        #expect(slots[0].outgoing.smscids == ["a", nil, nil, nil])
        let (again, failed) = (queue.putOff(slots[1], by: Self.refusal), queue.fail(slots[0]))
        #expect(!again && !failed)
    }

    @Test func `a lost session lets it leave too`() throws {
        var queue = SubmitQueue<Int>()
        queue.append(claim: Self.claim, message: Self.message(), parts: [10, 11])
        let slots = Self.take(2, &queue)
        let leavesNow = queue.putOff(slots[0], by: Self.refusal)
        #expect(!leavesNow)
        let leaving = queue.giveBack([slots[1]])
        #expect(leaving.count == 1 && leaving.first === slots[0].outgoing)
    }

    @Test func `when it comes back only the missing parts are sent`() throws {
        var taken = TakenPart()
        taken.part = 1
        taken.smscid = ""
        var stray = TakenPart()
        stray.part = 9
        var queue = SubmitQueue<Int>()
        queue.append(claim: Self.claim, message: Self.message(parts: [taken, stray]), parts: [10, 11, 12])
        let slots = Self.take(2, &queue)
        #expect(slots.map(\.pdu) == [10, 12])
        #expect(Self.take(1, &queue).isEmpty)
        _ = queue.answered(slots[0], smscid: "x")
        guard case .taken(let ids) = queue.answered(slots[1], smscid: "z") else {
            Issue.record("it is not taken")
            return
        }
        #expect(ids == ["x", "", "z"])
    }
}
