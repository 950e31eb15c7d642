import NIOCore
import SMPP

/// What the simulator answers to each request.
extension SessionHandler {
    func requestReceived(_ pdu: PDU, now: Int64) {
        switch pdu.body {
        case .submitSm(let submit):
            self.submitReceived(submit, pdu, now: now) { .submitSmResp(SubmitSmResp(messageID: $0)) }
        case .dataSm(let data):
            self.submitReceived(Self.submitSm(data), pdu, now: now) { .dataSmResp(DataSmResp(messageID: $0)) }
        case .submitMulti(let multi):
            self.submitMultiReceived(multi, pdu, now: now)
        case .querySm(let query):
            self.queryReceived(query, pdu, now: now)
        case .cancelSm(let cancel):
            self.cancelReceived(cancel, pdu, now: now)
        case .replaceSm(let replace):
            self.replaceReceived(replace, pdu, now: now)
        case .broadcastSm, .queryBroadcastSm, .cancelBroadcastSm:
            let refusal = PDU.response(to: pdu.commandID, sequenceNumber: pdu.sequenceNumber, commandStatus: .invalidCommandID)
            self.answer(Answer(pdu: refusal, smscid: "", source: "", destination: ""), now: now)
        case .broadcastSmResp, .queryBroadcastSmResp, .cancelBroadcastSmResp, .bind, .bindResp, .outbind, .unbind, .unbindResp,
            .submitSmResp, .submitMultiResp, .deliverSm, .deliverSmResp,
            .dataSmResp, .querySmResp, .cancelSmResp, .replaceSmResp, .enquireLink, .enquireLinkResp, .alertNotification, .genericNack:
            break  // the session machine delivers none of these to an SMSC
        }
    }

    private static func submitSm(_ data: DataSm) -> SubmitSm {
        SubmitSm(
            serviceType: data.serviceType, sourceAddr: data.sourceAddr, destinationAddr: data.destinationAddr, esmClass: data.esmClass,
            registeredDelivery: data.registeredDelivery, dataCoding: data.dataCoding, tlvs: data.tlvs)
    }

    private func deed(of submit: SubmitSm) -> MagicNumber.Deed? {
        MagicNumber.deed(of: submit.destinationAddr.value, prefix: self.core.configuration.magicPrefix)
    }

    /// Nil when the message is to be taken.
    private func refusal(_ submit: SubmitSm) -> CommandStatus? {
        let configuration = self.core.configuration
        if submit.destinationAddr.value.isEmpty { return .invalidDestinationAddress }
        if !self.core.takeRate() { return .throttled }
        switch self.deed(of: submit) {
        case .refuse(let status): return status
        case .refuseFirst(let status): if self.core.isFirst(submit.destinationAddr.value) { return status }
        default: break
        }
        if configuration.throttledPercent > 0, Double.random(in: 0..<100) < configuration.throttledPercent { return .throttled }
        if configuration.refusedPercent > 0, Double.random(in: 0..<100) < configuration.refusedPercent {
            return configuration.refusalStatus
        }
        if submit.registeredDelivery.receipt != 0, configuration.sendsReceipts, !self.core.hasRoomForReceipt { return .messageQueueFull }
        return nil
    }

    private func accept(_ submit: SubmitSm, id: (id: String, receiptID: String), text: ReadableText, now: Int64) {
        self.core.statistics.accepted += 1
        let configuration = self.core.configuration
        let delay = configuration.answerDelayMilliseconds + configuration.receiptDelayMilliseconds
        let deed = self.deed(of: submit)
        let message = SimulatedMessage(
            id: id.id, receiptID: id.receiptID, systemID: self.systemID, source: submit.sourceAddr,
            destination: submit.destinationAddr, acceptedAt: epochMilliseconds(), dueAt: now + delay, text: text.text,
            finalState: deed == .undelivered ? .init(.undeliverable, weight: 1, error: "001") : self.core.pickFinalState(),
            registeredDelivery: submit.registeredDelivery)
        message.deed = deed
        self.core.accept(message)
        if deed == .reply { self.core.reply(to: submit, systemID: self.systemID) }
    }

    private func note(_ submit: SubmitSm, id: String, text: ReadableText, sequence: UInt32) {
        self.core.journal?.note(
            .submit, smscid: id, source: submit.sourceAddr.value, destination: submit.destinationAddr.value, text: text.text,
            systemID: self.systemID, session: self.number, sequence: sequence, detail: text.part)
    }

