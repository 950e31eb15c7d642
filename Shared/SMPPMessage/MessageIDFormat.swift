/// How a peer writes its message ids. The same number comes as `1A2B` in submit_sm_resp and as `0000006699` in the receipt;
/// ``key(_:)`` makes one spelling of both.
public enum MessageIDFormat: String, Sendable, Hashable, CaseIterable {
    /// Opaque: every character counts.
    case text
    case decimal
    case hexadecimal

    /// `TEXT`, `DECIMAL` (`DEC`, `10`), `HEX` (`HEXADECIMAL`, `16`), in any case; nil when it is none of these.
    public init?(keyword: String) {
        switch keyword.uppercased() {
        case "TEXT": self = .text
        case "DECIMAL", "DEC", "10": self = .decimal
        case "HEX", "HEXADECIMAL", "16": self = .hexadecimal
        default: return nil
        }
    }

    /// The spelling under which ids are compared: of numbers, lower-case hex without leading zeros, `0x` or blanks around
    /// it. What is no number in this format stays as it is.
    public func key(_ id: String) -> String {
        switch self {
        case .text: return id
        case .decimal:
            guard let digits = Self.digits(id, radix: 10) else { return id }
            return Self.hex(ofDecimal: digits)
        case .hexadecimal:
            guard let digits = Self.digits(id, radix: 16) else { return id }
            return String(decoding: digits.map { $0 < 10 ? $0 + 0x30 : $0 + 0x57 }, as: UTF8.self)
        }
    }

    /// Our own id as a client is to see it: decimal, or upper-case hex. `text` is decimal.
    public func render(_ id: Int64) -> String {
        switch self {
        case .text, .decimal: String(id)
        case .hexadecimal: String(UInt64(bitPattern: id), radix: 16, uppercase: true)
        }
    }

    /// Our own id back from what a client wrote, leading zeros and case forgiven; nil when it is none.
    public func parse(_ id: String) -> Int64? {
        switch self {
        case .text, .decimal: Self.digits(id, radix: 10) == nil ? nil : Int64(id.trimmed)
        case .hexadecimal:
            Self.digits(id, radix: 16).flatMap { digits in
                digits.count > 16 ? nil : Int64(bitPattern: digits.reduce(0) { $0 << 4 | UInt64($1) })
            }
        }
    }

    /// The digits' values without leading zeros (zero itself is one zero); nil when anything else stands there.
    private static func digits(_ id: String, radix: UInt8) -> [UInt8]? {
        var octets = Substring(id.trimmed).utf8
        if radix == 16, octets.starts(with: "0x".utf8) || octets.starts(with: "0X".utf8) { octets = octets.dropFirst(2) }
        guard !octets.isEmpty else { return nil }
        var values: [UInt8] = []
        values.reserveCapacity(octets.count)
        for octet in octets {
            let value: UInt8
            switch octet {
            case 0x30...0x39: value = octet - 0x30
            case 0x41...0x46: value = octet - 0x37
            case 0x61...0x66: value = octet - 0x57
            default: return nil
            }
            guard value < radix else { return nil }
            if value != 0 || !values.isEmpty { values.append(value) }
        }
        return values.isEmpty ? [0] : values
    }

    /// Of any length: ids have up to 64 digits. By repeated division by 16.
    private static func hex(ofDecimal digits: [UInt8]) -> String {
        if digits.count <= 18 { return String(digits.reduce(UInt64(0)) { $0 * 10 + UInt64($1) }, radix: 16) }
        var rest = digits
        var reversed: [UInt8] = []
        while !rest.isEmpty {
            var remainder = 0
            var quotient: [UInt8] = []
            for digit in rest {
                let value = remainder * 10 + Int(digit)
                if value / 16 != 0 || !quotient.isEmpty { quotient.append(UInt8(truncatingIfNeeded: value / 16)) }
                remainder = value % 16
            }
            reversed.append(UInt8(truncatingIfNeeded: remainder < 10 ? remainder + 0x30 : remainder + 0x57))
            rest = quotient
        }
        return String(decoding: reversed.reversed(), as: UTF8.self)
    }
}

