import CPlatform
import Foundation
import Glibc

/// What was answered and is not yet recorded on the bus, in a file beside the process: so that a process that is killed between a
/// peer's answer and the transaction that records it does not do the same again.
///
/// Written with `write(2)` and not synced: it outlives the process, not the machine. After a power cut the bound is what was under way
/// and what was answered since the last commit.
///
/// Two files take turns: when one has grown, the other goes on, and the first is emptied once all in it is committed. Not shared between
/// threads: its owner's lock guards it.
struct AnswerJournal: ~Copyable {
    private static let turnAtBytes = 4 << 20
    /// More than this in one entry is no entry of ours.
    private static let maxEntryBytes = 64 << 20

    struct Entry: Equatable {
        var partition: TopicPartition
        var offset: Int64
        var outputs: [OutgoingRecord]

        static func == (a: Entry, b: Entry) -> Bool {
            a.partition == b.partition && a.offset == b.offset && a.outputs.count == b.outputs.count
        }
    }

    private var descriptors: [Int32]
    private var active = 0
    private var bytes = 0
    /// Of the file that is not active: the number of the last batch in it; `nil` where it is empty.
    private var sealed: Int?
    private var lastBatch = 0

    /// Opens the pair of files and reads what a predecessor left.
    init(path: String, recovered: inout [Entry]) throws(BusError) {
        let directory = (path as NSString).deletingLastPathComponent
        try? FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        descriptors = []
        for suffix in ["a", "b"] {
            let name = "\(path).\(suffix)"
            if let data = FileManager.default.contents(atPath: name) { recovered += AnswerJournal.read([UInt8](data)) }
            let descriptor = cplatform_open(name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                for open in descriptors { close(open) }
                throw BusError(code: .invalidConfiguration, "journal \(name): \(String(cString: strerror(-descriptor)))")
            }
            descriptors.append(descriptor)
        }
        // What was left is written anew into one file, so that the other is free.
        ftruncate(descriptors[0], 0)
        ftruncate(descriptors[1], 0)
        if !recovered.isEmpty { _ = append(recovered, batch: 0) }
    }

    deinit { for descriptor in descriptors { close(descriptor) } }

    /// - Returns: `false` where the disk did not take it.
    mutating func append(_ entries: [Entry], batch: Int) -> Bool {
        if bytes > AnswerJournal.turnAtBytes, sealed == nil {
            sealed = lastBatch
            active = 1 - active
            bytes = 0
        }
        var buffer: [UInt8] = []
        for entry in entries { AnswerJournal.write(entry, into: &buffer) }
        let descriptor = descriptors[active]
        let written = buffer.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
        guard written == buffer.count else {
            // Half an entry ends the reading there: cut it off, or what follows would be lost with it.
            if written > 0 { ftruncate(descriptor, off_t(bytes)) }
            return false
        }
        bytes += written
        lastBatch = batch
        return true
    }

    /// Everything up to `batch` is committed.
    mutating func committed(upTo batch: Int) {
        if let last = sealed, last <= batch {
            ftruncate(descriptors[1 - active], 0)
            sealed = nil
        }
        if bytes > 0, lastBatch <= batch {
            ftruncate(descriptors[active], 0)
            bytes = 0
        }
    }

    // MARK: Format: length and CRC-32C of the body, then topic, partition, offset, and the outputs; numbers little endian.

    private static func write(_ entry: Entry, into buffer: inout [UInt8]) {
        var body: [UInt8] = []
        put(Array(entry.partition.topic.utf8), &body)
        put(UInt32(bitPattern: entry.partition.partition), &body)
        put(UInt64(bitPattern: entry.offset), &body)
        put(UInt32(entry.outputs.count), &body)
        for output in entry.outputs {
            put(Array(output.topic.utf8), &body)
            put(UInt32(bitPattern: output.partition ?? -1), &body)
            put(output.key, &body)
            put(output.value, &body)
        }
        put(UInt32(body.count), &buffer)
        put(checksum(body), &buffer)
        buffer += body
    }

    private static func checksum(_ body: [UInt8]) -> UInt32 { body.withUnsafeBytes { cplatform_crc32c(0, $0.baseAddress, $0.count) } }

    private static func put(_ number: some FixedWidthInteger, _ buffer: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { buffer += $0 }
    }

    private static func put(_ octets: [UInt8], _ buffer: inout [UInt8]) {
        put(UInt32(octets.count), &buffer)
        buffer += octets
    }

    /// Up to the first entry that is cut or damaged.
    static func read(_ bytes: [UInt8]) -> [Entry] {
        var entries: [Entry] = []
        var reader = Reader(bytes: bytes[...])
        while let length: UInt32 = reader.number(), let sum: UInt32 = reader.number(), length <= maxEntryBytes,
            let body = reader.take(Int(length)), checksum(Array(body)) == sum, let entry = parse(body)
        {
            entries.append(entry)
        }
        return entries
    }

    private static func parse(_ body: ArraySlice<UInt8>) -> Entry? {
        var reader = Reader(bytes: body)
        guard let topic = reader.octets(), let partition: UInt32 = reader.number(), let offset: UInt64 = reader.number(),
            let count: UInt32 = reader.number()
        else { return nil }
        var outputs: [OutgoingRecord] = []
        for _ in 0..<count {
            guard let topic = reader.octets(), let partition: UInt32 = reader.number(), let key = reader.octets(),
                let value = reader.octets()
            else { return nil }
            let number = Int32(bitPattern: partition)
            outputs.append(
                OutgoingRecord(topic: String(decoding: topic, as: UTF8.self), partition: number < 0 ? nil : number, key: key, value: value))
        }
        return Entry(
            partition: TopicPartition(topic: String(decoding: topic, as: UTF8.self), partition: Int32(bitPattern: partition)),
            offset: Int64(bitPattern: offset), outputs: outputs)
    }

    private struct Reader {
        var bytes: ArraySlice<UInt8>

        mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
            guard count >= 0, bytes.count >= count else { return nil }
            defer { bytes = bytes.dropFirst(count) }
            return bytes.prefix(count)
        }

        mutating func number<Number: FixedWidthInteger>() -> Number? {
            guard let octets = take(MemoryLayout<Number>.size) else { return nil }
            return octets.reversed().reduce(Number(0)) { $0 << 8 | Number(truncatingIfNeeded: $1) }
        }

        mutating func octets() -> [UInt8]? {
            guard let count: UInt32 = number(), let octets = take(Int(count)) else { return nil }
            return Array(octets)
        }
    }
}
