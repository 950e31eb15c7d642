import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Bus

/// Runs against the broker that `SIGNALBOX_KAFKA` names, or a local one; each test has topics and groups of its own.
@Suite(.serialized) struct `Stages against a broker` {
    static func configuration(_ name: String) async throws -> BusConfiguration {
        BusConfiguration(bootstrap: try await TestBroker.address(), clientID: name, logger: Logger(label: name))
    }

    final class Upper: StageTransform {
        let topic: String
        init(topic: String) { self.topic = topic }
        func process(_ batch: [Record]) throws -> StageOutput {
            for record in batch where record.value.first == UInt8(ascii: "!") { throw Poison() }
            return StageOutput(
                records: batch.map {
                    OutgoingRecord(topic: topic, key: $0.key, value: Array(String(decoding: $0.value, as: UTF8.self).uppercased().utf8))
                })
        }
    }
    struct Poison: Error {}

    static func environment(dead: String) -> StageEnvironment {
        StageEnvironment(
            isTransient: { _ in false }, deadLetter: { record, _ in OutgoingRecord(topic: dead, key: record.key, value: record.value) },
            onState: { _ in })
    }

    @Test func `a stage transforms every record once, and a poisoned one goes to the dead letters`() async throws {
        let run = UUID().uuidString.prefix(8)
        let (input, output, dead) = ("t-\(run)-in", "t-\(run)-out", "t-\(run)-dead")
        let configuration = try await Self.configuration("stage-test")
        try? Admin(configuration).create(
            [input, output, dead].map { TopicSpecification(name: $0, partitions: 3) }, timeoutMilliseconds: 2_000)
        let settled = Mutex(0)
        let producer = try Producer(configuration) { deliveries in
            settled.withLock { $0 += deliveries.count { $0.error == nil } }
        }
        let count = 2_000
        for number in 0..<count {
            try producer.send(OutgoingRecord(topic: input, key: "k\(number % 17)", value: Array("a\(number)".utf8)), token: UInt(number))
        }
        try producer.send(OutgoingRecord(topic: input, key: "k", value: Array("!".utf8)), token: UInt(count))
        producer.close()
        #expect(settled.withLock { $0 } == count + 1)

        let settings = StageSettings(
            consumer: ConsumerSettings(group: "g-\(run)", topics: [input], instance: "one"), transactionalID: "tx-\(run)")
        let runner = StageRunner(configuration, settings: settings, environment: Self.environment(dead: dead)) { Upper(topic: output) }
        startThread("stage") { runner.run() }
        defer { runner.stop() }

        let consumer = try Consumer(configuration, settings: ConsumerSettings(group: "r-\(run)", topics: [output, dead]))
        defer { consumer.close() }
        var seen: [String: Int] = [:]
        let deadline = ContinuousClock.now + .seconds(60)
        while seen.count < count + 1, ContinuousClock.now < deadline {
            for record in try consumer.poll(max: 500, timeoutMilliseconds: 200) {
                seen[String(decoding: record.value, as: UTF8.self), default: 0] += 1
            }
        }
        #expect(seen.count == count + 1)
        #expect(seen.values.allSatisfy { $0 == 1 })
        #expect(seen["!"] == 1)
        #expect(seen["A1999"] == 1)
    }

    /// What it writes to is away, for a number of tries.
    final class Patient: StageTransform {
        struct Away: Error {}
        let topic: String
        let isAway: () -> Bool
        init(topic: String, isAway: @escaping () -> Bool) {
            self.topic = topic
            self.isAway = isAway
        }
        func process(_ batch: [Record]) throws -> StageOutput {
            if isAway() { throw Away() }
            return StageOutput(records: batch.map { OutgoingRecord(topic: topic, key: $0.key, value: $0.value) })
        }
    }

