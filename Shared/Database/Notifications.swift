import CLibPQ
import Foundation

/// A NOTIFY that reached us.
public struct DatabaseNotification: Sendable, Equatable {
    public let channel: String
    public let payload: String

    public init(channel: String, payload: String) {
        self.channel = channel
        self.payload = payload
    }
}

extension Connection {
    /// Subscribes this connection to a channel.
    public func listen(_ channel: String) throws(DatabaseError) {
        try script("LISTEN \"\(channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\""))\"")
    }

    /// Sends a NOTIFY, when the open transaction commits or at once.
    public func notify(_ channel: String, _ payload: String) throws(DatabaseError) {
        try query("SELECT pg_notify($1, $2)", [.text(channel), .text(payload)])
    }

    /// Waits for notifications until there is one, `timeoutMilliseconds` have passed or `wake` becomes readable.
    /// - Parameter wake: a file descriptor that ends the wait early, or nil.
    public func notifications(timeoutMilliseconds: Int, wake: Int32? = nil) throws(DatabaseError) -> [DatabaseNotification] {
        let pending = takeNotifications()
        if !pending.isEmpty { return pending }
        guard waitReadable(timeoutMilliseconds: timeoutMilliseconds, wake: wake) else { return [] }
        guard PQconsumeInput(handle) == 1 else { throw lost() }
        return takeNotifications()
    }

    /// Whether the connection still stands, as far as can be told without asking the server: a closed one has
    /// something to read, first the server's farewell and then the end. Costs one system call.
    var isAlive: Bool {
        // The bound only keeps a flood of notifications from holding us here.
        for _ in 0..<16 {
            guard PQstatus(handle) == CONNECTION_OK else { return false }
            guard waitReadable(timeoutMilliseconds: 0, wake: nil) else { return true }
            guard PQconsumeInput(handle) == 1 else { return false }
        }
        return PQstatus(handle) == CONNECTION_OK
    }

    private func lost() -> DatabaseError {
        DatabaseError(kind: .connection, message: String(cString: PQerrorMessage(handle)).firstLine)
    }

    /// True when the server's socket (not `wake`) can be read.
    private func waitReadable(timeoutMilliseconds: Int, wake: Int32?) -> Bool {
        // poll ignores a negative descriptor.
        var descriptors = [
            pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0),
            pollfd(fd: wake ?? -1, events: Int16(POLLIN), revents: 0),
        ]
        let ready = poll(&descriptors, nfds_t(descriptors.count), Int32(clamping: timeoutMilliseconds))
        return ready > 0 && descriptors[0].revents != 0
    }

    private func takeNotifications() -> [DatabaseNotification] {
        var found: [DatabaseNotification] = []
        while let notification = PQnotifies(handle) {
            found.append(
                DatabaseNotification(
                    channel: String(cString: notification.pointee.relname), payload: String(cString: notification.pointee.extra)))
            PQfreemem(notification)
        }
        return found
    }
}
