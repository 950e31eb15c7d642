import Bus
import Testing

@testable import ServiceKit

@Suite struct `Limits of queues` {
    static let limits = QueueWatch.Limits(
        queues: [
            .init(name: "a", group: "egress-smpp.a", limit: 4), .init(name: "b", group: "egress-smpp.b", limit: 100),
            .init(name: "c", group: "egress-smpp.c", limit: nil),
        ])

    static func lengths(_ counts: [String: (Int64, Int64)]) -> [GroupTopic: Int64] {
        var lengths: [GroupTopic: Int64] = [:]
        for (name, count) in counts {
            lengths[GroupTopic(group: "egress-smpp.\(name)", topic: Topics.queue(name))] = count.0
            lengths[GroupTopic(group: "egress-smpp.\(name)", topic: Topics.priorityQueue(name))] = count.1
        }
        return lengths
    }

    @Test(
        arguments: [
            ("nothing waits", ["a": (0, 0), "b": (0, 0)], []), ("one less", ["a": (2, 1)], []), ("both lanes count", ["a": (2, 2)], ["a"]),
            ("one without a limit is never full", ["c": (9_999, 9_999)], []), ("both", ["a": (5, 0), "b": (0, 100)], ["a", "b"]),
        ] as [(String, [String: (Int64, Int64)], Set<String>)])
    func `are reached by both lanes together`(name: String, counts: [String: (Int64, Int64)], full: Set<String>) {
        #expect(QueueWatch.Finding(Self.limits, Self.lengths(counts)) == QueueWatch.Finding(full: full), "\(name)")
    }

    @Test func `are counted for only where the offsets reach them`() {
        // Four partitions of two lanes, each idle behind the mark of its last transaction: eight offsets and no message.
        let offsets = Self.lengths(["a": (4, 4), "b": (4, 4)])
        let wanted = QueueWatch.Finding.worthCounting(Self.limits, offsets)
        #expect(Set(wanted.map(\.group)) == ["egress-smpp.a"] && wanted.count == 2)
        var limits = Self.limits
        limits.total = 16
        #expect(QueueWatch.Finding.worthCounting(limits, offsets).count == 4, "of the total each is a part")
        #expect(QueueWatch.Finding(limits, offsets).isTotalFull)
        limits.total = 17
        #expect(!QueueWatch.Finding(limits, offsets).isTotalFull)
    }
}
