import Bus
import Testing

@testable import ServiceKit

struct `Topics and counters` {
    @Test(arguments: [(1, nil), (2, nil), (3, "2"), (5, "4")] as [(Int, String?)])
    func `with three copies or more all but one must have a record`(replication: Int, minimum: String?) {
        var layout = Topics.Layout()
        layout.partitions = 6
        layout.replication = replication
        let topics = Topics.fixed(layout) + Topics.queues(of: "a", layout)
        #expect(topics.allSatisfy { $0.settings["min.insync.replicas"] == minimum && $0.replication == replication && $0.partitions == 6 })
        #expect(Set(topics.map(\.name)).count == topics.count)
        #expect(topics.contains { $0.name == "sms.delay.10m" } && topics.contains { $0.name == "sms.due" })
    }

    @Test(arguments: [
        ([:], 4, 1), (["SIGNALBOX_PARTITIONS": "12", "SIGNALBOX_REPLICATION": "3"], 12, 3), (["SIGNALBOX_PARTITIONS": "0"], 1, 1),
    ])
    func `counts come from the environment, within bounds`(variables: [String: String], partitions: Int, replication: Int) {
        let counts = TopicSetup.layout(variables)
        #expect(counts.partitions == partitions && counts.replication == replication)
    }

    @Test func `the bus's counters are among the metrics`() {
        let text = Metrics.text()
        for counter in BusMetrics.all { #expect(text.contains("# TYPE \(counter.name) counter\n\(counter.name) ")) }
        #expect(BusMetrics.all.allSatisfy { $0.name.hasSuffix("_total") })
    }
}
