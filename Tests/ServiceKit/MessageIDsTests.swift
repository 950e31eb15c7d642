import ServiceKit
import Testing

@Suite struct `Message ids` {
    @Test func `rise and never repeat, also within a millisecond and when the clock steps back`() {
        var ids = MessageIDs(slot: 5)
        var last: Int64 = 0
        let start: Int64 = 1_800_000_000_000
        for step in 0..<20_000 {
            let now = step < 10_000 ? start + Int64(step / 6_000) : start - 5_000
            let id = ids.next(now: now)
            #expect(id > last)
            last = id
        }
        #expect(MessageIDs.time(of: last) - start < 10)
    }

    @Test func `differ between slots in the same millisecond`() {
        var a = MessageIDs(slot: 1)
        var b = MessageIDs(slot: 2)
        let first = Set((0..<1_000).map { _ in a.next(now: 1_800_000_000_000) })
        let second = Set((0..<1_000).map { _ in b.next(now: 1_800_000_000_000) })
        #expect(first.isDisjoint(with: second))
    }
}
