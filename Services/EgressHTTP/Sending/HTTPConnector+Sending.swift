import Bus
import Configuration
import Egress
import HTTPProvider
import Logging
import Message
import NIOCore
import ServiceKit

/// From the queue into requests, as fast as the limits allow; and what the answers come to.
extension HTTPConnector {
    /// Fills the window, in the order of the queue.
    func fillWindow() {
        guard !isStopping, !isHeld, !queue.isEmpty else { return }
        let now = monotonicMilliseconds()
        let wallClock = wallClockMilliseconds()
        while hasRoom(now), held < window.size || queue.nextContinues {
            if let later = limits.take(now: now) { return schedulePump(at: later, now) }
            guard let slot = queue.next() else { return limits.giveBack() }
            if expires(slot, wallClock: wallClock) {
                limits.giveBack()
                continue
            }
            if slot.outgoing.message.times.submitted == 0 { slot.outgoing.message.times.submitted = wallClock }
            send(slot, now, wallClock)
        }
        if reach.isDown, reach.retryAt > now { schedulePump(at: reach.retryAt, now) }
    }

    private func hasRoom(_ now: Int64) -> Bool {
        guard window.hasRoom(outstanding: underWay) else { return false }
        return underWay < reach.room(window: window.size, now: now)
    }

    private func send(_ slot: Slot, _ now: Int64, _ wallClock: Int64) {
        var slot = slot
        slot.sentAt = now
        var values = slot.pdu
        values.now = wallClock
        sent(slot)
        underWay += 1
        EgressMetrics.requests.add()
        client.send(http.request.request(for: values)) { [self] end in
            underWay -= 1
            ended(slot, end)
            pump()
            report()
        }
    }

    // MARK: Answers

    private func ended(_ slot: Slot, _ end: RequestEnd) {
        let now = monotonicMilliseconds()
        switch end {
        case .answered(let document):
            EgressMetrics.common.answers.add()
            window.answered(roundTrip: now - slot.sentAt, now: now)
            if reach.answered() { logger.info("the provider answers", metadata: ["connector": "\(name)"]) }
            answered(slot, http.answers.read(document), status: document.status, now)
        case .timedOut:
            EgressMetrics.common.timeouts.add()
            unanswered(
                [slot], http.onTimeout, text: "the provider did not answer within \(configuration.outgoing.responseTimeoutSeconds) s")
        case .lost(let why):
            failed(why, now)
            unanswered([slot], http.onTimeout, text: "the connection was lost before the answer: \(why)")
        case .unreachable(let why):
            EgressMetrics.unreachable.add()
            failed(why, now)
            // The provider has nothing of it: it keeps its place and its attempts.
            giveBack([slot])
        case .impossible(let why): reject(slot, text: why)
        }
    }

    private func failed(_ why: String, _ now: Int64) {
        if !reach.isDown {
            logger.warning("the provider cannot be reached", metadata: ["connector": "\(name)", "reason": "\(why)"])
        }
        reach.failed(why, now: now, chance: Double.random(in: 0...1))
        reportState()
    }

    private func answered(_ slot: Slot, _ answer: ProviderAnswer, status: Int, _ now: Int64) {
        switch answer {
        case .taken(let id):
            guard let smscids = taken(slot, smscid: smscid(of: slot, id), now: now) else { return }
            let message = slot.outgoing.message
            let named = smscids.contains { !$0.isEmpty } ? smscids : []
            let parts = isWhole ? Int(max(1, message.parts)) : smscids.count
            let record = Outcome.submitted(
                message, connector: name, smscids: named, expectsReports: configuration.dlrSupport, parts: parts)
            complete(slot.outgoing, [record])
        case .refused(let verdict, let code, let text):
            // Logs and reports have room for a number: the provider's own where it is one.
            let number = UInt32(code) ?? UInt32(clamping: status)
            refused(slot, by: Refusal(status: number, text: text, verdict: HTTPConnector.verdict(verdict)), now: now)
        }
    }

    private static func verdict(_ verdict: ProviderVerdict) -> ErrorMap.Verdict {
        switch verdict {
        case .throttle: .throttle
        case .retry: .retry
        case .failOver: .failOver
        case .reject: .reject
        }
    }

    /// What the message is known by when its report comes: ours where the provider reports by that, or has none of its own.
    private func smscid(of slot: Slot, _ id: String?) -> String {
        let own = String(slot.outgoing.message.msgid)
        if http.callback?.reports?.rules.areIDsOurs ?? false { return own }
        return id ?? (configuration.dlrSupport ? own : "")
    }
}
