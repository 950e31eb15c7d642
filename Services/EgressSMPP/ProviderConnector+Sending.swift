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
    func pump() {
        guard !isStopping, !isHeld, !queue.isEmpty, !sessions.isEmpty else { return }
        let now = monotonicMilliseconds()
        guard throttle.pausedUntil <= now else { return schedulePump(at: throttle.pausedUntil, now) }
        let wallClock = wallClockMilliseconds()
        var open = sessions.values.filter(\.hasRoom)
        let limit = sessions.values.reduce(0) { $0 + $1.windowSize }
        while let session = open.first, held < limit || queue.nextContinues {
            guard session.hasRoom else {
                open.removeFirst()
                continue
            }
            guard takeRate(now) else { break }
            guard let slot = queue.next() else {
                giveRateBack()
                break
            }
            let message = slot.outgoing.message
            if message.expiresAt > 0, message.expiresAt <= wallClock {
                giveRateBack()
                if queue.fail(slot) { expire(slot.outgoing) }
                continue
            }
            if message.times.submitted == 0 { slot.outgoing.message.times.submitted = wallClock }
            if let problem = session.submit(slot, now: now) {
                giveRateBack()
                guard queue.fail(slot) else { continue }
                complete(slot.outgoing, [Outcome.ended(message, connector: name, as: .rejected, reason: 0, text: problem)])
            } else {
                slot.outgoing.held += 1
                held += 1
                EgressMetrics.submits.add()
            }
            // One message after the other round the sessions.
            if open.count > 1 { open.append(open.removeFirst()) }
        }
        for session in sessions.values { session.flush() }
    }

    // MARK: Rates

    /// Room for one part in THROUGHPUT and in what the provider stands; where there is none the next look is scheduled.
    private func takeRate(_ now: Int64) -> Bool {
        if let rate, rate.wait(now: now) > 0 {
            schedulePump(at: now + rate.wait(now: now), now)
            return false
        }
        if let pace, pace.wait(now: now) > 0 {
            schedulePump(at: now + pace.wait(now: now), now)
            return false
        }
        _ = rate?.take(now: now)
        _ = pace?.take(now: now)
        return true
    }

    private func giveRateBack() {
        rate?.giveBack()
        pace?.giveBack()
    }

    /// Follows what the provider was found to stand.
    func paceAnew(_ now: Int64) {
        guard let limit = throttle.limit else {
            pace = nil
            return
        }
        if pace == nil {
            pace = SendRate(perSecond: limit, now: now)
        } else if pace?.perSecond != limit {
            pace?.change(to: limit, now: now)
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

    /// A provider's answer to one part.
    func answered(_ slot: Slot, status: CommandStatus, smscid: String, now: Int64) {
        EgressMetrics.answers.add()
        if status == .ok {
            throttle.accepted(now: now)
            switch queue.answered(slot, smscid: ids.response(smscid)) {
            case .open: break
            case .putOff: leave(slot.outgoing)
            case .taken(let smscids):
                let record = Outcome.submitted(
                    slot.outgoing.message, connector: name, smscids: smscids, expectsReports: configuration.dlrSupport)
                complete(slot.outgoing, [record])
            }
            return
        }
        let refusal = Refusal(
            status: status.rawValue, text: "the provider refused it: \(status)",
            verdict: configuration.outgoing.errorMap.verdict(status.rawValue))
        switch refusal.verdict {
        case .throttle:
            EgressMetrics.throttled.add()
            throttle.throttled(now: now)
            paceAnew(now)
            giveBack([slot])
        case .retry, .failOver:
            if queue.putOff(slot, by: refusal) { leave(slot.outgoing) }
        case .reject:
            guard queue.fail(slot) else { return }
            EgressMetrics.refused.add()
            complete(
                slot.outgoing,
                [Outcome.ended(slot.outgoing.message, connector: name, as: .rejected, reason: refusal.status, text: refusal.text)])
        }
    }

    /// Submits that were not answered in time; their session closes. Whether the provider has them nobody knows.
    func unanswered(_ slots: [Slot]) {
        EgressMetrics.timeouts.add(slots.count)
        for slot in slots { slot.outgoing.isUncertain = true }
        let text = "the provider did not answer within \(configuration.outgoing.responseTimeoutSeconds) s"
        let verdict: ErrorMap.Verdict
        switch configuration.outgoing.onTimeout {
        case .resend: return giveBack(slots)
        case .retry: verdict = .retry
        case .failOver: verdict = .failOver
        }
        for slot in slots where queue.putOff(slot, by: Refusal(status: 0, text: text, verdict: verdict)) { leave(slot.outgoing) }
    }

    func giveBack(_ slots: [Slot]) {
        for slot in slots where !slot.outgoing.isSettled {
            slot.outgoing.held -= 1
            held -= 1
        }
        for outgoing in queue.giveBack(slots) { leave(outgoing) }
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
        complete(outgoing, leaving.records, isEnd: leaving.how == .ended)
    }

    // MARK: Recording

    /// Hands a message's end to the stage; what is held of it stays held until that is recorded.
    /// - Parameter isEnd: it does not come again, to this connector or to another.
    func complete(_ outgoing: Outgoing, _ outputs: [OutgoingRecord], isEnd: Bool = true) {
        completions.append(Completion(claim: outgoing.claim, outputs: outputs, weight: outgoing.held))
        if isEnd { endedIDs.append(outgoing.message.msgid) }
        outgoing.held = 0
    }

    /// The stage has written down what became of that many parts.
    func recorded(_ parts: Int) {
        held -= parts
        pump()
        report()
    }

    func report() {
        guard !completions.isEmpty else { return }
        if let stage {
            let number = stage.complete(completions)
            ended.add(endedIDs, number: number, committed: stage.committedBatch, now: monotonicMilliseconds())
        }
        completions.removeAll(keepingCapacity: true)
        endedIDs.removeAll(keepingCapacity: true)
    }
}
