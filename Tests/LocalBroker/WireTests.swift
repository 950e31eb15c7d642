import NIOCore
import Testing

@testable import LocalBroker

/// Octets from hex, spaces ignored.
func hex(_ text: String) -> ByteBuffer {
    let digits = text.filter { !$0.isWhitespace }.compactMap(\.hexDigitValue)
    var buffer = ByteBuffer()
    for index in stride(from: 0, to: digits.count - 1, by: 2) { buffer.writeInteger(UInt8(digits[index] << 4 | digits[index + 1])) }
    return buffer
}

@Suite struct WireTests {
    // An ApiVersions request, version 3, as librdkafka 2.0.2 sends it (without its length).
    @Test func `a flexible request header is read with its tags`() throws {
        var frame = hex("0012 0003 00000001 0007 72646b61666b61 00 0b 6c696272646b61666b61 06 322e302e32 00")
        let header = try RequestHeader(decoding: &frame)
        #expect(header == RequestHeader.fixture(18, 3, 1, "rdkafka"))
        var reader = KafkaReader(frame, flexible: true)
        #expect(try reader.string() == "librdkafka")
        #expect(try reader.string() == "2.0.2")
        try reader.tags()
        #expect(reader.remaining == 0)
    }

    @Test(arguments: [
        ("a string longer than the frame", "7fff 41"), ("a negative length", "fffe"), ("nothing", ""),
    ])
    func `a short string is an error`(_ name: String, _ octets: String) {
        var reader = KafkaReader(hex(octets), flexible: false)
        #expect(throws: WireError.self, "\(name)") { try reader.string() }
    }

    @Test(arguments: ["ffffffff0f", "80808080808001", "ff"])
    func `a varint that is too long or cut is an error`(_ octets: String) {
        var reader = KafkaReader(hex(octets), flexible: true)
        #expect(throws: WireError.self) { try reader.array { (r: inout KafkaReader) throws(WireError) in try r.int8() } }
    }

    @Test func `an array count above what is left takes no memory`() {
        var reader = KafkaReader(hex("7fffffff 00"), flexible: false)
        #expect(throws: WireError.truncated) { try reader.array { (r: inout KafkaReader) throws(WireError) in try r.int8() } }
    }

    @Test func `the writer and the reader agree in both encodings`() throws {
        for flexible in [false, true] {
            var writer = KafkaWriter(correlationID: 7, flexible: flexible)
            writer.string("topic")
            writer.nullableString(nil)
            writer.array([1, 2, 300]) { $0.int32(Int32($1)) }
            writer.bytes([1, 2, 3])
            writer.tags()
            var frame = writer.finish()
            #expect(frame.readInteger(as: Int32.self) == Int32(frame.readableBytes))
            #expect(frame.readInteger(as: Int32.self) == 7)
            if flexible { #expect(frame.readInteger(as: UInt8.self) == 0) }
            var reader = KafkaReader(frame, flexible: flexible)
            #expect(try reader.string() == "topic")
            #expect(try reader.nullableString() == nil)
            #expect(try reader.array { (r: inout KafkaReader) throws(WireError) in try r.int32() } == [1, 2, 300])
            #expect(try reader.bytes() == [1, 2, 3])
            try reader.tags()
            #expect(reader.remaining == 0)
        }
    }

    @Test func `every request cut short anywhere is refused and never traps`() throws {
        var body = hex("ffff 0001 00001388 00000001 0001 74 00000001 00000000")
        let records = batch(count: 2)
        body.writeInteger(Int32(records.readableBytes))
        body.writeImmutableBuffer(records)
        var whole = KafkaReader(body, flexible: false)
        let request = try ProduceRequest(decoding: &whole)
        #expect(request.topics.first?.partitions.first?.index == 0)
        guard case .valid = request.topics.first?.partitions.first?.verdict else {
            Issue.record("the batch is valid")
            return
        }
        for length in 0..<body.readableBytes {
            guard let cut = body.getSlice(at: 0, length: length) else { continue }
            var reader = KafkaReader(cut, flexible: false)
            #expect(throws: WireError.self) { try ProduceRequest(decoding: &reader) }
        }
    }

    @Test func `the answer to ApiVersions version 0 lists every request`() {
        var frame = APIVersions.response(version: 0, 42, error: .unsupportedVersion)
        #expect(frame.readInteger(as: Int32.self) == Int32(frame.readableBytes))
        #expect(frame.readInteger(as: Int32.self) == 42)
        #expect(frame.readInteger(as: Int16.self) == 35)
        #expect(frame.readInteger(as: Int32.self) == Int32(APIKey.allCases.count))
        #expect(frame.readableBytes == APIKey.allCases.count * 6)
    }
}

extension RequestHeader {
    static func fixture(_ key: Int16, _ version: Int16, _ correlation: Int32, _ client: String?) -> RequestHeader? {
        var frame = ByteBuffer()
        frame.writeInteger(key)
        frame.writeInteger(version)
        frame.writeInteger(correlation)
        frame.writeInteger(Int16(client?.utf8.count ?? -1))
        frame.writeString(client ?? "")
        frame.writeInteger(UInt8(0))
        return try? RequestHeader(decoding: &frame)
    }
}

/// A batch of `count` records of one octet each, as a producer sends it.
func batch(
    count: Int, producerID: Int64 = -1, epoch: Int16 = -1, sequence: Int32 = -1, transactional: Bool = false, timestamp: Int64 = 1000,
    value: UInt8 = 0x41
) -> ByteBuffer {
    var buffer = ByteBuffer()
    buffer.writeInteger(Int64(0))
    buffer.writeInteger(Int32(0))
    buffer.writeInteger(Int32(-1))
    buffer.writeInteger(Int8(2))
    buffer.writeInteger(UInt32(0))
    buffer.writeInteger(Int16(transactional ? 0x10 : 0))
    buffer.writeInteger(Int32(count - 1))
    buffer.writeInteger(timestamp)
    buffer.writeInteger(timestamp + Int64(count - 1))
    buffer.writeInteger(producerID)
    buffer.writeInteger(epoch)
    buffer.writeInteger(sequence)
    buffer.writeInteger(Int32(count))
    for index in 0..<UInt8(count) { buffer.writeBytes([14, 0, index * 2, index * 2, 1, 2, value, 0]) }
    buffer.setInteger(Int32(buffer.readableBytes - 12), at: 8)
    buffer.setInteger(buffer.crc32c(at: 21, length: buffer.readableBytes - 21), at: 17)
    return buffer
}

@Suite struct RecordBatchTests {
    // RFC 3720, appendix B.4.
    @Test(
        arguments: [
            ([UInt8](repeating: 0, count: 32), UInt32(0x8a91_36aa)), ([UInt8](repeating: 0xff, count: 32), UInt32(0x62a8_ab43)),
            ([UInt8](0..<32), UInt32(0x46dd_794e)), ([UInt8]((0..<32).reversed()), UInt32(0x113f_db5c)),
        ] as [([UInt8], UInt32)])
    func `the checksum is that of RFC 3720`(_ octets: [UInt8], _ expected: UInt32) {
        #expect(ByteBuffer(bytes: octets).crc32c(at: 0, length: octets.count) == expected)
    }

