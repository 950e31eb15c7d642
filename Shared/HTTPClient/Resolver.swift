import Foundation
import NIOCore
import NIOPosix
import Synchronization

/// Finds the addresses of names, on threads of its own. Each name is asked for once at a time, and its answer holds for some seconds: a
/// name whose servers are silent takes one thread, however many requests wait for it.
final class Resolver: Sendable {
    private static let threads = 8
    private static let goodSeconds = 30
    private static let badSeconds = 5
    private static let capacity = 10_000

    private struct Entry {
        var until: ContinuousClock.Instant?
        var addresses: EventLoopFuture<[SocketAddress]>
    }

    private let pool = NIOThreadPool(numberOfThreads: threads)
    private let entries = Mutex<[String: Entry]>([:])

    init() { pool.start() }

    /// - Returns: the addresses, none for a name that is unknown.
    func resolve(_ host: String, port: Int, on loop: any EventLoop) -> EventLoopFuture<[SocketAddress]> {
        let name = "\(host) \(port)"
        let promise = loop.makePromise(of: [SocketAddress].self)
        let known: EventLoopFuture<[SocketAddress]>? = entries.withLock { entries in
            if let entry = entries[name], entry.until.map({ $0 > .now }) ?? true { return entry.addresses }
            if entries.count >= Resolver.capacity { entries = entries.filter { $0.value.until == nil } }
            entries[name] = Entry(until: nil, addresses: promise.futureResult)
            return nil
        }
        if let known {
            promise.completeWith(known)
            return promise.futureResult
        }
        pool.submit { [self] state in
            let found = state == .active ? Resolver.lookUp(host, port: port) : []
            let until = ContinuousClock.now + .seconds(found.isEmpty ? Resolver.badSeconds : Resolver.goodSeconds)
            entries.withLock { $0[name]?.until = until }
            promise.succeed(found)
        }
        return promise.futureResult
    }

    func stop() { pool.shutdownGracefully { _ in } }

    private static func lookUp(_ host: String, port: Int) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let first = list else { return [] }
        defer { freeaddrinfo(first) }
        var found: [SocketAddress] = []
        var next: UnsafeMutablePointer<addrinfo>? = first
        while let info = next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            if getnameinfo(
                info.pointee.ai_addr, info.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            {
                let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                if let place = try? SocketAddress(ipAddress: address, port: port) { found.append(place) }
            }
            next = info.pointee.ai_next
        }
        return found
    }
}
