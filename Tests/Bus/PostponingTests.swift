import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Bus

/// Stages that say "not yet", over a broker's TCP connections.
@Suite(.serialized) struct `Stages that postpone` {
    /// Takes what its gate lets through; what it does not is postponed with everything behind it.
    final class Gated: StageTransform {
        let topic: String
        let isOpen: @Sendable (String) -> Bool
        init(topic: String, isOpen: @escaping @Sendable (String) -> Bool) {
            self.topic = topic
            self.isOpen = isOpen
        }
        func process(_ batch: [Record]) throws -> StageOutput {
            var output = StageOutput()
            for record in batch {
                let partition = TopicPartition(topic: record.topic, partition: record.partition)
                guard output.postponed[partition] == nil else { continue }
                if record.value == Array("poison".utf8) { throw `Stages against a broker`.Poison() }
                if isOpen(String(decoding: record.value, as: UTF8.self)) {
                    output.records.append(OutgoingRecord(topic: topic, partition: record.partition, key: record.key, value: record.value))
                } else {
                    output.postponed[partition] = Postponement(offset: record.offset, wait: .milliseconds(20))
                }
            }
            return output
        }
    }

    struct Setup {
        let run = String(UUID().uuidString.prefix(8))
        let configuration: BusConfiguration
        var input: String { "p-\(run)-in" }
        var output: String { "p-\(run)-out" }
        var dead: String { "p-\(run)-dead" }

        init() async throws {
            configuration = try await `Stages against a broker`.configuration("postpone-test")
            try Admin(configuration).create([input, output, dead].map { TopicSpecification(name: $0, partitions: 3) })
        }

        func write(_ values: [(partition: Int32, text: String)]) throws {
            let producer = try Producer(configuration) { _ in }
            for value in values {
                try producer.send(
                    OutgoingRecord(topic: input, partition: value.partition, key: [], value: Array(value.text.utf8)), token: 0)
            }
            producer.close()
        }

        func runner(instance: String = "one", maxBatch: Int = 50, isOpen: @escaping @Sendable (String) -> Bool) -> StageRunner {
            var settings = StageSettings(
                consumer: ConsumerSettings(group: "g-\(run)", topics: [input], instance: instance), transactionalID: "tx-\(run)-\(instance)"
            )
            settings.maxBatch = maxBatch
            let topic = output
            return StageRunner(configuration, settings: settings, environment: `Stages against a broker`.environment(dead: dead)) {
                Gated(topic: topic, isOpen: isOpen)
            }
        }

        func reader() throws -> Consumer {
            try Consumer(configuration, settings: ConsumerSettings(group: "r-\(run)", topics: [output, dead]))
        }
    }

    /// Reads until `count` records are there, then a moment more: what comes too much shows.
    static func read(_ reader: Consumer, _ count: Int) throws -> [String] {
        var seen: [String] = []
        let deadline = ContinuousClock.now + .seconds(60)
        while seen.count < count, ContinuousClock.now < deadline {
            seen += try reader.poll(max: 500, timeoutMilliseconds: 200).map { String(decoding: $0.value, as: UTF8.self) }
        }
        return seen
    }

    @Test func `a partition that waits holds up no other, and goes on in order when its time has come`() async throws {
        let setup = try await Setup()
        // More than one batch in the partition that waits.
        try setup.write((0..<200).map { (0, "a\($0)") } + (0..<200).map { (1, "b\($0)") })
        let open = Mutex(false)
        let runner = setup.runner { text in !text.hasPrefix("a") || text < "a1" || open.withLock { $0 } }
        startThread("stage") { runner.run() }
        defer { runner.stop() }
        let reader = try setup.reader()
        defer { reader.close() }
        let first = try Self.read(reader, 201)
        #expect(first.filter { $0.hasPrefix("b") } == (0..<200).map { "b\($0)" })
        #expect(first.filter { $0.hasPrefix("a") } == ["a0"])
        // Records that come while the partition waits come behind it.
        try setup.write((200..<250).map { (0, "a\($0)") } + [(1, "late")])
        #expect(try Self.read(reader, 1) == ["late"])
        open.withLock { $0 = true }
        #expect(try Self.read(reader, 249) == (1..<250).map { "a\($0)" })
    }

    @Test func `a poisoned record behind one that waits is judged in its turn`() async throws {
        let setup = try await Setup()
        try setup.write([(0, "wait"), (0, "poison"), (0, "c"), (1, "poison"), (1, "d")])
        let open = Mutex(false)
        let runner = setup.runner { text in text != "wait" || open.withLock { $0 } }
        startThread("stage") { runner.run() }
        defer { runner.stop() }
        let reader = try setup.reader()
        defer { reader.close() }
        #expect(try Set(Self.read(reader, 2)) == ["poison", "d"])
        open.withLock { $0 = true }
        #expect(try Self.read(reader, 3).sorted() == ["c", "poison", "wait"])
    }

