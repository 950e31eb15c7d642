import Foundation

/// An IP address of either family. A v4 address mapped into v6 (`::ffff:a.b.c.d`), as a dual-stack socket shows
/// it, is the v4 address.
public struct IPAddress: Sendable, Hashable, CustomStringConvertible {
    /// 4 or 16 octets.
    public let octets: [UInt8]

    /// - Returns: nil when the text is no address. A v6 zone (`%eth0`) is ignored.
    public init?(_ text: String) {
        let text = String(text.prefix { $0 != "%" })
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            octets = withUnsafeBytes(of: &four) { Array($0) }
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            let all = withUnsafeBytes(of: &six) { Array($0) }
            let isMapped = all[0..<10].allSatisfy { $0 == 0 } && all[10] == 255 && all[11] == 255
            octets = isMapped ? Array(all[12...]) : all
        } else {
            return nil
        }
    }

    init(v4 number: UInt32) {
        octets = [UInt8(number >> 24), UInt8(number >> 16 & 255), UInt8(number >> 8 & 255), UInt8(number & 255)]
    }

    /// EMG's integer for a v4 address: a·256³ + b·256² + c·256 + d. Nil for v6.
    public var integer: Int64? {
        octets.count == 4 ? octets.reduce(Int64(0)) { $0 << 8 | Int64($1) } : nil
    }

    public var description: String {
        if octets.count == 4 { return octets.map(String.init).joined(separator: ".") }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, octets, &text, socklen_t(text.count)) != nil else { return "" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A range of addresses: `192.168.0.0/24`, `2001:db8::/32`, or one address.
public struct IPNetwork: Sendable, Hashable, CustomStringConvertible {
    public let address: IPAddress
    /// Leading bits that must agree: 0...32 or 0...128.
    public let width: Int

    /// - Returns: nil when the text is no network.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress(String(first)) else { return nil }
        var width = address.octets.count * 8
        if parts.count == 2 {
            guard let number = Int(parts[1]), (0...width).contains(number) else { return nil }
            width = number
        }
        self.address = address
        self.width = width
    }

    /// EMG's integers for a v4 network: `3232235520/24` is 192.168.0.0/24.
    public init?(integers text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = UInt32(parts[0]), let width = Int(parts[1]), (0...32).contains(width) else { return nil }
        self.init(address: IPAddress(v4: number), width: width)
    }

    public init(address: IPAddress, width: Int) {
        self.address = address
        self.width = max(0, min(width, address.octets.count * 8))
    }

    public func contains(_ other: IPAddress) -> Bool {
        guard other.octets.count == address.octets.count else { return false }
        let whole = width / 8
        guard address.octets.prefix(whole).elementsEqual(other.octets.prefix(whole)) else { return false }
        let bits = width % 8
        guard bits > 0 else { return true }
        let mask = UInt8(truncatingIfNeeded: 0xFF << (8 - bits))
        return address.octets[whole] & mask == other.octets[whole] & mask
    }

    /// The network with the bits beyond its width cleared, as it should be stored.
    public var canonical: IPNetwork {
        var octets = address.octets
        for bit in width..<(octets.count * 8) { octets[bit / 8] &= ~(UInt8(0x80) >> UInt8(bit % 8)) }
        return IPNetwork(address: IPAddress(octets: octets), width: width)
    }

    public var description: String { "\(address)/\(width)" }
}

extension IPAddress {
    init(octets: [UInt8]) { self.octets = octets }
}
