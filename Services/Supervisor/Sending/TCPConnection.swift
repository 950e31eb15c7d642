import Foundation

/// A blocking TCP connection for a command: one peer, one thread. Closed when it goes.
final class TCPConnection {
    private let descriptor: Int32

    /// - Throws: `UpError` when no address of `host` answers on `port`.
    init(host: String, port: Int) throws(UpError) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, "\(port)", &hints, &found)
        guard code == 0 else { throw UpError("\(host) is not known: \(String(cString: gai_strerror(code)))") }
        defer { freeaddrinfo(found) }
        var reason = "it has no address"
        var next = found
        while let address = next?.pointee {
            let candidate = socket(address.ai_family, address.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), address.ai_protocol)
            if candidate >= 0, connect(candidate, address.ai_addr, address.ai_addrlen) == 0 {
                var yes: Int32 = 1
                setsockopt(candidate, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
                descriptor = candidate
                return
            }
            reason = String(cString: strerror(errno))
            if candidate >= 0 { close(candidate) }
            next = address.ai_next
        }
        throw UpError("\(host):\(port) does not answer: \(reason)")
    }

    deinit { close(descriptor) }

    func send(_ bytes: [UInt8]) throws(UpError) {
        var offset = 0
        while offset < bytes.count {
            let count = bytes[offset...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 {
                offset += count
            } else if errno != EINTR {
                throw UpError("the connection broke: \(String(cString: strerror(errno)))")
            }
        }
    }

    /// What has come, waiting for it for at most `milliseconds`; empty when nothing came, nil when the peer has closed.
    func receive(waitingMilliseconds milliseconds: Int64) throws(UpError) -> [UInt8]? {
        var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&waiting, 1, Int32(clamping: max(0, milliseconds))) > 0 else { return [] }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count == 0 { return nil }
        if count < 0 {
            if errno == EINTR { return [] }
            throw UpError("the connection broke: \(String(cString: strerror(errno)))")
        }
        return Array(buffer.prefix(count))
    }
}