    @Test func `a batch with any octet flipped behind its checksum is corrupt`() {
        let good = batch(count: 3)
        guard case .valid(let header) = RecordBatchVerdict(checking: good) else {
            Issue.record("valid")
            return
        }
        #expect(header.recordCount == 3)
        #expect(header.lastOffset == 2)
        for index in 21..<good.readableBytes {
            var bad = good
            bad.setInteger((bad.getInteger(at: index, as: UInt8.self) ?? 0) ^ 0x10, at: index)
            #expect(RecordBatchVerdict(checking: bad) == .invalid(.corruptMessage))
        }
    }

    @Test func `what is not one whole batch of version 2 is refused`() {
        var two = batch(count: 1)
        two.writeImmutableBuffer(batch(count: 1))
        #expect(RecordBatchVerdict(checking: two) == .invalid(.invalidRecord))
        #expect(RecordBatchVerdict(checking: nil) == .invalid(.invalidRecord))
        var old = batch(count: 1)
        old.setInteger(Int8(1), at: 16)
        #expect(RecordBatchVerdict(checking: old) == .invalid(.unsupportedForMessageFormat))
        let cut = batch(count: 1).getSlice(at: 0, length: 60) ?? ByteBuffer()
        #expect(RecordBatchVerdict(checking: cut) == .invalid(.corruptMessage))
    }

    @Test func `a marker is a valid control batch`() {
        var buffer = ByteBuffer()
        ControlBatch(producerID: 5, producerEpoch: 2, commit: true, timestamp: 77).encode(into: &buffer, baseOffset: 9)
        #expect(buffer.readableBytes == ControlBatch.size)
        let header = RecordBatchHeader(buffer, at: 0)
        #expect(header?.isControl == true && header?.isTransactional == true)
        #expect(header?.totalSize == ControlBatch.size && header?.baseOffset == 9)
        #expect(header?.checksumHolds(in: buffer, at: 0) == true)
        // A producer may not send one itself.
        #expect(RecordBatchVerdict(checking: buffer) == .invalid(.invalidRecord))
    }

    @Test func `the time of a record inside a batch is found`() {
        let records = batch(count: 5, timestamp: 1000)
        guard let header = RecordBatchHeader(records, at: 0) else {
            Issue.record("header")
            return
        }
        #expect(RecordTimes.first(atOrAfter: 1003, in: records, header)?.offset == 3)
        #expect(RecordTimes.first(atOrAfter: 1, in: records, header)?.offset == 0)
        #expect(RecordTimes.first(atOrAfter: 1005, in: records, header) == nil)
    }

    @Test(arguments: [
        ("the next", Int16(0), Int32(3), ProducerState.Verdict.append), ("a gap", 0, 4, .reject(.outOfOrderSequence)),
        ("an old epoch", -1, 3, .reject(.invalidProducerEpoch)), ("a new epoch from 0", 1, 0, .append),
        ("a new epoch not from 0", 1, 3, .reject(.outOfOrderSequence)),
        ("the last again", 0, 1, .duplicate(.init(firstSequence: 1, lastSequence: 2, baseOffset: 11, maxTimestamp: 1001))),
    ])
    func `sequences are checked`(_ name: String, _ epoch: Int16, _ sequence: Int32, _ expected: ProducerState.Verdict) throws {
        var state = ProducerState(epoch: 0)
        for (count, first, offset) in [(1, Int32(0), Int64(10)), (2, 1, 11)] {
            let header = try #require(RecordBatchHeader(batch(count: count, producerID: 1, epoch: 0, sequence: first), at: 0))
            state.appended(header, baseOffset: offset, now: 0)
        }
        let header = try #require(RecordBatchHeader(batch(count: 2, producerID: 1, epoch: epoch, sequence: sequence), at: 0))
        #expect(ProducerState.check(state, header) == expected, "\(name)")
    }
}
