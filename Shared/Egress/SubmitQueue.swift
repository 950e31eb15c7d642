public import Bus
public import Configuration
public import Message

/// Why a message leaves its connector: what a provider said to one of its parts, or did not say.
public struct Refusal: Equatable, Sendable {
    /// The provider's `command_status`; 0 where it said nothing.
    public var status: UInt32
    /// For people.
    public var text: String
    public var verdict: ErrorMap.Verdict

    public init(status: UInt32, text: String, verdict: ErrorMap.Verdict) {
        self.status = status
        self.text = text
        self.verdict = verdict
    }
}

/// What waits to be sent to one provider, in order, and what was sent and is not answered. Pure: parts are of any type.
///
/// A message leaves exactly once: `answered` with its last part, put off once no part of it is under way, or `fail`. What a lost
/// session had not answered goes back to the front, in its old order: it may reach the provider twice, and nothing else may.
public struct SubmitQueue<Part> {
    /// A message on its way out.
    public final class Outgoing {
        public let claim: Claim
        public var message: ShortMessage
        public let parts: [Part]
        /// Rises with the order of arrival.
        public let order: Int
        /// One for each part: what became of it.
        public internal(set) var smscids: [String?]
        /// Parts that the provider may have and that nothing is recorded of yet: what a crash would send again.
        public var held = 0
        /// Parts that were handed out and are neither answered nor given back.
        public internal(set) var underWay = 0
        /// Why it is to leave, once nothing of it is under way any more: to be tried again later, or over another connector.
        public internal(set) var putOffBy: Refusal?
        /// Answers to other parts of a message that has ended are of no interest any more.
        public internal(set) var isSettled = false
        /// A part was sent and its answer never came: the provider may have it.
        public var isUncertain = false
        /// The order by which it was replaced.
        public internal(set) var replacedBy: Int64?

        /// Nobody has any of it, as far as can be known.
        public var isUntouched: Bool { underWay == 0 && !isUncertain && smscids.allSatisfy { $0 == nil } }

        init(claim: Claim, message: ShortMessage, parts: [Part], order: Int) {
            self.claim = claim
            self.message = message
            self.parts = parts
            self.order = order
            smscids = Array(repeating: nil, count: parts.count)
            for taken in message.takenParts where parts.indices.contains(Int(taken.part)) { smscids[Int(taken.part)] = taken.smscid }
        }
    }

    /// What an answer comes to for the whole message.
    public enum Progress {
        /// Other parts are still to be sent or answered; or it had ended before.
        case open
        /// All parts are taken: the provider's ids.
        case taken([String])
        /// It leaves for later, or for another connector.
        case putOff
    }

    /// One part of a message: the unit that a window counts.
    public struct Slot {
        public let outgoing: Outgoing
        public let part: Int
        /// When it was last sent, in milliseconds of the clock that never goes back.
        public var sentAt: Int64 = 0
        public var pdu: Part { outgoing.parts[part] }
    }

    private var waiting: [Slot] = []
    /// What its sender may be about to cancel or to replace: not to be sent before that is decided.
    private var withheld: [Int64: [Slot]] = [:]
    /// All that have not ended, by message id.
    private var open: [Int64: Outgoing] = [:]
    private var head = 0
    private var orders = 0

    public init() {}

    public var isEmpty: Bool { head == waiting.count }

    /// Whether the next part belongs to a message of which the provider has a part already.
    public var nextContinues: Bool {
        for slot in waiting[head...] where !slot.outgoing.isSettled { return slot.outgoing.held > 0 }
        return false
    }
    public var count: Int { waiting.count - head + withheld.values.reduce(0) { $0 + $1.count } }

    public mutating func append(claim: Claim, message: ShortMessage, parts: [Part]) {
        let outgoing = Outgoing(claim: claim, message: message, parts: parts, order: orders)
        orders += 1
        open[message.msgid] = outgoing
        enqueue(outgoing)
    }

    private mutating func enqueue(_ outgoing: Outgoing) {
        let parts = outgoing.parts
        let missing = parts.indices.filter { outgoing.smscids[$0] == nil }
        // Where all are taken already the last one is sent again, for an answer to end it by; nobody writes such a record.
        for index in missing.isEmpty ? parts.indices.suffix(1) : missing { waiting.append(Slot(outgoing: outgoing, part: index)) }
    }

    /// The next part to send; parts of messages that have ended meanwhile, or went to another instance, are passed over.
    public mutating func next() -> Slot? {
        while head < waiting.count {
            let slot = waiting[head]
            head += 1
            if head > 1_024, head * 2 > waiting.count {
                waiting.removeFirst(head)
                head = 0
            }
            // What is begun of a message of several parts is sent to its end while there is time: nobody repeats it then.
            if slot.outgoing.claim.isVoid, !slot.outgoing.claim.isLeaving || slot.outgoing.held == 0 { settle(slot.outgoing) }
            guard !slot.outgoing.isSettled, slot.outgoing.putOffBy == nil else { continue }
            slot.outgoing.underWay += 1
            return slot
        }
        waiting.removeAll(keepingCapacity: true)
        head = 0
        return nil
    }