    @Test func `no record is dead because something was away for longer than the stage's patience`() async throws {
        let run = UUID().uuidString.prefix(8)
        let (input, output, dead) = ("p-\(run)-in", "p-\(run)-out", "p-\(run)-dead")
        let configuration = try await Self.configuration("patience-test")
        try? Admin(configuration).create(
            [input, output, dead].map { TopicSpecification(name: $0, partitions: 1) }, timeoutMilliseconds: 2_000)
        let producer = try Producer(configuration) { _ in }
        for number in 0..<20 { try producer.send(OutgoingRecord(topic: input, key: "k", value: Array("\(number)".utf8)), token: 0) }
        producer.close()

        var settings = StageSettings(
            consumer: ConsumerSettings(group: "pg-\(run)", topics: [input], instance: "one"), transactionalID: "ptx-\(run)")
        settings.patience = .milliseconds(100)
        var environment = Self.environment(dead: dead)
        environment.isTransient = { $0 is Patient.Away }
        let tries = Atomic<Int>(0)
        let runner = StageRunner(configuration, settings: settings, environment: environment) {
            Patient(topic: output, isAway: { tries.add(1, ordering: .relaxed).newValue <= 6 })
        }
        startThread("stage") { runner.run() }
        defer { runner.stop() }

        let consumer = try Consumer(configuration, settings: ConsumerSettings(group: "pr-\(run)", topics: [output, dead]))
        defer { consumer.close() }
        var seen: [String] = []
        let deadline = ContinuousClock.now + .seconds(60)
        while seen.count < 20, ContinuousClock.now < deadline {
            for record in try consumer.poll(max: 100, timeoutMilliseconds: 200) {
                #expect(record.topic == output)
                seen.append(String(decoding: record.value, as: UTF8.self))
            }
        }
        #expect(seen == (0..<20).map(String.init))
    }

    @Test func `a windowed stage hands out again only what was not completed`() async throws {
        let run = UUID().uuidString.prefix(8)
        let (input, output) = ("w-\(run)-in", "w-\(run)-out")
        let configuration = try await Self.configuration("window-test")
        try? Admin(configuration).create([input, output].map { TopicSpecification(name: $0, partitions: 2) }, timeoutMilliseconds: 2_000)
        let producer = try Producer(configuration) { _ in }
        let count = 500
        for number in 0..<count {
            try producer.send(OutgoingRecord(topic: input, key: "k\(number)", value: Array("\(number)".utf8)), token: 0)
        }
        producer.close()

        let handed = Mutex<[String: Int]>([:])
        let completed = Mutex<Set<String>>([])
        func drive(completing: @escaping @Sendable (Int) -> Bool, until: @escaping @Sendable () -> Bool) async {
            let settings = WindowedStage.Settings(
                consumer: ConsumerSettings(group: "wg-\(run)", topics: [input], instance: "one"), transactionalID: "wtx-\(run)")
            let box = Mutex<WindowedStage?>(nil)
            let stage = WindowedStage(configuration, settings: settings, onState: { _ in }) { claimed in
                var completions: [Completion] = []
                for item in claimed {
                    let text = String(decoding: item.record.value, as: UTF8.self)
                    handed.withLock { $0[text, default: 0] += 1 }
                    guard completing(Int(text) ?? 0) else { continue }
                    _ = completed.withLock { $0.insert(text) }
                    completions.append(
                        Completion(
                            claim: item.claim, outputs: [OutgoingRecord(topic: output, key: item.record.key, value: item.record.value)]))
                }
                let finished = completions
                box.withLock { $0 }?.complete(finished)
            }
            box.withLock { $0 = stage }
            await withCheckedContinuation { continuation in
                startThread("window") {
                    stage.run()
                    continuation.resume()
                }
                startThread("watch") {
                    let deadline = ContinuousClock.now + .seconds(60)
                    while !until(), ContinuousClock.now < deadline { usleep(20_000) }
                    stage.stop()
                }
            }
        }
        // The first run leaves every third record open; the second finishes.
        await drive(completing: { $0 % 3 != 0 }, until: { handed.withLock { $0.count } == count })
        let again = handed.withLock { handed in
            handed.removeAll()
            return completed.withLock { $0 }
        }
        await drive(completing: { _ in true }, until: { completed.withLock { $0.count } == count })
        let second = handed.withLock { $0 }
        #expect(again.count == count - (count + 2) / 3)
        #expect(second.count == (count + 2) / 3)
        #expect(Set(second.keys).isDisjoint(with: again))

        let consumer = try Consumer(configuration, settings: ConsumerSettings(group: "wr-\(run)", topics: [output]))
        defer { consumer.close() }
        var seen: [String: Int] = [:]
        let deadline = ContinuousClock.now + .seconds(30)
        while seen.count < count, ContinuousClock.now < deadline {
            for record in try consumer.poll(max: 500, timeoutMilliseconds: 200) {
                seen[String(decoding: record.value, as: UTF8.self), default: 0] += 1
            }
        }
        #expect(seen.count == count)
        #expect(seen.values.allSatisfy { $0 == 1 })
    }

