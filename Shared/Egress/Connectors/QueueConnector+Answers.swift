public import Configuration
import Message
import ServiceKit

/// What providers' answers, and their silence, come to.
extension QueueConnector {
    /// A part goes out.
    public final func sent(_ slot: Slot) {
        slot.outgoing.held += 1
        held += 1
    }

    /// The provider took a part.
    /// - Returns: the provider's ids once it has all of the message, which is then to be completed.
    public final func taken(_ slot: Slot, smscid: String, now: Int64) -> [String]? {
        limits.accepted(now: now)
        switch queue.answered(slot, smscid: smscid) {
        case .open: return nil
        case .putOff:
            leave(slot.outgoing)
            return nil
        case .taken(let smscids): return smscids
        }
    }

    /// The provider did not take a part.
    public final func refused(_ slot: Slot, by refusal: Refusal, now: Int64) {
        switch refusal.verdict {
        case .throttle:
            counters.throttled.add()
            limits.throttled(now: now)
            giveBack([slot])
        case .retry, .failOver:
            if queue.putOff(slot, by: refusal) { leave(slot.outgoing) }
        case .reject:
            guard queue.fail(slot) else { return }
            counters.refused.add()
            end(slot.outgoing, as: .rejected, reason: refusal.status, text: refusal.text)
        }
    }

    /// A part is nothing that could be sent.
    public final func reject(_ slot: Slot, text: String) {
        if queue.fail(slot) { end(slot.outgoing, as: .rejected, reason: 0, text: text) }
    }

    /// Parts whose answer never came: whether the provider has them nobody knows.
    public final func unanswered(_ slots: [Slot], _ onTimeout: OutgoingOptions.OnTimeout, text: String) {
        for slot in slots { slot.outgoing.isUncertain = true }
        let verdict: ErrorMap.Verdict
        switch onTimeout {
        case .resend: return giveBack(slots)
        case .retry: verdict = .retry
        case .failOver: verdict = .failOver
        }
        for slot in slots where queue.putOff(slot, by: Refusal(status: 0, text: text, verdict: verdict)) { leave(slot.outgoing) }
    }

    /// Parts go back to their places: the provider is to be sent them again.
    public final func giveBack(_ slots: [Slot]) {
        for slot in slots where !slot.outgoing.isSettled {
            slot.outgoing.held -= 1
            held -= 1
        }
        for outgoing in queue.giveBack(slots) { leave(outgoing) }
    }

    /// The validity of a message that is not settled has ended.
    /// - Returns: whether it had; then it is settled.
    public final func expires(_ slot: Slot, wallClock: Int64) -> Bool {
        let expiresAt = slot.outgoing.message.expiresAt
        guard expiresAt > 0, expiresAt <= wallClock else { return false }
        if queue.fail(slot) { expire(slot.outgoing) }
        return true
    }

    final func expire(_ outgoing: Outgoing) { end(outgoing, as: .expired, reason: 0, text: "validity period ended in the queue") }

    final func end(_ outgoing: Outgoing, as status: Status, reason: UInt32, text: String) {
        complete(outgoing, [Outcome.ended(outgoing.message, connector: name, as: status, reason: reason, text: text)])
    }

    /// Nothing of it is under way: it leaves for later or for another connector, or ends where there is neither for it.
    private func leave(_ outgoing: Outgoing) {
        guard let leaving = outgoing.leaving(connector: name, options: configuration.outgoing) else { return }
        switch leaving.how {
        case .later: counters.putOff.add()
        case .failedOver: counters.failedOver.add()
        case .ended: break
        }
        complete(outgoing, leaving.records, isEnd: leaving.how == .ended)
    }
}