extension String {
    fileprivate var trimmed: String {
        let octets = self.utf8
        guard let first = octets.firstIndex(where: { $0 > 0x20 }), let last = octets.lastIndex(where: { $0 > 0x20 }) else { return "" }
        return String(self[first...last])
    }
}

/// How a provider writes ids in its responses and in its receipts.
public struct MessageIDFormats: Sendable, Hashable {
    public var response: MessageIDFormat
    public var receipt: MessageIDFormat

    public init(response: MessageIDFormat = .text, receipt: MessageIDFormat = .text) {
        self.response = response
        self.receipt = receipt
    }

    /// The pairs of formats in which the two spellings are one id, the simplest first: as they stand; numbers of one base
    /// that differ in zeros or case; numbers of different bases. Empty when they are two ids.
    public static func pairs(response: String, receipt: String) -> [MessageIDFormats] {
        self.candidates.filter { $0.response.key(response) == $0.receipt.key(receipt) }
    }

    static let candidates: [MessageIDFormats] = [
        .init(), .init(response: .decimal, receipt: .decimal), .init(response: .hexadecimal, receipt: .hexadecimal),
        .init(response: .hexadecimal, receipt: .decimal), .init(response: .decimal, receipt: .hexadecimal),
    ]
}

/// Finds out how a provider writes its ids, from the ids in its responses and those in its receipts. Bounded; pure.
///
/// It remembers the ids of the latest responses. Each receipt votes for the pairs of formats that make one of them of it; as
/// `1000` can be both decimal and hex, only a pair that no receipt so far has spoken against, and that leads by
/// ``votesNeeded``, wins.
public struct MessageIDDetector: Sendable {
    public static let votesNeeded = 3
    private static let remembered = 1_024

    /// What was found; nil as long as it is open. Once found it stays.
    public private(set) var formats: MessageIDFormats?
    /// By candidate: the keys of the remembered responses, how often each stands there.
    private var keys: [[String: Int]]
    private var ring: [String] = []
    private var next = 0
    private var votes: [Int]

    public init() {
        self.keys = Array(repeating: [:], count: MessageIDFormats.candidates.count)
        self.votes = Array(repeating: 0, count: MessageIDFormats.candidates.count)
    }

    /// A response brought this id.
    public mutating func responded(_ id: String) {
        guard self.formats == nil, !id.isEmpty, id.utf8.count <= 64 else { return }
        if self.ring.count < Self.remembered {
            self.ring.append(id)
        } else {
            self.forget(self.ring[self.next])
            self.ring[self.next] = id
            self.next = (self.next + 1) % Self.remembered
        }
        for (index, candidate) in MessageIDFormats.candidates.enumerated() {
            self.keys[index][candidate.response.key(id), default: 0] += 1
        }
    }

    /// A receipt brought this id.
    /// - Returns: the formats, when they are known now.
    @discardableResult
    public mutating func received(_ id: String) -> MessageIDFormats? {
        if let formats { return formats }
        guard !id.isEmpty, id.utf8.count <= 64 else { return nil }
        let hits = MessageIDFormats.candidates.enumerated().filter { self.keys[$0.offset][$0.element.receipt.key(id)] != nil }
        guard !hits.isEmpty else { return nil }  // of a message that was sent long ago: it says nothing
        for index in self.votes.indices {
            self.votes[index] = hits.contains { $0.offset == index } ? self.votes[index] + 1 : 0
        }
        // The simplest of those that all agree on.
        let best = self.votes.indices.max { self.votes[$0] < self.votes[$1] || (self.votes[$0] == self.votes[$1] && $0 > $1) }
        if let best, self.votes[best] >= Self.votesNeeded {
            self.formats = MessageIDFormats.candidates[best]
            self.keys = []
            self.ring = []
        }
        return self.formats
    }

    private mutating func forget(_ id: String) {
        for (index, candidate) in MessageIDFormats.candidates.enumerated() {
            let key = candidate.response.key(id)
            guard let count = self.keys[index][key] else { continue }
            self.keys[index][key] = count > 1 ? count - 1 : nil
        }
    }
}
