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
    func pump() {
        guard !isStopping, !isHeld, !queue.isEmpty else { return }
        let now = monotonicMilliseconds()
        let wallClock = wallClockMilliseconds()
        while hasRoom(now), held < window.size || queue.nextContinues {
            if let later = limits.take(now: now) { return schedulePump(at: later, now) }
            guard let slot = queue.next() else { return limits.giveBack() }
            let expiresAt = slot.outgoing.message.expiresAt
            if expiresAt > 0, expiresAt <= wallClock {
                limits.giveBack()
                if queue.fail(slot) { expire(slot.outgoing) }
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
        slot.outgoing.held += 1
        held += 1
        underWay += 1
        EgressMetrics.requests.add()
        client.send(http.request.request(for: values)) { [self] end in
            underWay -= 1
            ended(slot, end)
            pump()
            report()
        }
    }

    private func schedulePump(at due: Int64, _ now: Int64) {
        if let pumpAt, pumpAt > now, pumpAt <= due { return }
        pumpAt = due
        let loopBound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: .milliseconds(max(1, due - now))) {
            let connector = loopBound.value
            guard connector.pumpAt == due else { return }
            connector.pumpAt = nil
            connector.pump()
            connector.report()
        }
    }

    // MARK: Answers

    private func ended(_ slot: Slot, _ end: RequestEnd) {
        let now = monotonicMilliseconds()
        switch end {
        case .answered(let document):
            EgressMetrics.answers.add()
            window.answered(roundTrip: now - slot.sentAt, now: now)
            if reach.answered() { logger.info("the provider answers", metadata: ["connector": "\(name)"]) }
            answered(slot, http.answers.read(document), status: document.status, now)
        case .timedOut:
            EgressMetrics.timeouts.add()
            unanswered(slot, "the provider did not answer within \(configuration.outgoing.responseTimeoutSeconds) s")
        case .lost(let why):
            failed(why, now)
            unanswered(slot, "the connection was lost before the answer: \(why)")
        case .unreachable(let why):
            EgressMetrics.unreachable.add()
            failed(why, now)
            // The provider has nothing of it: it keeps its place and its attempts.
            giveBack(slot)
        case .impossible(let why):
            guard queue.fail(slot) else { return }
            complete(slot.outgoing, [Outcome.ended(slot.outgoing.message, connector: name, as: .rejected, reason: 0, text: why)])
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
            limits.accepted(now: now)
            switch queue.answered(slot, smscid: smscid(of: slot, id)) {
            case .open: break
            case .putOff: leave(slot.outgoing)
            case .taken(let smscids): taken(slot.outgoing, smscids)
            }
        case .refused(let verdict, let code, let text):
            // Logs and reports have room for a number: the provider's own where it is one.
            let refusal = Refusal(status: UInt32(code) ?? UInt32(clamping: status), text: text, verdict: HTTPConnector.verdict(verdict))
            switch verdict {
            case .throttle:
                EgressMetrics.throttled.add()
                limits.throttled(now: now)
                giveBack(slot)
            case .retry, .failOver:
                if queue.putOff(slot, by: refusal) { leave(slot.outgoing) }
            case .reject:
                guard queue.fail(slot) else { return }
                EgressMetrics.refused.add()
                let message = slot.outgoing.message
                complete(
                    slot.outgoing, [Outcome.ended(message, connector: name, as: .rejected, reason: refusal.status, text: refusal.text)])
            }
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
        if http.callback?.rules.areIDsOurs ?? false { return own }
        return id ?? (configuration.dlrSupport ? own : "")
    }

    private func taken(_ outgoing: Outgoing, _ smscids: [String]) {
        let message = outgoing.message
        let named = smscids.contains { !$0.isEmpty } ? smscids : []
        let parts = isWhole ? Int(max(1, message.parts)) : smscids.count
        complete(
            outgoing,
            [
                Outcome.submitted(
                    message, connector: name, smscids: named, expectsReports: configuration.dlrSupport, parts: parts)
            ])
    }

    /// Whether the provider has it nobody knows.
    private func unanswered(_ slot: Slot, _ why: String) {
        let verdict: ErrorMap.Verdict
        switch http.onTimeout {
        case .resend: return giveBack(slot)
        case .retry: verdict = .retry
        case .failOver: verdict = .failOver
        }
        if queue.putOff(slot, by: Refusal(status: 0, text: why, verdict: verdict)) { leave(slot.outgoing) }
    }

    private func giveBack(_ slot: Slot) {
        if !slot.outgoing.isSettled {
            slot.outgoing.held -= 1
            held -= 1
        }
        for outgoing in queue.giveBack([slot]) { leave(outgoing) }
    }

    func expire(_ outgoing: Outgoing) {
        let text = "validity period ended in the queue"
        complete(outgoing, [Outcome.ended(outgoing.message, connector: name, as: .expired, reason: 0, text: text)])
    }

    /// Nothing of it is under way: it leaves for later or for another connector, or ends where there is neither for it.
    private func leave(_ outgoing: Outgoing) {
        guard let leaving = outgoing.leaving(connector: name, options: configuration.outgoing) else { return }
        switch leaving.how {
        case .later: EgressMetrics.putOff.add()
        case .failedOver: EgressMetrics.failedOver.add()
        case .ended: break
        }
        complete(outgoing, leaving.records)
    }

    // MARK: Recording

    /// Hands a message's end to the stage; what is held of it stays held until that is recorded.
    private func complete(_ outgoing: Outgoing, _ outputs: [OutgoingRecord]) {
        completions.append(Completion(claim: outgoing.claim, outputs: outputs, weight: outgoing.held))
        outgoing.held = 0
    }

    /// The stage has written down what became of that many parts.
    func recorded(_ parts: Int) {
        held -= parts
        pump()
        report()
    }
}
