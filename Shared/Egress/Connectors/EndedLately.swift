/// Messages that ended here and that the log may not know of yet: an order to cancel them comes too late. Pure.
struct EndedLately {
    /// After the commit, for a broker that makes it visible a little later.
    private static let keepMilliseconds: Int64 = 10_000

    private struct Batch {
        var number: Int
        var at: Int64
        var msgids: [Int64]
    }

    private var batches: [Batch] = []
    private var head = 0

    /// - Parameters:
    ///   - number: of the batch of completions.
    ///   - committed: the number up to which batches are committed.
    mutating func add(_ msgids: [Int64], number: Int, committed: Int, now: Int64) {
        batches.append(Batch(number: number, at: now, msgids: msgids))
        while batches[head].number <= committed, now - batches[head].at > EndedLately.keepMilliseconds { head += 1 }
        if head > 256, head * 2 > batches.count {
            batches.removeFirst(head)
            head = 0
        }
    }

    /// For orders, which are rare: it looks through all.
    func contains(_ msgid: Int64) -> Bool { batches[head...].contains { $0.msgids.contains(msgid) } }
}
