/// Requests of ours that wait for their answer, in the order in which they were sent.
///
/// Slots in one array, linked by age; a small open-addressed table finds a slot by sequence number. All steps are of
/// constant cost, and nothing is allocated once the array has grown to what the session uses (at most the limit).
/// What belongs to a request is kept by the session under the slot's number: so nothing here is generic, and fast
/// without specialization.
struct RequestWindow: Sendable {
    private struct Slot {
        var sequenceNumber: UInt32
        var command: CommandID
        var deadline: Int64
        var older: Int32
        var newer: Int32
    }

    let limit: Int
    private(set) var count = 0
    private var slots: [Slot] = []
    private var free: [Int32] = []
    private var oldest: Int32 = -1
    private var newest: Int32 = -1
    /// Slot numbers by sequence number; -1 is empty. Its size is a power of two, at least twice the slots.
    private var table: [Int32] = Array(repeating: -1, count: 16)

    init(limit: Int) { self.limit = max(1, min(limit, 1 << 20)) }

    var isFull: Bool { self.count >= self.limit }
    var isEmpty: Bool { self.count == 0 }
    /// Of the oldest request; deadlines grow with age because every request waits equally long.
    var earliestDeadline: Int64? { self.oldest < 0 ? nil : self.slots[Int(self.oldest)].deadline }

    private var mask: Int { self.table.count - 1 }

    /// The caller has seen that the window is not full and that the number is not in use.
    /// - Returns: its slot: one freed before, or the next new one.
    mutating func insert(sequenceNumber: UInt32, command: CommandID, deadline: Int64) -> Int {
        if (self.slots.count + 1) * 2 > self.table.count && self.free.isEmpty { self.growTable() }
        let slot = Slot(
            sequenceNumber: sequenceNumber, command: command, deadline: deadline, older: self.newest, newer: -1)
        let index: Int32
        if let reused = self.free.popLast() {
            index = reused
            self.slots[Int(reused)] = slot
        } else {
            index = Int32(truncatingIfNeeded: self.slots.count)
            self.slots.append(slot)
        }
        if self.newest >= 0 { self.slots[Int(self.newest)].newer = index } else { self.oldest = index }
        self.newest = index
        self.place(index, sequenceNumber)
        self.count += 1
        return Int(index)
    }

    /// The command of the request with this number; nil when none waits.
    func command(_ sequenceNumber: UInt32) -> CommandID? {
        guard let position = self.find(sequenceNumber) else { return nil }
        return self.slots[Int(self.table[position])].command
    }

    /// Frees the request's slot and names it; nil when none waits under this number.
    mutating func remove(_ sequenceNumber: UInt32) -> Int? {
        guard let position = self.find(sequenceNumber) else { return nil }
        let index = self.table[position]
        self.vacate(position)
        self.unlink(index)
        return Int(index)
    }

    /// Takes out the oldest request when its deadline is not after `now`.
    mutating func removeExpired(now: Int64) -> Int? {
        guard let deadline = self.earliestDeadline, deadline <= now else { return nil }
        return self.remove(self.slots[Int(self.oldest)].sequenceNumber)
    }

    private mutating func unlink(_ index: Int32) {
        let at = Int(index)
        let older = self.slots[at].older
        let newer = self.slots[at].newer
        if older >= 0 { self.slots[Int(older)].newer = newer } else { self.oldest = newer }
        if newer >= 0 { self.slots[Int(newer)].older = older } else { self.newest = older }
        self.free.append(index)
        self.count -= 1
    }

    private func find(_ sequenceNumber: UInt32) -> Int? {
        var position = Int(sequenceNumber) & self.mask
        while self.table[position] >= 0 {
            if self.slots[Int(self.table[position])].sequenceNumber == sequenceNumber { return position }
            position = (position + 1) & self.mask
        }
        return nil
    }

    private mutating func place(_ index: Int32, _ sequenceNumber: UInt32) {
        var position = Int(sequenceNumber) & self.mask
        while self.table[position] >= 0 { position = (position + 1) & self.mask }
        self.table[position] = index
    }

    /// Empties a place and moves up what had been pushed beyond it, so that no search ends too early.
    private mutating func vacate(_ position: Int) {
        var hole = position
        var next = (hole + 1) & self.mask
        while self.table[next] >= 0 {
            let home = Int(self.slots[Int(self.table[next])].sequenceNumber) & self.mask
            if ((next - home) & self.mask) >= ((next - hole) & self.mask) {
                self.table[hole] = self.table[next]
                hole = next
            }
            next = (next + 1) & self.mask
        }
        self.table[hole] = -1
    }

    private mutating func growTable() {
        self.table = Array(repeating: -1, count: self.table.count * 2)
        var index = self.oldest
        while index >= 0 {
            self.place(index, self.slots[Int(index)].sequenceNumber)
            index = self.slots[Int(index)].newer
        }
    }
}
