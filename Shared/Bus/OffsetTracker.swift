import Foundation

/// Which records of one partition are done, where they are done out of order. Pure.
///
/// The offset to commit is that of the oldest record that is not done; what is done above it goes into the commit's note, so that
/// a new owner of the partition does not do it again. The note is a bitmap in base64: bit i stands for offset `committed + 1 + i`.
struct OffsetTracker: Equatable {
    /// Kafka's `offset.metadata.max.bytes` is 4,096: room for 24,576 bits. The claimer stops below that.
    static let maxSpan: Int64 = 20_000

    private var entries: [(offset: Int64, done: Bool)] = []
    private var head = 0
    /// Next offset to expect where nothing is open.
    private var next: Int64
    /// Done by a predecessor, above its committed offset.
    private var doneBefore: Set<Int64>
    /// Something changed since the last commit.
    private(set) var isDirty = false

    static func == (a: OffsetTracker, b: OffsetTracker) -> Bool {
        a.position.offset == b.position.offset && a.position.note == b.position.note
    }

    /// - Parameter committed: the partition's committed offset (negative: none) and its note.
    init(committed: Int64, note: String) {
        next = max(0, committed)
        doneBefore = committed >= 0 ? OffsetTracker.offsets(in: note, above: committed) : []
    }

    /// Takes a record over.
    /// - Returns: `false` where it is done already, by a predecessor.
    mutating func claim(_ offset: Int64) -> Bool {
        guard offset >= next else { return false }  // the same record twice: it is claimed or done already
        let done = doneBefore.remove(offset) != nil
        entries.append((offset, done))
        next = offset + 1
        if done { advance() }
        return !done
    }

    /// - Returns: `false` where it was not open.
    @discardableResult
    mutating func complete(_ offset: Int64) -> Bool {
        var low = head
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].offset < offset { low = middle + 1 } else { high = middle }
        }
        guard low < entries.count, entries[low].offset == offset, !entries[low].done else { return false }
        entries[low].done = true
        isDirty = true
        advance()
        return true
    }

    private mutating func advance() {
        while head < entries.count, entries[head].done {
            head += 1
            isDirty = true
        }
        if head > 1_024, head * 2 > entries.count {
            entries.removeFirst(head)
            head = 0
        }
    }

    /// From the oldest open record to the newest seen.
    var span: Int64 { head < entries.count ? next - entries[head].offset : 0 }
    var openOffsets: [Int64] { entries[head...].compactMap { $0.done ? nil : $0.offset } }
    /// Known as done from the committed position and its note.
    func isDone(_ offset: Int64) -> Bool { offset < next || doneBefore.contains(offset) }

    /// What to commit.
    var position: (offset: Int64, note: String) {
        if Sabotage.commitEarly.isOn { return (next, "") }
        var base = head < entries.count ? entries[head].offset : next
        if head == entries.count {
            // Nothing is open: what a predecessor had done from here on is done.
            while doneBefore.contains(base) { base += 1 }
            if doneBefore.isEmpty || base > next, !doneBefore.contains(where: { $0 > base }) { return (base, "") }
        }
        var bits = [UInt8](repeating: 0, count: Int(max(0, next - base) / 8 + 1))
        var last = -1
        func mark(_ offset: Int64) {
            let bit = Int(offset - base - 1)
            guard bit >= 0, bit / 8 < bits.count else { return }
            bits[bit / 8] |= 1 << UInt8(bit % 8)
            last = max(last, bit / 8)
        }
        for entry in entries[head...] where entry.done { mark(entry.offset) }
        // A predecessor's notes beyond what we have read so far are still true.
        for offset in doneBefore where offset > base && offset - base < OffsetTracker.maxSpan {
            while Int(offset - base - 1) / 8 >= bits.count { bits.append(0) }
            mark(offset)
        }
        guard last >= 0 else { return (base, "") }
        return (base, Data(bits[...last]).base64EncodedString())
    }

    mutating func committed() { isDirty = false }

    private static func offsets(in note: String, above committed: Int64) -> Set<Int64> {
        guard !note.isEmpty, let bits = Data(base64Encoded: note) else { return [] }
        var offsets: Set<Int64> = []
        for (index, byte) in bits.enumerated() where byte != 0 {
            for bit in 0..<8 where byte & (1 << UInt8(bit)) != 0 { offsets.insert(committed + 1 + Int64(index * 8 + bit)) }
        }
        return offsets
    }
}
