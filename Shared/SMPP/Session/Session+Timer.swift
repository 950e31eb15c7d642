extension Session {
    /// When ``timerFired(now:)`` is next due, earlier than now when at once; nil when nothing is waited for.
    public var nextDeadline: Int64? {
        var earliest: Int64
        switch self.state {
        case .closed: return nil
        case .draining where self.isQuiet: return .min
        case .peerUnbinding where self.unansweredRequests == 0: return .min
        case .open, .binding, .bound, .draining, .unbinding, .peerUnbinding: earliest = self.phaseDeadline ?? .max
        }
        if let deadline = self.window.earliestDeadline { earliest = min(earliest, deadline) }
        if case .bound = self.state {
            if let due = self.enquireLinkDue { earliest = min(earliest, due) }
            if self.configuration.idleTimeoutMilliseconds > 0 {
                earliest = min(earliest, self.lastReceived + self.configuration.idleTimeoutMilliseconds)
            }
        }
        return earliest == .max ? nil : earliest
    }

    /// When enquire_link is to be sent, or given up on.
    private var enquireLinkDue: Int64? {
        if let enquireLink { return enquireLink.sentAt + self.configuration.enquireLinkTimeoutMilliseconds }
        let interval = self.configuration.enquireLinkIntervalMilliseconds
        return interval > 0 ? self.lastReceived + interval : nil
    }

    /// Does what is due at `now`. Too early a call does nothing.
    public mutating func timerFired(now: Int64) -> TimerOutcome<Context> {
        let timedOut = self.takeExpiredContexts(now: now)
        return TimerOutcome(timedOut: timedOut, action: self.timerAction(now: now))
    }

    private mutating func timerAction(now: Int64) -> SessionAction<Context> {
        let phaseIsOver = self.phaseDeadline.map { $0 <= now } ?? false
        switch self.state {
        case .closed:
            return .none
        case .open, .binding:
            guard phaseIsOver else { return .none }
            self.close()
            return .close(.bindTimedOut)
        case .draining:
            return self.isQuiet || phaseIsOver ? self.sendUnbind(now: now) : .none
        case .unbinding:
            guard phaseIsOver else { return .none }
            self.close()
            return .close(.unbound)
        case .peerUnbinding:
            return self.unansweredRequests == 0 || phaseIsOver ? self.answerUnbind() : .none
        case .bound:
            return self.keepalive(now: now)
        }
    }

    private mutating func keepalive(now: Int64) -> SessionAction<Context> {
        if let sent = self.enquireLink, sent.sentAt + self.configuration.enquireLinkTimeoutMilliseconds <= now {
            guard self.lastReceived > sent.sentAt else {
                self.close()
                return .close(.enquireLinkUnanswered)
            }
            self.enquireLink = nil  // unanswered, but the peer spoke of other things: it lives
        }
        let idle = self.configuration.idleTimeoutMilliseconds
        if idle > 0, self.lastReceived + idle <= now { return self.unbind(now: now) }
        if self.enquireLink == nil, let due = self.enquireLinkDue, due <= now {
            let sequenceNumber = self.takeSequenceNumber()
            self.enquireLink = (sequenceNumber, now)
            return .write(PDU(.enquireLink, sequenceNumber: sequenceNumber))
        }
        return .none
    }
}
