import NIOCore

/// How the load reaches the gateway.
enum LoadManner: Sendable, Equatable {
    case smpp
    /// The API's lists of up to `batch` messages; reports come as webhooks.
    case http(batch: Int)
}

/// One client of the load: an SMPP session, or an HTTP connection. It lives on its core's event loop.
protocol LoadClient: AnyObject {
    var channel: (any Channel)? { get }
    /// It can take another message now.
    var hasRoom: Bool { get }
    /// In the core's list of those that have room and nothing to send.
    var isWaiting: Bool { get set }
    /// In the core's list of those that have written.
    var isDirty: Bool { get set }

    /// Takes message `number`; it goes with the next `flush`.
    /// - Returns: false where there is no room.
    func submit(_ number: Int, now: Int64) -> Bool
    func flush()
    /// By the clock that never goes back.
    func tick(_ milliseconds: Int64)
    /// Ends in order.
    func unbind()
}
