import Bus
import Message

/// What waits to be sent to one provider, in order, and what was sent and is not answered. Pure: parts are of any type.
///
/// A message leaves exactly once: `answered` with its last part, or `fail`. What a lost session had not answered goes back to the
/// front, in its old order: it may reach the provider twice, and nothing else may.
struct SubmitQueue<Part> {
    /// A message on its way out.
    final class Outgoing {
        let claim: Claim
        var message: ShortMessage
        let parts: [Part]
        /// Rises with the order of arrival.
        let order: Int
        /// One for each part: what became of it.
        var smscids: [String?]
        var attempts = 0
        /// Answers to other parts of a message that has ended are of no interest any more.
        var isSettled = false

        init(claim: Claim, message: ShortMessage, parts: [Part], order: Int) {
            self.claim = claim
            self.message = message
            self.parts = parts
            self.order = order
            smscids = Array(repeating: nil, count: parts.count)
        }
    }

    /// One part of a message: the unit that a window counts.
    struct Slot {
        let outgoing: Outgoing
        let part: Int
        var pdu: Part { outgoing.parts[part] }
    }

    private var waiting: [Slot] = []
    private var head = 0
    private var orders = 0

    var isEmpty: Bool { head == waiting.count }
    var count: Int { waiting.count - head }

    mutating func append(claim: Claim, message: ShortMessage, parts: [Part]) {
        let outgoing = Outgoing(claim: claim, message: message, parts: parts, order: orders)
        orders += 1
        for index in parts.indices { waiting.append(Slot(outgoing: outgoing, part: index)) }
    }

    /// The next part to send; parts of messages that have ended meanwhile, or went to another instance, are passed over.
    mutating func next() -> Slot? {
        while head < waiting.count {
            let slot = waiting[head]
            head += 1
            if head > 1_024, head * 2 > waiting.count {
                waiting.removeFirst(head)
                head = 0
            }
            if slot.outgoing.claim.isVoid { slot.outgoing.isSettled = true }
            if !slot.outgoing.isSettled { return slot }
        }
        waiting.removeAll(keepingCapacity: true)
        head = 0
        return nil
    }

    /// Puts parts back that were not answered, in front of all that came after them.
    mutating func giveBack(_ slots: [Slot]) {
        let returned = slots.filter { !$0.outgoing.isSettled }
        guard !returned.isEmpty else { return }
        var rest = returned + waiting[head...]
        rest.sort { ($0.outgoing.order, $0.part) < ($1.outgoing.order, $1.part) }
        waiting = rest
        head = 0
    }

    /// Notes the provider's id of a part.
    /// - Returns: the ids of all parts, once the last one is there.
    func answered(_ slot: Slot, smscid: String) -> [String]? {
        guard !slot.outgoing.isSettled else { return nil }
        slot.outgoing.smscids[slot.part] = smscid
        let ids = slot.outgoing.smscids.compactMap { $0 }
        guard ids.count == slot.outgoing.parts.count else { return nil }
        slot.outgoing.isSettled = true
        return ids
    }

    /// Ends a message whatever its other parts do.
    /// - Returns: `false` where it had ended before.
    func fail(_ slot: Slot) -> Bool {
        guard !slot.outgoing.isSettled else { return false }
        slot.outgoing.isSettled = true
        return true
    }
}
