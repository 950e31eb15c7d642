import Bus
import Configuration
import Egress
import Message
import NIOCore
import SMPP
import ServiceKit

/// From the queue into the sessions' windows, as fast as the limits allow; and what the answers come to.
extension ProviderConnector {
    /// Fills the windows, in the order of the queue.
    func fillWindows() {
        guard !isStopping, !isHeld, !queue.isEmpty, !sessions.isEmpty else { return }
        let now = monotonicMilliseconds()
        let wallClock = wallClockMilliseconds()
        var open = sessions.values.filter(\.hasRoom)
        let limit = sessions.values.reduce(0) { $0 + $1.windowSize }
        while let session = open.first, held < limit || queue.nextContinues {
            guard session.hasRoom else {
                open.removeFirst()
                continue
            }
            if let later = limits.take(now: now) {
                schedulePump(at: later, now)
                break
            }
            guard let slot = queue.next() else {
                limits.giveBack()
                break
            }
            if expires(slot, wallClock: wallClock) {
                limits.giveBack()
                continue
            }
            if slot.outgoing.message.times.submitted == 0 { slot.outgoing.message.times.submitted = wallClock }
            if let problem = session.submit(slot, now: now) {
                limits.giveBack()
                reject(slot, text: problem)
                continue
            }
            sent(slot)
            EgressMetrics.submits.add()
            // One message after the other round the sessions.
            if open.count > 1 { open.append(open.removeFirst()) }
        }
        for session in sessions.values { session.flush() }
    }

    /// A provider's answer to one part.
    func answered(_ slot: Slot, status: CommandStatus, smscid: String, now: Int64) {
        EgressMetrics.common.answers.add()
        if status == .ok {
            guard let smscids = taken(slot, smscid: ids.response(smscid), now: now) else { return }
            let record = Outcome.submitted(
                slot.outgoing.message, connector: name, smscids: smscids, expectsReports: configuration.dlrSupport)
            return complete(slot.outgoing, [record])
        }
        let refusal = Refusal(
            status: status.rawValue, text: "the provider refused it: \(status)",
            verdict: configuration.outgoing.errorMap.verdict(status.rawValue))
        refused(slot, by: refusal, now: now)
    }

    /// Submits that were not answered in time; their session closes.
    func unanswered(_ slots: [Slot]) {
        EgressMetrics.common.timeouts.add(slots.count)
        unanswered(
            slots, configuration.outgoing.onTimeout,
            text: "the provider did not answer within \(configuration.outgoing.responseTimeoutSeconds) s")
    }
}