    /// One that takes over gets what was not begun, and nothing of what was: that is answered and recorded before the partition goes.
    @Test func `a partition goes to another instance when what was begun is answered`() async throws {
        let run = UUID().uuidString.prefix(8)
        let input = "l-\(run)"
        let configuration = try await Self.configuration("leaving-test")
        try? Admin(configuration).create([TopicSpecification(name: input, partitions: 4)], timeoutMilliseconds: 2_000)
        let producer = try Producer(configuration) { _ in }
        let count = 200
        for number in 0..<count {
            try producer.send(OutgoingRecord(topic: input, key: "k\(number)", value: Array("\(number)".utf8)), token: 0)
        }
        producer.close()

        func settings(_ instance: String) -> WindowedStage.Settings {
            WindowedStage.Settings(
                consumer: ConsumerSettings(group: "lg-\(run)", topics: [input], instance: instance),
                transactionalID: "ltx-\(run)-\(instance)")
        }
        // The first begins every second record and answers when it is asked for the fifth time whether it waits for something.
        let handed = Mutex<[(Claim, String)]>([])
        let answered = Mutex<Set<String>>([])
        let asked = Atomic<Int>(0)
        let box = Mutex<WindowedStage?>(nil)
        let first = WindowedStage(
            configuration, settings: settings("one"), onState: { _ in },
            hasBegun: {
                let begun = handed.withLock { handed in handed.filter { $0.0.isLeaving && Int($0.1).map { $0 % 2 == 0 } ?? false } }
                guard asked.wrappingAdd(1, ordering: .relaxed).newValue >= 5, !begun.isEmpty else { return !begun.isEmpty }
                handed.withLock { handed in handed.removeAll { one in begun.contains { $0.1 == one.1 } } }
                answered.withLock { $0.formUnion(begun.map(\.1)) }
                box.withLock { $0 }?.complete(begun.map { Completion(claim: $0.0, outputs: []) })
                return false
            },
            onRecords: { claimed in
                handed.withLock { $0 += claimed.map { ($0.claim, String(decoding: $0.record.value, as: UTF8.self)) } }
            })
        box.withLock { $0 = first }
        let taken = Mutex<Set<String>>([])
        let second = WindowedStage(configuration, settings: settings("two"), onState: { _ in }) { claimed in
            taken.withLock { $0.formUnion(claimed.map { String(decoding: $0.record.value, as: UTF8.self) }) }
        }
        @Sendable func until(_ isTrue: () -> Bool) {
            let deadline = ContinuousClock.now + .seconds(60)
            while !isTrue(), ContinuousClock.now < deadline { usleep(20_000) }
        }
        await withCheckedContinuation { continuation in
            startThread("first") {
                first.run()
                continuation.resume()
            }
            startThread("watch") {
                until { handed.withLock { $0.count } == count }
                startThread("second") { second.run() }
                until { !answered.withLock { $0.isEmpty } && !taken.withLock { $0.isEmpty } }
                // What it might take too much would come now.
                usleep(500_000)
                second.stop()
                first.stop()
            }
        }
        let (theirs, ours) = (taken.withLock { $0 }, answered.withLock { $0 })
        #expect(!ours.isEmpty && !theirs.isEmpty)
        #expect(theirs.isDisjoint(with: ours))
        #expect(theirs.allSatisfy { (Int($0) ?? 0) % 2 == 1 })
    }
}
