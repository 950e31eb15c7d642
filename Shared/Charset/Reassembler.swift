/// Which long message a part belongs to.
public struct PartKey: Sendable, Hashable {
    /// Where it came from (a connector, an account): parts of different origins never meet.
    public var origin: String
    public var source: String
    public var destination: String
    public var reference: UInt16
    /// How the part is numbered: the same reference in another way is another message.
    public var numbering: Numbering
    /// 2 to 255.
    public var total: UInt8

    public enum Numbering: Sendable, Hashable {
        /// Header element 0x00.
        case header8
        /// Header element 0x08.
        case header16
        /// SMPP's sar_* parameters.
        case sar
    }

    public init(origin: String, source: String, destination: String, reference: UInt16, numbering: Numbering, total: UInt8) {
        self.origin = origin
        self.source = source
        self.destination = destination
        self.reference = reference
        self.numbering = numbering
        self.total = total
    }
}

/// Puts parts of long messages together again. It knows no clock and no message: parts are values of the caller's, with a
/// cost in octets; times are milliseconds of any clock that never goes back.
///
/// Bounded three ways: so many messages, so many octets, so long for each from its first part. At a bound nothing is thrown
/// out: the newcomer is refused (``Outcome/full``), and the caller passes that part on by itself.
public struct Reassembler<Part> {
    public struct Limits: Sendable, Hashable {
        /// Messages that wait for parts.
        public var messages: Int
        /// The sum of the parts' costs.
        public var octets: Int
        /// From a message's first part to when it is given up.
        public var patienceMilliseconds: Int64

        public init(messages: Int = 10_000, octets: Int = 16 << 20, patienceMilliseconds: Int64 = 300_000) {
            self.messages = max(1, messages)
            self.octets = max(1, octets)
            self.patienceMilliseconds = max(1, patienceMilliseconds)
        }
    }

    public enum Outcome {
        /// All parts are there, in their order.
        case whole([Part])
        /// It is kept; others are missing.
        case waiting
        /// This part is there already: the newcomer, for the caller to answer. What was kept stays.
        case duplicate(Part)
        /// No room, or a number that cannot be (0, or above the total): the part, for the caller to pass on by itself.
        case full(Part)
    }

    /// A message whose time is up.
    public struct Incomplete {
        public var key: PartKey
        /// The parts that came, by number.
        public var parts: [(number: UInt8, part: Part)]
    }

    fileprivate struct Entry {
        /// In the order of their coming: a list, so that a first part that claims 255 costs no more than one.
        var parts: [(number: UInt8, part: Part)]
        var cost: Int
        var deadline: Int64
    }

    public let limits: Limits
    private var entries: [PartKey: Entry] = [:]
    /// Keys by the time of their first part; those that became whole stay until their turn comes, told by the deadline.
    private var order: [(key: PartKey, deadline: Int64)] = []
    private var orderStart = 0
    /// The costs of all parts that wait.
    public private(set) var octets = 0

    public init(limits: Limits = .init()) { self.limits = limits }

    /// Messages that wait for parts.
    public var messages: Int { self.entries.count }

    /// When ``expired(now:)`` next has something to do; nil when nothing waits.
    public var nextDeadline: Int64? {
        self.order[self.orderStart...].first { self.entries[$0.key]?.deadline == $0.deadline }?.deadline
    }

    /// - Parameters:
    ///   - number: 1 to `key.total`.
    ///   - octets: the part's cost; its size, at least.
    public mutating func add(_ part: Part, number: UInt8, of key: PartKey, octets: Int, now: Int64) -> Outcome {
        guard (1...max(1, key.total)).contains(number) else { return .full(part) }
        if key.total <= 1 { return .whole([part]) }
        let cost = max(1, octets)
        guard var entry = self.entries.removeValue(forKey: key) else {
            guard self.entries.count < self.limits.messages, self.octets + cost <= self.limits.octets else { return .full(part) }
            let deadline = now.addingReportingOverflow(self.limits.patienceMilliseconds)
            let entry = Entry(parts: [(number, part)], cost: cost, deadline: deadline.overflow ? .max : deadline.partialValue)
            self.entries[key] = entry
            self.order.append((key, entry.deadline))
            self.octets += cost
            return .waiting
        }
        if entry.parts.contains(where: { $0.number == number }) {
            self.entries[key] = entry
            return .duplicate(part)
        }
        if entry.parts.count == Int(key.total) - 1 {
            self.octets -= entry.cost
            self.tidy()
            entry.parts.append((number, part))
            return .whole(Self.sorted(entry.parts).map(\.part))
        }
        guard self.octets + cost <= self.limits.octets else {
            self.entries[key] = entry
            return .full(part)
        }
        entry.parts.append((number, part))
        entry.cost += cost
        self.octets += cost
        self.entries[key] = entry
        return .waiting
    }

    /// Takes out the messages whose time is up, oldest first.
    public mutating func expired(now: Int64) -> [Incomplete] {
        var given: [Incomplete] = []
        while self.orderStart < self.order.count, self.order[self.orderStart].deadline <= now {
            let (key, deadline) = self.order[self.orderStart]
            self.orderStart += 1
            guard let entry = self.entries[key], entry.deadline == deadline else { continue }
            self.entries[key] = nil
            self.octets -= entry.cost
            given.append(Incomplete(key: key, parts: Self.sorted(entry.parts)))
        }
        self.tidy()
        return given
    }

    /// Takes out everything, oldest first: for an orderly stop.
    public mutating func all() -> [Incomplete] { self.expired(now: .max) }

    private static func sorted(_ parts: [(number: UInt8, part: Part)]) -> [(number: UInt8, part: Part)] {
        parts.sorted { $0.number < $1.number }
    }

    /// Keeps the list of deadlines in proportion to what waits.
    private mutating func tidy() {
        guard self.order.count > 2 * self.entries.count + 64 else { return }
        self.order = self.order[self.orderStart...].filter { self.entries[$0.key]?.deadline == $0.deadline }
        self.orderStart = 0
    }
}

extension Reassembler.Entry: Sendable where Part: Sendable {}
extension Reassembler: Sendable where Part: Sendable {}
extension Reassembler.Outcome: Sendable where Part: Sendable {}
extension Reassembler.Incomplete: Sendable where Part: Sendable {}
extension Reassembler.Outcome: Equatable where Part: Equatable {}
