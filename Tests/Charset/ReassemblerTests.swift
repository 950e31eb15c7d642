import Charset
import Testing

@Suite struct ReassemblerTests {
    private static func key(_ reference: UInt16, total: UInt8 = 3, origin: String = "a") -> PartKey {
        PartKey(origin: origin, source: "1", destination: "2", reference: reference, numbering: .header8, total: total)
    }

    @Test func `parts in any order become whole in their order`() {
        for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1]] as [[UInt8]] {
            var parts = Reassembler<UInt8>()
            #expect(parts.add(order[0], number: order[0], of: Self.key(7), octets: 10, now: 0) == .waiting)
            #expect(parts.add(order[1], number: order[1], of: Self.key(7), octets: 10, now: 1) == .waiting)
            #expect(parts.octets == 20)
            #expect(parts.add(order[2], number: order[2], of: Self.key(7), octets: 10, now: 2) == .whole([1, 2, 3]))
            #expect(parts.octets == 0)
            #expect(parts.messages == 0)
            #expect(parts.nextDeadline == nil)
        }
    }

    @Test func `parts of other origins, references, totals and numberings do not meet`() {
        var parts = Reassembler<Int>()
        var other = Self.key(1, total: 2)
        other.numbering = .header16
        for (index, key) in [
            Self.key(1, total: 2), Self.key(2, total: 2), Self.key(1, total: 3), Self.key(1, total: 2, origin: "b"), other,
        ]
        .enumerated() {
            #expect(parts.add(index, number: 1, of: key, octets: 1, now: 0) == .waiting)
        }
        #expect(parts.add(9, number: 2, of: Self.key(2, total: 2), octets: 1, now: 0) == .whole([1, 9]))
    }

    @Test func `a part that came before is a duplicate and the first stays`() {
        var parts = Reassembler<String>()
        #expect(parts.add("first", number: 1, of: Self.key(1, total: 2), octets: 5, now: 0) == .waiting)
        #expect(parts.add("again", number: 1, of: Self.key(1, total: 2), octets: 5, now: 0) == .duplicate("again"))
        #expect(parts.octets == 5)
        #expect(parts.add("second", number: 2, of: Self.key(1, total: 2), octets: 5, now: 0) == .whole(["first", "second"]))
    }

    @Test func `numbers that cannot be are handed back, and one of one is whole`() {
        var parts = Reassembler<Int>()
        #expect(parts.add(1, number: 0, of: Self.key(1), octets: 1, now: 0) == .full(1))
        #expect(parts.add(1, number: 4, of: Self.key(1), octets: 1, now: 0) == .full(1))
        #expect(parts.add(1, number: 1, of: Self.key(1, total: 1), octets: 1, now: 0) == .whole([1]))
        #expect(parts.add(1, number: 1, of: Self.key(1, total: 0), octets: 1, now: 0) == .whole([1]))
        #expect(parts.messages == 0)
    }

    @Test func `at a bound the newcomer is refused, and what waits can still become whole`() {
        var few = Reassembler<Int>(limits: .init(messages: 1, octets: 100))
        #expect(few.add(1, number: 1, of: Self.key(1, total: 2), octets: 60, now: 0) == .waiting)
        #expect(few.add(2, number: 1, of: Self.key(2, total: 2), octets: 1, now: 0) == .full(2))
        #expect(few.add(3, number: 2, of: Self.key(1, total: 2), octets: 60, now: 0) == .whole([1, 3]))
        var small = Reassembler<Int>(limits: .init(messages: 10, octets: 100))
        #expect(small.add(1, number: 1, of: Self.key(1, total: 3), octets: 60, now: 0) == .waiting)
        #expect(small.add(2, number: 2, of: Self.key(1, total: 3), octets: 60, now: 0) == .full(2))
        #expect(small.octets == 60)
    }

    @Test func `what stays incomplete is given back when its time is up, oldest first, and a new one may use the key`() {
        var parts = Reassembler<Int>(limits: .init(patienceMilliseconds: 1_000))
        _ = parts.add(12, number: 2, of: Self.key(1), octets: 4, now: 0)
        _ = parts.add(11, number: 1, of: Self.key(1), octets: 4, now: 900)
        _ = parts.add(21, number: 1, of: Self.key(2), octets: 4, now: 500)
        #expect(parts.nextDeadline == 1_000)
        #expect(parts.expired(now: 999).isEmpty)
        let first = parts.expired(now: 1_000)
        #expect(first.map(\.key.reference) == [1])
        #expect(first.first?.parts.map(\.part) == [11, 12])
        #expect(parts.nextDeadline == 1_500)
        _ = parts.add(31, number: 1, of: Self.key(1), octets: 4, now: 1_200)
        #expect(parts.all().map(\.key.reference) == [2, 1])
        #expect(parts.octets == 0)
    }

    @Test func `whatever comes, every part leaves once, and the bounds hold`() {
        for seed in UInt64(1)...100 {
            var random = Seeded(seed)
            let limits = Reassembler<Int>.Limits(messages: 8, octets: 200, patienceMilliseconds: 50)
            var parts = Reassembler<Int>(limits: limits)
            var left: [Int] = []
            var now: Int64 = 0
            for part in 0..<500 {
                now += Int64.random(in: 0...3, using: &random)
                let total = UInt8.random(in: 2...4, using: &random)
                let key = Self.key(UInt16.random(in: 0...9, using: &random), total: total)
                let number = UInt8.random(in: 0...5, using: &random)
                switch parts.add(part, number: number, of: key, octets: Int.random(in: 0...40, using: &random), now: now) {
                case .whole(let whole): left += whole
                case .duplicate(let one), .full(let one): left.append(one)
                case .waiting: break
                }
                if part % 7 == 0 { left += parts.expired(now: now).flatMap { $0.parts.map(\.part) } }
                #expect(parts.messages <= limits.messages)
                #expect(parts.octets <= limits.octets)
            }
            left += parts.all().flatMap { $0.parts.map(\.part) }
            #expect(left.sorted() == Array(0..<500), "seed \(seed)")
        }
    }
}
