import Testing

@testable import Bus

@Suite("A topic that follows another") struct TopicAlignmentTests {
    private static let follower = TopicPartition(topic: "answers", partition: 3)
    private var alignment = TopicAlignment(leader: "questions", follower: "answers")

    private mutating func read(_ topic: String, offset: Int64, at time: Int64) {
        alignment.read(Record(topic: topic, partition: 3, offset: offset, key: [], value: [], timestamp: time))
    }

    private mutating func decided(end: Int64?) -> Set<TopicPartition> {
        alignment.decide { $0 == TopicPartition(topic: "questions", partition: 3) ? end : nil }
        return alignment.waiting
    }

    @Test mutating func `waits where it is ahead and much of the leader is unread, until the leader is well ahead`() {
        read("questions", offset: 99, at: 10_000)
        read("answers", offset: 7, at: 10_001)
        #expect(decided(end: 100 + TopicAlignment.slack + 1) == [Self.follower])
        read("questions", offset: 199, at: 10_001 + TopicAlignment.lead - 1)
        #expect(decided(end: 200 + TopicAlignment.slack + 1) == [Self.follower], "it would only stop again")
        read("questions", offset: 299, at: 10_001 + TopicAlignment.lead)
        #expect(decided(end: 300 + TopicAlignment.slack + 1).isEmpty)
        read("answers", offset: 8, at: 10_001 + TopicAlignment.lead)
        #expect(decided(end: 300 + TopicAlignment.slack + 1).isEmpty, "of the same time: what it refers to was written before")
    }

    @Test mutating func `does not wait where little is unread, and goes on as soon as little is`() {
        read("questions", offset: 99, at: 10_000)
        read("answers", offset: 7, at: 20_000)
        #expect(decided(end: 100 + TopicAlignment.slack).isEmpty)
        #expect(decided(end: 100 + TopicAlignment.slack + 1) == [Self.follower])
        #expect(decided(end: 100 + TopicAlignment.slack).isEmpty)
    }

    @Test mutating func `does not wait for what is not known`() {
        read("answers", offset: 7, at: 20_000)
        #expect(decided(end: 1_000_000).isEmpty, "nothing of the leader was read")
        read("questions", offset: 99, at: 10_000)
        #expect(decided(end: nil).isEmpty, "where it ends nobody has said")
    }

    @Test mutating func `goes on where nothing comes of the leader although it has not ended`() {
        read("questions", offset: 99, at: 10_000)
        read("answers", offset: 7, at: 20_000)
        #expect(decided(end: 10_000) == [Self.follower])
        alignment.nothingCame { _ in 10_000 }
        #expect(alignment.waiting.isEmpty)
        #expect(decided(end: 10_000 + TopicAlignment.slack).isEmpty)
        #expect(decided(end: 10_001 + TopicAlignment.slack) == [Self.follower])
    }

    @Test mutating func `what is revoked is forgotten`() {
        read("questions", offset: 99, at: 10_000)
        read("answers", offset: 7, at: 20_000)
        #expect(decided(end: 1_000_000) == [Self.follower])
        alignment.revoked([Self.follower])
        #expect(alignment.waiting.isEmpty)
        #expect(decided(end: 1_000_000).isEmpty)
    }
}
