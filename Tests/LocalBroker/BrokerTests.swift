import Logging
import NIOCore
import NIOPosix
import Testing

@testable import LocalBroker

#if canImport(Glibc)
    import Glibc
#endif

/// A whole broker over loopback, spoken to in octets.
@Suite struct BrokerTests {
    private static func temporary() -> String {
        var template = Array("/tmp/broker-test-XXXXXX".utf8CString)
        return mkdtemp(&template).map { String(cString: $0) } ?? ""
    }

    private static let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func with(
        _ configure: (inout BrokerConfiguration) -> Void = { _ in }, _ body: (LocalBroker, String) async throws -> Void
    ) async throws {
        let directory = Self.temporary()
        var configuration = BrokerConfiguration(dataDirectory: directory)
        configure(&configuration)
        let broker = try await LocalBroker.start(configuration, logger: Self.quiet)
        let outcome: Result<Void, any Error>
        do {
            try await body(broker, directory)
            outcome = .success(())
        } catch {
            outcome = .failure(error)
        }
        await broker.stop()
        try await broker.run()
        Directory.removeTree(directory)
        try outcome.get()
    }

    /// Sends one request on a connection of its own; nil when the broker closes it instead of answering.
    private func exchange(_ port: Int, _ frame: ByteBuffer) throws -> ByteBuffer? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        try #require(connected == 0)
        var whole = ByteBuffer()
        whole.writeInteger(Int32(frame.readableBytes))
        whole.writeImmutableBuffer(frame)
        _ = whole.withUnsafeReadableBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        var answer = ByteBuffer()
        while true {
            if let length = answer.getInteger(at: 0, as: Int32.self), answer.readableBytes >= 4 + Int(length) {
                answer.moveReaderIndex(forwardBy: 8)
                return answer
            }
            let n = answer.writeWithUnsafeMutableBytes(minimumWritableBytes: 65536) {
                max(0, recv(descriptor, $0.baseAddress, $0.count, 0))
            }
            if n == 0 { return nil }
        }
    }

    private func header(_ api: APIKey, _ version: Int16) -> ByteBuffer {
        var frame = ByteBuffer()
        frame.writeInteger(api.rawValue)
        frame.writeInteger(version)
        frame.writeInteger(Int32(1))
        frame.writeInteger(Int16(-1))
        return frame
    }

    private func produce(_ topic: String, _ records: ByteBuffer, acks: Int16 = -1) -> ByteBuffer {
        var frame = header(.produce, 3)
        frame.writeInteger(Int16(-1))
        frame.writeInteger(acks)
        frame.writeInteger(Int32(1000))
        frame.writeInteger(Int32(1))
        frame.writeInteger(Int16(topic.utf8.count))
        frame.writeString(topic)
        frame.writeInteger(Int32(1))
        frame.writeInteger(Int32(0))
        frame.writeInteger(Int32(records.readableBytes))
        frame.writeImmutableBuffer(records)
        return frame
    }

    private func makeTopic(_ port: Int, _ name: String) throws {
        var frame = header(.metadata, 1)
        frame.writeInteger(Int32(1))
        frame.writeInteger(Int16(name.utf8.count))
        frame.writeString(name)
        _ = try #require(try exchange(port, frame))
    }

    /// Error code and base offset of a produce answer for one partition.
    private func outcome(_ answer: ByteBuffer?, topic: String) throws -> (error: Int16, offset: Int64) {
        var answer = try #require(answer)
        answer.moveReaderIndex(forwardBy: 4 + 2 + topic.utf8.count + 4 + 4)
        let (error, offset) = (answer.readInteger(as: Int16.self), answer.readInteger(as: Int64.self))
        return (try #require(error), try #require(offset))
    }

    private func logStart(_ port: Int, _ topic: String) throws -> Int64 {
        var frame = header(.listOffsets, 1)
        frame.writeInteger(Int32(-1))
        frame.writeInteger(Int32(1))
        frame.writeInteger(Int16(topic.utf8.count))
        frame.writeString(topic)
        frame.writeInteger(Int32(1))
        frame.writeInteger(Int32(0))
        frame.writeInteger(Int64(-2))
        var answer = try #require(try exchange(port, frame))
        answer.moveReaderIndex(forwardBy: 4 + 2 + topic.utf8.count + 4 + 4 + 2 + 8)
        let offset = answer.readInteger(as: Int64.self)
        return try #require(offset)
    }

    @Test func `a repeat is answered with the first offset, over a restart too`() async throws {
        let directory = Self.temporary()
        defer { Directory.removeTree(directory) }
        let records = batch(count: 3, producerID: 9, epoch: 0, sequence: 0)
        for round in 0..<2 {
            let broker = try await LocalBroker.start(BrokerConfiguration(dataDirectory: directory), logger: Self.quiet)
            if round == 0 { try makeTopic(broker.boundPort, "t") }
            for _ in 0..<2 {
                let outcome = try outcome(try exchange(broker.boundPort, produce("t", records)), topic: "t")
                #expect(outcome == (0, 0))
            }
            let gap = try exchange(broker.boundPort, produce("t", batch(count: 1, producerID: 9, epoch: 0, sequence: 7)))
            #expect(try outcome(gap, topic: "t").error == KafkaError.outOfOrderSequence.rawValue)
            await broker.stop()
        }
    }

    @Test func `a transactional batch without its transaction is refused`() async throws {
        try await with { broker, _ in
            try makeTopic(broker.boundPort, "t")
            let stray = batch(count: 1, producerID: 9, epoch: 0, sequence: 0, transactional: true)
            #expect(
                try outcome(try exchange(broker.boundPort, produce("t", stray)), topic: "t").error
                    == KafkaError.invalidProducerIDMapping.rawValue)
        }
    }

    @Test func `old records go when their time is over`() async throws {
        try await with {
            $0.housekeepingIntervalMilliseconds = 5
        } _: { broker, _ in
            try makeTopic(broker.boundPort, "t")
            // Records of 1970: older than any retention.
            #expect(try outcome(try exchange(broker.boundPort, produce("t", batch(count: 4))), topic: "t") == (0, 0))
            var looks = 0
            while try logStart(broker.boundPort, "t") != 4, looks < 20_000 { looks += 1 }
            #expect(looks < 20_000)
            #expect(try outcome(try exchange(broker.boundPort, produce("t", batch(count: 1))), topic: "t") == (0, 4))
        }
    }

    @Test func `a second broker on the same directory is told so`() async throws {
        try await with { _, directory in
            await #expect(throws: LocalBrokerError.self) {
                _ = try await LocalBroker.start(BrokerConfiguration(dataDirectory: directory), logger: Self.quiet)
            }
        }
    }

    @Test func `more connections than allowed are closed`() async throws {
        try await with {
            $0.maxConnections = 1
        } _: { broker, _ in
            let held = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup).connect(
                host: "127.0.0.1", port: broker.boundPort
            ).get()
            var frame = ByteBuffer()
            let request = header(.apiVersions, 0)
            frame.writeInteger(Int32(request.readableBytes))
            frame.writeImmutableBuffer(request)
            try await held.writeAndFlush(frame)
            #expect(try exchange(broker.boundPort, header(.apiVersions, 0)) == nil)
            try await held.close()
        }
    }

    @Test func `a configuration that makes no sense is refused with every fault`() {
        var configuration = BrokerConfiguration(dataDirectory: "", listenPort: 70_000)
        configuration.defaultPartitions = 0
        #expect(configuration.validate().count == 3)
        #expect(FsyncPolicy(argument: "interval:50") == .interval(milliseconds: 50))
        #expect(FsyncPolicy(argument: "interval:0") == nil)
    }
}
