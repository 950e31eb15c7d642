import NIOCore

/// A client's connection, as the broker's thread knows it: where answers go.
final class Connection: Sendable {
    let id: Int
    /// Which of the I/O loops it lives on.
    let loopIndex: Int
    let host: String
    let handler: NIOLoopBound<ConnectionHandler>

    init(id: Int, loopIndex: Int, host: String, handler: NIOLoopBound<ConnectionHandler>) {
        self.id = id
        self.loopIndex = loopIndex
        self.host = host
        self.handler = handler
    }
}

/// The right to answer one request.
struct PendingReply: Sendable {
    var connection: Connection
    /// The place of the request among those of its connection: answers leave in this order.
    var slot: UInt64
    var api: APIKey
    var version: Int16
    var correlationID: Int32

    func writer(capacity: Int = 256) -> KafkaWriter {
        KafkaWriter(correlationID: correlationID, flexible: api.isFlexible(version), capacity: capacity)
    }
}

/// An answer on its way out. No frame: the request wants none (acks=0), or cannot be answered and the connection closes.
struct Reply: Sendable {
    enum Content: Sendable {
        case frame(ByteBuffer)
        case silence
        case close
    }

    var to: PendingReply
    var content: Content
}

/// A request for the broker's thread.
struct Request: Sendable {
    enum Body: Sendable {
        case produce(ProduceRequest)
        case fetch(FetchRequest)
        case other(ByteBuffer)
    }

    var reply: PendingReply
    var clientID: String
    var body: Body
}