    private func submitReceived(_ submit: SubmitSm, _ pdu: PDU, now: Int64, response: (String?) -> PDU.Body) {
        self.core.statistics.submits += 1
        let text = ReadableText(userData: submit.userData, esmClass: submit.esmClass, dataCoding: submit.dataCoding)
        var answer = Answer(
            pdu: PDU(response(nil), sequenceNumber: pdu.sequenceNumber), smscid: "", source: submit.sourceAddr.value,
            destination: submit.destinationAddr.value, deed: self.deed(of: submit))
        let refusal = self.refusal(submit)
        self.core.arrivals?.note(submit, isTaken: refusal == nil, now: NIODeadline.now().uptimeNanoseconds)
        if let status = refusal {
            self.core.statistics.refused += 1
            self.note(submit, id: "", text: text, sequence: pdu.sequenceNumber)
            answer.pdu.commandStatus = status
        } else {
            let id = self.core.makeID(for: submit.destinationAddr.value, deed: answer.deed)
            self.note(submit, id: id.id, text: text, sequence: pdu.sequenceNumber)
            self.accept(submit, id: id, text: text, now: now)
            answer.smscid = id.id
            answer.pdu.body = response(id.id)
        }
        self.answer(answer, now: now)
    }

    /// One id for all destinations; each that is refused stands in the answer.
    private func submitMultiReceived(_ multi: SubmitMulti, _ pdu: PDU, now: Int64) {
        let id = self.core.makeID()
        let text = ReadableText(
            userData: multi.shortMessage.isEmpty ? multi.tlvs.messagePayload ?? [] : multi.shortMessage, esmClass: multi.esmClass,
            dataCoding: multi.dataCoding)
        var unsuccessful: [SubmitMultiResp.Unsuccessful] = []
        for destination in multi.destinations {
            self.core.statistics.submits += 1
            guard case .address(let address) = destination else {
                self.core.statistics.refused += 1
                unsuccessful.append(.init(address: SMEAddress(), status: .invalidDistributionListName))
                continue
            }
            let submit = multi.submitSm(to: address)
            let status = self.refusal(submit)
            self.note(submit, id: status == nil ? id.id : "", text: text, sequence: pdu.sequenceNumber)
            if let status {
                self.core.statistics.refused += 1
                unsuccessful.append(.init(address: address, status: status))
            } else {
                self.accept(submit, id: id, text: text, now: now)
            }
        }
        let status: CommandStatus = multi.destinations.isEmpty ? .invalidNumberOfDestinations : .ok
        let response = SubmitMultiResp(messageID: status == .ok ? id.id : nil, unsuccessful: unsuccessful)
        self.answer(
            Answer(
                pdu: PDU(.submitMultiResp(response), sequenceNumber: pdu.sequenceNumber, commandStatus: status),
                smscid: status == .ok ? id.id : "", source: multi.sourceAddr.value, destination: ""),
            now: now)
    }

    private func note(_ event: Journal.Event, _ id: String, _ source: SMEAddress, _ sequence: UInt32, _ text: String = "") {
        self.core.journal?.note(
            event, smscid: id, source: source.value, text: text, systemID: self.systemID, session: self.number, sequence: sequence)
    }

    private func queryReceived(_ query: QuerySm, _ pdu: PDU, now: Int64) {
        self.note(.query, query.messageID, query.sourceAddr, pdu.sequenceNumber)
        var answer = PDU(.querySmResp(QuerySmResp(messageID: nil)), sequenceNumber: pdu.sequenceNumber, commandStatus: .queryFailed)
        if let message = self.core.message(query.messageID, systemID: self.systemID) {
            let isFinal = message.dueAt <= now
            let doneAt = epochMilliseconds() - (now - message.dueAt)
            answer.commandStatus = .ok
            answer.body = .querySmResp(
                QuerySmResp(
                    messageID: message.id, finalDate: isFinal ? SMPPTime.absolute(doneAt) : "",
                    messageState: isFinal ? message.finalState.state : .enroute))
        }
        self.answer(Answer(pdu: answer, smscid: query.messageID, source: query.sourceAddr.value, destination: ""), now: now)
    }

    private func cancelReceived(_ cancel: CancelSm, _ pdu: PDU, now: Int64) {
        self.note(.cancel, cancel.messageID, cancel.sourceAddr, pdu.sequenceNumber)
        var answer = PDU(.cancelSmResp, sequenceNumber: pdu.sequenceNumber, commandStatus: .cancelFailed)
        if let message = self.core.message(cancel.messageID, systemID: self.systemID), message.dueAt > now {
            message.finalState = .init(.deleted, weight: 1)
            answer.commandStatus = .ok
        }
        self.answer(
            Answer(
                pdu: answer, smscid: cancel.messageID, source: cancel.sourceAddr.value, destination: cancel.destinationAddr.value),
            now: now)
    }

    private func replaceReceived(_ replace: ReplaceSm, _ pdu: PDU, now: Int64) {
        var answer = PDU(.replaceSmResp, sequenceNumber: pdu.sequenceNumber, commandStatus: .replaceFailed)
        // replace_sm has no data_coding: the text is in the SMSC's default alphabet.
        let text = ReadableText(userData: replace.shortMessage, esmClass: .default, dataCoding: .smscDefault)
        self.note(.replace, replace.messageID, replace.sourceAddr, pdu.sequenceNumber, text.text)
        if let message = self.core.message(replace.messageID, systemID: self.systemID), message.dueAt > now {
            message.text = text.text
            answer.commandStatus = .ok
        }
        self.answer(Answer(pdu: answer, smscid: replace.messageID, source: replace.sourceAddr.value, destination: ""), now: now)
    }
}