    @Test func `what waits is taken over by another member, each record once`() async throws {
        let setup = try await Setup()
        try setup.write((0..<300).map { (Int32($0 % 3), "m\($0)") })
        let open = Mutex(false)
        let gate: @Sendable (String) -> Bool = { _ in open.withLock { $0 } }
        let one = setup.runner(instance: "one", isOpen: gate)
        let two = setup.runner(instance: "two", isOpen: gate)
        startThread("one") { one.run() }
        let reader = try setup.reader()
        defer { reader.close() }
        _ = try reader.poll(max: 1, timeoutMilliseconds: 1_500)
        // Partitions move while their records are held, and again when the first member goes.
        startThread("two") { two.run() }
        defer { two.stop() }
        _ = try reader.poll(max: 1, timeoutMilliseconds: 3_000)
        open.withLock { $0 = true }
        one.stop()
        let seen = try Self.read(reader, 300)
        #expect(seen.count == 300 && Set(seen).count == 300)
        #expect(try reader.poll(max: 500, timeoutMilliseconds: 1_000).isEmpty)
    }

    @Test func `lag counts records, not marks, and offsets are found by time`() async throws {
        let setup = try await Setup()
        let committed = BusMetrics.committed.current
        let before = Int64(Date().timeIntervalSince1970 * 1_000)
        try setup.write((0..<30).map { (Int32($0 % 3), "x\($0)") })
        let admin = try Admin(setup.configuration)
        let queue = GroupTopic(group: "lag-\(setup.run)", topic: setup.output)
        let runner = setup.runner { _ in true }
        startThread("stage") { runner.run() }
        let reader = try setup.reader()
        #expect(try Self.read(reader, 30).count == 30)
        reader.close()
        #expect(try admin.lags(of: [queue])[queue] == 30)
        // A stage that reads the transactional output to its end has no lag, although each transaction leaves a mark.
        var settings = StageSettings(
            consumer: ConsumerSettings(group: queue.group, topics: [queue.topic], instance: "lag"), transactionalID: "lag-\(setup.run)")
        settings.maxBatch = 7
        let done = Mutex(0)
        let environment = `Stages against a broker`.environment(dead: setup.dead)
        let drain = StageRunner(setup.configuration, settings: settings, environment: environment) {
            Counting { count in done.withLock { $0 += count } }
        }
        startThread("drain") { drain.run() }
        let deadline = ContinuousClock.now + .seconds(30)
        var lag: Int64? = -1
        while lag != 0, ContinuousClock.now < deadline { lag = try admin.lags(of: [queue])[queue] }
        #expect(lag == 0 && done.withLock { $0 } == 30)
        drain.stop()
        runner.stop()
        #expect(BusMetrics.committed.current > committed && BusMetrics.consumed.current >= 60 && BusMetrics.acknowledged.current >= 60)
        #expect(try admin.lags(of: [GroupTopic(group: "g", topic: "not-there")]).values.allSatisfy { $0 == 0 })

        #expect(try admin.offsets(topic: setup.input, at: before - 1_000) == [0: 0, 1: 0, 2: 0])
        #expect(try admin.offsets(topic: setup.input, at: before + 3_600_000) == [0: 10, 1: 10, 2: 10])
        #expect(throws: BusError.self) { try admin.offsets(topic: "not-there", at: 0) }
    }

    @Test func `a long queue's messages are estimated from its beginning, and an idle one has none`() async throws {
        let setup = try await Setup()
        let count = 900
        try setup.write((0..<count).map { (0, "x\($0)") })
        let runner = setup.runner(maxBatch: 3) { _ in true }
        startThread("stage") { runner.run() }
        let reader = try setup.reader()
        #expect(try Self.read(reader, count).count == count)
        reader.close()
        runner.stop()
        let queue = GroupTopic(group: "long-\(setup.run)", topic: setup.output)
        let lengths = try QueueLengths(setup.configuration)
        var offsets: Int64 = 0
        // Nobody wants to know: nothing is read, and the marks count.
        let rough = try lengths.lengths(of: [queue]) { seen in
            offsets = seen[queue] ?? 0
            return []
        }
        #expect(offsets >= Int64(count) * 5 / 4 && rough[queue] == offsets)
        let estimated = try #require(try lengths.lengths(of: [queue])[queue])
        #expect(abs(estimated - Int64(count)) < Int64(count) / 10)
        #expect(try lengths.lengths(of: [queue])[queue] == estimated, "what does not move is not read again")
        // The stage itself has read all there was; what its transactions left behind is no message.
        let done = GroupTopic(group: "g-\(setup.run)", topic: setup.input)
        let deadline = ContinuousClock.now + .seconds(30)
        while try lengths.lengths(of: [done])[done] != 0, ContinuousClock.now < deadline {}
        #expect(try lengths.lengths(of: [done])[done] == 0)
    }

    @Test(arguments: [(150, 200, 1_200, 900), (0, 200, 1_000, 1), (200, 200, 5_000, 5_000)] as [(Int64, Int, Int, Int64)])
    func `the share of the sample is taken for the whole`(records: Int64, sample: Int, offsets: Int, expected: Int64) {
        #expect(QueueLengths.estimate(records: records, among: sample, of: offsets) == expected)
    }

    final class Counting: StageTransform {
        let count: @Sendable (Int) -> Void
        init(_ count: @escaping @Sendable (Int) -> Void) { self.count = count }
        func process(_ batch: [Record]) throws -> StageOutput {
            let size = batch.count
            let count = count
            return StageOutput(afterCommit: { count(size) })
        }
    }
}
