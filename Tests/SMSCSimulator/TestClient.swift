import NIOCore
import NIOPosix
import SMPP

/// A client that sends what it is told and shows what comes, PDU by PDU. It answers nothing by itself.
final class TestClient {
    private let channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>
    private let outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    private var inbound: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
    private var framer = Framer()
    private var sequence: UInt32 = 0

    private init(
        _ channel: NIOAsyncChannel<ByteBuffer, ByteBuffer>, _ inbound: NIOAsyncChannelInboundStream<ByteBuffer>,
        _ outbound: NIOAsyncChannelOutboundWriter<ByteBuffer>
    ) {
        self.channel = channel
        self.outbound = outbound
        self.inbound = inbound.makeAsyncIterator()
    }

    /// Connects, lets `body` talk, and closes without an unbind.
    static func connect<Result>(port: Int, _ body: (TestClient) async throws -> Result) async throws -> Result {
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await body(TestClient(channel, inbound, outbound))
        }
    }

    func send(octets: [UInt8]) async throws { try await self.outbound.write(ByteBuffer(bytes: octets)) }

    func send(_ pdu: PDU) async throws {
        var buffer = ByteBuffer()
        try pdu.encode(into: &buffer)
        try await self.outbound.write(buffer)
    }

    @discardableResult
    func send(_ body: PDU.Body) async throws -> UInt32 {
        self.sequence += 1
        try await self.send(PDU(body, sequenceNumber: self.sequence))
        return self.sequence
    }

    /// The next PDU, or nil when the simulator has closed.
    func next() async throws -> PDU? {
        while true {
            while let framed = self.framer.next() {
                if case .pdu(let pdu) = framed { return pdu }
            }
            guard var buffer = try await self.inbound.next() else { return nil }
            self.framer.append(&buffer)
        }
    }

    func bind(_ kind: BindKind, systemID: String = "tester", password: String = "secret") async throws -> CommandStatus? {
        try await self.send(.bind(Bind(kind: kind, systemID: systemID, password: password)))
        return try await self.next()?.commandStatus
    }

    /// Submits and returns the answer, which must come first.
    func submit(to destination: String, _ text: String = "Hi", receipt: RegisteredDelivery = .final) async throws -> PDU? {
        try await self.send(
            .submitSm(
                SubmitSm(
                    sourceAddr: .init(ton: .alphanumeric, value: "Shop"),
                    destinationAddr: .init(ton: .international, npi: .isdn, value: destination), registeredDelivery: receipt,
                    shortMessage: Array(text.utf8))))
        return try await self.next()
    }
}

extension PDU {
    var messageID: String? {
        if case .submitSmResp(let response) = self.body { return response.messageID }
        return nil
    }

    var receipt: DeliveryReceipt? {
        if case .deliverSm(let message) = self.body { return DeliveryReceipt(message) }
        return nil
    }

    func accepted() -> PDU { .response(to: self.commandID, sequenceNumber: self.sequenceNumber, commandStatus: .ok) }
}
