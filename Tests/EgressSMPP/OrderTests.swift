import Message
import ServiceKit
import Store
import Testing

@testable import Egress
@testable import EgressSMPP

/// What senders order of messages that wait.
@Suite struct OrderTests {
    static let claim = `Retries after a passing error`.claim

    static func filled(_ parts: [[Int]]) -> SubmitQueue<Int> {
        var queue = SubmitQueue<Int>()
        for (index, parts) in parts.enumerated() {
            var message = ShortMessage()
            message.msgid = Int64(index + 1)
            queue.append(claim: claim, message: message, parts: parts)
        }
        return queue
    }

    static func rest(_ queue: inout SubmitQueue<Int>) -> [Int] {
        var parts: [Int] = []
        while let slot = queue.next() { parts.append(slot.pdu) }
        return parts
    }

    @Test func `what is withheld is passed over and comes back to its place`() throws {
        var queue = Self.filled([[10], [20, 21], [30]])
        let middle = try #require(queue.outgoing(2))
        queue.withhold(middle)
        #expect(queue.count == 4)
        let first = queue.next()
        #expect(first?.pdu == 10)
        queue.release(middle)
        let parts = Self.rest(&queue)
        #expect(parts == [20, 21, 30])
    }

    @Test func `what is cancelled never comes out, and ends once`() throws {
        var queue = Self.filled([[10], [20]])
        let first = try #require(queue.outgoing(1))
        queue.withhold(first)
        let (ends, again) = (queue.end(first), queue.end(first))
        #expect(ends && !again && queue.outgoing(1) == nil)
        queue.release(first)
        let parts = Self.rest(&queue)
        #expect(parts == [20])
    }

    @Test(arguments: [false, true])
    func `what is replaced keeps its place, withheld or not`(isWithheld: Bool) throws {
        var queue = Self.filled([[10], [20], [30]])
        let old = try #require(queue.outgoing(2))
        if isWithheld { queue.withhold(old) }
        queue.replace(old, with: old.message, parts: [25, 26], by: 7)
        let new = try #require(queue.outgoing(2))
        #expect(new !== old && new.replacedBy == 7 && old.isSettled)
        queue.release(new)
        let parts = Self.rest(&queue)
        #expect(parts == [10, 25, 26, 30])
    }

    @Test func `only what nobody can have is untouched`() throws {
        var queue = Self.filled([[10, 11]])
        let message = try #require(queue.outgoing(1))
        #expect(message.isUntouched)
        let slots = [queue.next()].compactMap { $0 }
        #expect(!message.isUntouched)
        _ = queue.giveBack(slots)
        #expect(message.isUntouched)
        guard let again = queue.next() else {
            Issue.record("it did not come back")
            return
        }
        _ = queue.answered(again, smscid: "a")
        #expect(!message.isUntouched)
    }

    @Test func `what is withheld expires too`() throws {
        var queue = Self.filled([[10]])
        let message = try #require(queue.outgoing(1))
        message.message.expiresAt = 1_000
        queue.withhold(message)
        let expired = queue.expired(now: 1_000)
        #expect(expired.count == 1 && expired[0] === message && queue.outgoing(1) == nil)
    }

    @Test func `what ended is remembered until a while after its commit`() {
        var ended = EndedLately()
        ended.add([1, 2], number: 1, committed: 0, now: 0)
        ended.add([3], number: 2, committed: 0, now: 60_000)
        #expect(ended.contains(1) && ended.contains(3), "it is not committed")
        ended.add([4], number: 3, committed: 1, now: 61_000)
        #expect(!ended.contains(1) && ended.contains(3))
        ended.add([5], number: 4, committed: 4, now: 62_000)
        #expect(ended.contains(3), "its commit is young")
        ended.add([6], number: 5, committed: 5, now: 75_000)
        #expect(!ended.contains(3) && !ended.contains(5) && ended.contains(6))
    }

    @Test func `the book knows what stands, and forgets what is over`() {
        func order(_ id: Int64, _ msgid: Int64, _ kind: MessageOrder.Kind, _ state: QueueOrder.State) -> QueueOrder {
            QueueOrder(id: id, changed: id, msgid: msgid, kind: kind, state: state, record: kind == .replace ? [1] : [])
        }
        let book = QueueOrderBook()
        #expect(book.isEmpty)
        #expect(book.apply([order(1, 9, .replace, .asked), order(1, 9, .replace, .granted), order(2, 9, .cancel, .asked)]) == [9])
        var standing = book.standings(of: [9, 10])[9]
        #expect(standing?.replacement?.id == 1 && standing?.asked?.id == 2 && standing?.isCancelled == false && book.asked == [9: 2])
        // A cancellation that came too late leaves the replacement as it was.
        _ = book.apply([order(2, 9, .cancel, .refused)])
        standing = book.standings(of: [9])[9]
        #expect(standing?.replacement?.id == 1 && standing?.asked == nil && book.asked.isEmpty)
        _ = book.apply([order(3, 9, .cancel, .granted)])
        #expect(book.standings(of: [9])[9]?.isCancelled == true)
        _ = book.apply([order(3, 9, .cancel, .ended)])
        #expect(book.isEmpty && book.standings(of: [9]).isEmpty)
    }
}
