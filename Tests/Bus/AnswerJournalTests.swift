import Foundation
import Testing

@testable import Bus

@Suite struct `A journal of answers` {
    static func path() -> String { NSTemporaryDirectory() + "journal-\(UUID().uuidString)/queue" }

    static func entry(_ offset: Int64) -> AnswerJournal.Entry {
        AnswerJournal.Entry(
            partition: TopicPartition(topic: "sms.queue.x", partition: 3), offset: offset,
            outputs: [
                OutgoingRecord(topic: "sms.submitted", key: "k\(offset)", value: [1, 2, UInt8(offset & 0xFF)]),
                OutgoingRecord(topic: "t", partition: 7, key: [], value: []),
            ])
    }

    static func reopened(_ path: String) throws -> [AnswerJournal.Entry] {
        var recovered: [AnswerJournal.Entry] = []
        _ = try AnswerJournal(path: path, recovered: &recovered)
        return recovered
    }

    @Test func `gives back what a killed process had noted, each time until it is committed`() throws {
        let path = Self.path()
        var recovered: [AnswerJournal.Entry] = []
        do {
            var journal = try AnswerJournal(path: path, recovered: &recovered)
            let taken = [journal.append([Self.entry(1), Self.entry(2)], batch: 1), journal.append([Self.entry(3)], batch: 2)]
            #expect(taken == [true, true])
        }
        for _ in 0..<2 {
            let entries = try Self.reopened(path)
            #expect(entries.map(\.offset) == [1, 2, 3])
            #expect(entries[2].outputs[0].key == Array("k3".utf8) && entries[2].outputs[0].value == [1, 2, 3])
            #expect(entries[2].outputs[0].partition == nil && entries[2].outputs[1].partition == 7)
            #expect(entries[0].partition == TopicPartition(topic: "sms.queue.x", partition: 3))
        }
        do {
            var journal = try AnswerJournal(path: path, recovered: &recovered)
            journal.committed(upTo: 5)
        }
        #expect(try Self.reopened(path).isEmpty)
    }

    @Test func `keeps what came after the commit, and turns files without losing any`() throws {
        let path = Self.path()
        var recovered: [AnswerJournal.Entry] = []
        var last: Int64 = 0
        do {
            var journal = try AnswerJournal(path: path, recovered: &recovered)
            var big = Self.entry(0)
            big.outputs[0].value = [UInt8](repeating: 9, count: 1 << 20)
            for batch in 1...40 {
                big.offset = Int64(batch)
                _ = journal.append([big], batch: batch)
                journal.committed(upTo: batch - 3)
                last = Int64(batch)
            }
        }
        let offsets = Set(try Self.reopened(path).map(\.offset))
        #expect(offsets.isSuperset(of: [last, last - 1, last - 2]))
        #expect(offsets.count < 15, "committed entries go when their file is done with")
    }

    @Test func `a cut or damaged end costs only itself`() throws {
        let path = Self.path()
        var recovered: [AnswerJournal.Entry] = []
        do {
            var journal = try AnswerJournal(path: path, recovered: &recovered)
            _ = journal.append([Self.entry(1), Self.entry(2)], batch: 1)
        }
        let whole = try #require(FileManager.default.contents(atPath: path + ".a"))
        for length in 0..<whole.count {
            let entries = AnswerJournal.read([UInt8](whole.prefix(length)))
            #expect(entries.map(\.offset) == Array([1, 2].prefix(length * 2 / whole.count)))
        }
        for position in stride(from: 0, to: whole.count, by: 3) {
            var damaged = [UInt8](whole)
            damaged[position] ^= 0x40
            #expect(AnswerJournal.read(damaged).count < 2)
        }
    }
}
