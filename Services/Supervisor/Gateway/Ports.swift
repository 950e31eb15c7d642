import Foundation

/// The ports of one gateway on this machine.
struct Ports: Codable, Sendable, Equatable {
    var postgresql: Int
    var broker: Int
    var smsc: Int
    /// The demo's incoming SMPP connector.
    var smpp: Int
    /// The demo's incoming HTTP connector.
    var web: Int
    /// Health and metrics, by the child's name.
    var http: [String: Int]

    /// EMG's and everybody's port for SMPP.
    static let standardSMPP = 2_775
    static let standardWeb = 8_080

    /// Fixed places from `base` on: PostgreSQL, broker, simulator, then SMPP at 5, HTTP at 6 and the services' HTTP from 10 on.
    init(base: Int, services: [String]) {
        postgresql = base
        broker = base + 1
        smsc = base + 2
        smpp = base + 5
        web = base + 6
        http = [:]
        for (index, service) in services.enumerated() { http[service] = base + 10 + index }
    }

    /// Those of `remembered` that are still free, and free ones for the rest.
    init(remembered: Ports?, services: [String]) throws(UpError) {
        var held: [Int32] = []
        defer { for descriptor in held { close(descriptor) } }
        func choose(_ wanted: Int?) throws(UpError) -> Int {
            for port in [wanted, 0].compactMap({ $0 }) {
                // Held until all are chosen, so that no two are the same.
                if let (descriptor, bound) = Ports.bind(port, address: "127.0.0.1") {
                    held.append(descriptor)
                    return bound
                }
            }
            throw UpError("this machine has no free port")
        }
        postgresql = try choose(remembered?.postgresql)
        broker = try choose(remembered?.broker)
        smsc = try choose(remembered?.smsc)
        smpp = Ports.isFree(Ports.standardSMPP, address: "0.0.0.0") ? Ports.standardSMPP : try choose(remembered?.smpp)
        web = Ports.isFree(Ports.standardWeb, address: "0.0.0.0") ? Ports.standardWeb : try choose(remembered?.web)
        http = [:]
        for service in services { http[service] = try choose(remembered?.http[service]) }
    }

    var all: [(name: String, port: Int)] {
        [("PostgreSQL", postgresql), ("the broker", broker), ("the simulated SMSC", smsc), ("SMPP", smpp), ("HTTP", web)]
            + http.sorted { $0.value < $1.value }.map { ("\($0.key)'s HTTP", $0.value) }
    }

    static func isFree(_ port: Int, address: String) -> Bool {
        guard let (descriptor, _) = bind(port, address: address) else { return false }
        close(descriptor)
        return true
    }

    private static func bind(_ port: Int, address: String) -> (descriptor: Int32, port: Int)? {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        // As servers do: a port whose old connections are in TIME_WAIT is free.
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var place = sockaddr_in()
        place.sin_family = sa_family_t(AF_INET)
        place.sin_port = in_port_t(UInt16(port).bigEndian)
        inet_pton(AF_INET, address, &place.sin_addr)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                Glibc.bind(descriptor, raw, length) == 0 && listen(descriptor, 1) == 0 && getsockname(descriptor, raw, &length) == 0
            }
        }
        guard bound else {
            close(descriptor)
            return nil
        }
        return (descriptor, Int(UInt16(bigEndian: place.sin_port)))
    }
}
