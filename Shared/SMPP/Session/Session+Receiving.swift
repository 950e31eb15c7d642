extension Session {
    /// One PDU, or what is wrong with one, has come.
    public mutating func received(_ framed: Framed, now: Int64) -> SessionAction<Context> {
        guard self.state != .closed else { return .ignore(.sessionOver) }
        self.lastReceived = now
        switch framed {
        case .pdu(let pdu):
            return self.received(pdu, now: now)
        case .malformedRequest(let command, let sequenceNumber, _):
            guard let reply = framed.reply else { return .ignore(.unreadable) }
            // Before anything else a request must be permitted here: the state is the first thing to say.
            if let status = self.refusal(of: command) {
                return .write(.response(to: command, sequenceNumber: sequenceNumber, commandStatus: status))
            }
            if self.isBind(command) {
                self.close()
                return .writeAndClose(reply, .bindRejected)
            }
            return .write(reply)
        case .malformedResponse(let command, let sequenceNumber, let error):
            return self.unreadableResponse(command, sequenceNumber, error)
        case .unknownCommand:
            guard let reply = framed.reply else { return .ignore(.unreadable) }
            return .write(reply)
        case .framingLost:
            self.close()
            guard let reply = framed.reply else { return .close(.framingLost) }
            return .writeAndClose(reply, .framingLost)
        }
    }

    private mutating func received(_ pdu: PDU, now: Int64) -> SessionAction<Context> {
        switch pdu.body {
        case .submitSm, .deliverSm, .dataSm, .submitMulti, .querySm, .cancelSm, .replaceSm, .broadcastSm, .queryBroadcastSm,
            .cancelBroadcastSm:
            return self.requestReceived(pdu)
        case .submitSmResp, .deliverSmResp, .dataSmResp, .submitMultiResp, .querySmResp, .cancelSmResp, .replaceSmResp,
            .broadcastSmResp, .queryBroadcastSmResp, .cancelBroadcastSmResp:
            return self.responseReceived(pdu)
        case .enquireLink:
            // Table 2-1 has it for bound sessions only; answering earlier does no harm, and 5.0 allows it.
            return .write(PDU(.enquireLinkResp, sequenceNumber: pdu.sequenceNumber))
        case .enquireLinkResp:
            guard self.enquireLink?.sequenceNumber == pdu.sequenceNumber else { return .ignore(.unexpectedResponse) }
            self.enquireLink = nil
            return .none
        case .bind(let bind):
            return self.bindReceived(bind, pdu.sequenceNumber)
        case .bindResp(let response):
            return self.bindRespReceived(response, pdu, now: now)
        case .unbind:
            return self.unbindReceived(pdu.sequenceNumber, now: now)
        case .unbindResp:
            guard self.state == .unbinding, pdu.sequenceNumber == self.unbindSequenceNumber else {
                return .ignore(.unexpectedResponse)
            }
            self.close()
            return .close(.unbound)
        case .outbind, .alertNotification:
            if let status = self.refusal(of: pdu.commandID) {
                return .write(PDU(.genericNack, sequenceNumber: pdu.sequenceNumber, commandStatus: status))
            }
            return .deliver(pdu)
        case .genericNack:
            return self.nackReceived(pdu)
        }
    }

    // MARK: Requests

    /// Why a request may not come now; nil when it may.
    private func refusal(of command: CommandID) -> CommandStatus? {
        if command == .enquireLink || command == .unbind { return nil }
        switch self.state {
        case .open:
            if self.role == .smsc && self.isBind(command) { return nil }
            if self.role == .esme && command == .outbind { return nil }
            return .invalidBindStatus
        case .binding:
            return self.isBind(command) ? .alreadyBound : .invalidBindStatus
        case .bound(let kind), .draining(let kind):
            if self.isBind(command) { return .alreadyBound }
            guard Permissions.allows(command, from: self.role.peer, in: kind) else { return .invalidBindStatus }
            if self.configuration.enforcesVersion, !self.agreedVersion.has(command) { return .invalidCommandID }
            // We drain, and the peer gave us no pause: it is to take its next request elsewhere.
            if case .draining = self.state, self.lastReceived >= self.intakeDeadline { return .messageQueueFull }
            return nil
        case .unbinding:
            // It crossed our unbind on its way: a request that was permitted until then is to be made elsewhere, or later. It is not
            // taken: the peer may close as soon as it has answered our unbind, miss our answer, and make it again.
            return Permissions.allows(command, from: self.role.peer, in: .transceiver) ? .messageQueueFull : .invalidBindStatus
        case .peerUnbinding, .closed:
            return .invalidBindStatus
        }
    }

    private func isBind(_ command: CommandID) -> Bool {
        command == .bindTransmitter || command == .bindReceiver || command == .bindTransceiver
    }

    @inline(__always)
    private mutating func requestReceived(_ pdu: PDU) -> SessionAction<Context> {
        if let status = self.refusal(of: pdu.commandID) {
            return .write(.response(to: pdu.commandID, sequenceNumber: pdu.sequenceNumber, commandStatus: status))
        }
        guard self.unansweredRequests < max(1, self.configuration.incomingWindow) else {
            let status = self.configuration.overloadStatus
            return .write(.response(to: pdu.commandID, sequenceNumber: pdu.sequenceNumber, commandStatus: status))
        }
        self.unansweredRequests += 1
        return .deliver(pdu)
    }

    private mutating func bindReceived(_ bind: Bind, _ sequenceNumber: UInt32) -> SessionAction<Context> {
        if let status = self.refusal(of: bind.kind.commandID) {
            return .write(.response(to: bind.kind.commandID, sequenceNumber: sequenceNumber, commandStatus: status))
        }
        self.bindSequenceNumber = sequenceNumber
        self.peerVersion = bind.interfaceVersion
        self.state = .binding(bind.kind)
        return .authenticate(bind)
    }

    private mutating func unbindReceived(_ sequenceNumber: UInt32, now: Int64) -> SessionAction<Context> {
        switch self.state {
        case .open, .binding:
            return .write(PDU(.unbindResp, sequenceNumber: sequenceNumber, commandStatus: .invalidBindStatus))
        case .bound(let kind), .draining(let kind):
            self.unbindSequenceNumber = sequenceNumber
            if self.unansweredRequests == 0 { return self.answerUnbind() }
            self.state = .peerUnbinding(kind)
            self.phaseDeadline = now + self.configuration.unbindTimeoutMilliseconds
            return .none
        case .unbinding:
            // Both sides unbind at once: answer, and the peer's own answer is no longer worth waiting for.
            self.unbindSequenceNumber = sequenceNumber
            return self.answerUnbind()
        case .peerUnbinding, .closed:
            return .ignore(.sessionOver)
        }
    }

    mutating func answerUnbind() -> SessionAction<Context> {
        self.close()
        return .writeAndClose(PDU(.unbindResp, sequenceNumber: self.unbindSequenceNumber), .peerUnbound)
    }

    // MARK: Responses

    @inline(__always)
    private mutating func responseReceived(_ pdu: PDU) -> SessionAction<Context> {
        guard let command = self.window.command(pdu.sequenceNumber) else { return .ignore(.unexpectedResponse) }
        guard command.response == pdu.commandID else { return .ignore(.mismatchedResponse) }
        guard let context = self.takeContext(pdu.sequenceNumber) else { return .ignore(.unexpectedResponse) }
        return .completed(context, pdu)
    }

    private mutating func bindRespReceived(_ response: BindResp, _ pdu: PDU, now: Int64) -> SessionAction<Context> {
        guard self.role == .esme, case .binding(let kind) = self.state else { return .ignore(.unexpectedResponse) }
        guard pdu.sequenceNumber == self.bindSequenceNumber else { return .ignore(.unexpectedResponse) }
        guard pdu.commandStatus == .ok else { return self.bindRefused(pdu.commandStatus) }
        // Some SMSCs answer a bind_transceiver with another bind's response: the number says which bind it was.
        self.state = .bound(kind)
        self.phaseDeadline = nil
        self.peerVersion = response.tlvs.scInterfaceVersion
        return .bound(response)
    }

    private mutating func bindRefused(_ status: CommandStatus) -> SessionAction<Context> {
        self.refusedWith = status
        self.close()
        return .close(.bindRejected)
    }

    private mutating func nackReceived(_ pdu: PDU) -> SessionAction<Context> {
        if let context = self.takeContext(pdu.sequenceNumber) { return .completed(context, pdu) }
        switch self.state {
        case .binding where self.role == .esme && pdu.sequenceNumber == self.bindSequenceNumber:
            return self.bindRefused(pdu.commandStatus)
        case .unbinding where pdu.sequenceNumber == self.unbindSequenceNumber:
            self.close()
            return .close(.unbound)
        case .open, .binding, .bound, .draining, .unbinding, .peerUnbinding, .closed:
            // A peer that knows no enquire_link is alive all the same.
            if self.enquireLink?.sequenceNumber == pdu.sequenceNumber { self.enquireLink = nil }
            return .ignore(.unexpectedResponse)
        }
    }

    private mutating func unreadableResponse(
        _ command: CommandID, _ sequenceNumber: UInt32, _ error: PDUError
    ) -> SessionAction<Context> {
        if self.window.command(sequenceNumber)?.response == command, let context = self.takeContext(sequenceNumber) {
            return .unreadable(context, error)
        }
        if self.role == .esme, case .binding = self.state, self.isBind(command.request), sequenceNumber == self.bindSequenceNumber {
            return self.bindRefused(.unknownError)
        }
        return .ignore(.unreadable)
    }
}