    /// Puts parts back that were not answered, in front of all that came after them.
    /// - Returns: messages that are to be tried again later, of which nothing is under way any more.
    public mutating func giveBack(_ slots: [Slot]) -> [Outgoing] {
        var leaving: [Outgoing] = []
        for slot in slots {
            slot.outgoing.underWay -= 1
            if leavesForLater(slot.outgoing) { leaving.append(slot.outgoing) }
        }
        let returned = slots.filter { !$0.outgoing.isSettled && $0.outgoing.putOffBy == nil }
        guard !returned.isEmpty else { return leaving }
        insert(returned)
        return leaving
    }

    /// Notes the provider's id of a part.
    public mutating func answered(_ slot: Slot, smscid: String) -> Progress {
        guard !slot.outgoing.isSettled else { return .open }
        slot.outgoing.underWay -= 1
        slot.outgoing.smscids[slot.part] = smscid
        let ids = slot.outgoing.smscids.compactMap { $0 }
        guard ids.count == slot.outgoing.parts.count else { return leavesForLater(slot.outgoing) ? .putOff : .open }
        settle(slot.outgoing)
        return .taken(ids)
    }

    /// A part was refused: no further part is sent, and once those under way are answered the message leaves.
    /// - Returns: whether it leaves now.
    public mutating func putOff(_ slot: Slot, by reason: Refusal) -> Bool {
        guard !slot.outgoing.isSettled else { return false }
        slot.outgoing.underWay -= 1
        slot.outgoing.putOffBy = slot.outgoing.putOffBy ?? reason
        return leavesForLater(slot.outgoing)
    }

    private mutating func leavesForLater(_ outgoing: Outgoing) -> Bool {
        guard !outgoing.isSettled, outgoing.putOffBy != nil, outgoing.underWay <= 0 else { return false }
        settle(outgoing)
        return true
    }

    private mutating func settle(_ outgoing: Outgoing) {
        outgoing.isSettled = true
        let msgid = outgoing.message.msgid
        guard open[msgid] === outgoing else { return }
        open[msgid] = nil
        withheld[msgid] = nil
    }

    /// Takes out the messages that wait here, of which nothing is under way, and whose validity ended by `now`.
    public mutating func expired(now: Int64) -> [Outgoing] {
        var found: [Outgoing] = []
        let all = [Slot](waiting[head...]) + withheld.values.joined()
        for slot in all where !slot.outgoing.isSettled && slot.outgoing.underWay <= 0 && slot.outgoing.putOffBy == nil {
            let expiresAt = slot.outgoing.message.expiresAt
            guard expiresAt > 0, expiresAt <= now, !slot.outgoing.claim.isVoid else { continue }
            settle(slot.outgoing)
            found.append(slot.outgoing)
        }
        return found
    }

    /// Ends a message whatever its other parts do.
    /// - Returns: `false` where it had ended before.
    public mutating func fail(_ slot: Slot) -> Bool { end(slot.outgoing) }

    // MARK: Orders

    /// Whether an answer is awaited to something that is about to go to another instance.
    public var hasBegunLeaving: Bool { open.values.contains { $0.claim.isLeaving && $0.held > 0 } }

    /// The message, where it has not ended.
    public func outgoing(_ msgid: Int64) -> Outgoing? { open[msgid] }

    /// Ends a message whatever its parts do.
    /// - Returns: `false` where it had ended before.
    public mutating func end(_ outgoing: Outgoing) -> Bool {
        guard !outgoing.isSettled else { return false }
        settle(outgoing)
        return true
    }

    /// Keeps a message from being sent.
    public mutating func withhold(_ outgoing: Outgoing) {
        let msgid = outgoing.message.msgid
        guard open[msgid] === outgoing, withheld[msgid] == nil else { return }
        var slots: [Slot] = []
        var rest: [Slot] = []
        for slot in waiting[head...] { if slot.outgoing === outgoing { slots.append(slot) } else { rest.append(slot) } }
        waiting = rest
        head = 0
        withheld[msgid] = slots
    }

    /// Lets a message go on that was withheld, at its old place.
    public mutating func release(_ outgoing: Outgoing) {
        guard let slots = withheld.removeValue(forKey: outgoing.message.msgid) else { return }
        insert(slots)
    }

    /// Puts another text in a message's place; it is withheld where the original was.
    public mutating func replace(_ outgoing: Outgoing, with message: ShortMessage, parts: [Part], by order: Int64) {
        let msgid = outgoing.message.msgid
        guard open[msgid] === outgoing else { return }
        let isWithheld = withheld[msgid] != nil
        settle(outgoing)
        let new = Outgoing(claim: outgoing.claim, message: message, parts: parts, order: outgoing.order)
        new.replacedBy = order
        open[msgid] = new
        let slots = parts.indices.map { Slot(outgoing: new, part: $0) }
        if isWithheld { withheld[msgid] = slots } else { insert(slots) }
    }

    private mutating func insert(_ slots: [Slot]) {
        var rest = slots + waiting[head...]
        rest.sort { ($0.outgoing.order, $0.part) < ($1.outgoing.order, $1.part) }
        waiting = rest
        head = 0
    }
}
