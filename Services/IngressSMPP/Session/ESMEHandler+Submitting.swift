import Bus
import Configuration
import Ingress
import Logging
import Message
import SMPP
import SMPPMessage
import ServiceKit
import Store

/// submit_sm, submit_multi and data_sm: to the bus, and answered when the bus has them.
extension ESMEHandler {
    /// A message that the broker has not acknowledged yet.
    struct Submit {
        var sequenceNumber: UInt32
        /// The message's id as the client knows it.
        var reference: String
        /// The request, which is to be answered.
        var command: CommandID
        /// For submit_multi: the request's ticket, and which destination this is.
        var multi: (ticket: UInt32, address: SMEAddress)?
    }

    /// A submit_multi whose destinations are on their way.
    struct Multi {
        var sequenceNumber: UInt32
        var open: Int
        var reference: String
        var accepted = 0
        var unsuccessful: [SubmitMultiResp.Unsuccessful]
    }

    func accept(_ pdu: PDU) {
        switch pdu.body {
        case .submitSm(let submit): submitted(submit, pdu)
        case .dataSm(let data): submitted(SubmitSm(data), pdu)
        case .submitMulti(let multi): submitted(multi, pdu)
        default: refuse(pdu, .invalidCommandID)
        }
    }

    private func takeTicket() -> UInt32 {
        defer { nextTicket = nextTicket &+ 1 }
        return nextTicket
    }

    private func submitted(_ submit: SubmitSm, _ pdu: PDU) {
        guard let account else { return refuse(pdu, .systemError) }
        var message: ShortMessage
        do throws(MessageReader.Refusal) {
            message = try read(submit, account, now: wallClockMilliseconds())
        } catch {
            connector.logger.info("message refused", metadata: log(["status": "\(error.status)", "reason": "\(error.reason)"]))
            return refuse(pdu, error.status)
        }
        if connector.incoming.messageIDFormat != .decimal { message.clientReference = connector.reference(message.msgid) }
        let ticket = takeTicket()
        if let status = publish(&message, account, ticket) { return refuse(pdu, status) }
        submits[ticket] = Submit(
            sequenceNumber: pdu.sequenceNumber, reference: connector.reference(message.msgid), command: pdu.commandID)
    }

    /// All destinations go to the broker before the answer. They share one id towards the client: that of the first.
    private func submitted(_ multi: SubmitMulti, _ pdu: PDU) {
        guard let account else { return refuse(pdu, .systemError) }
        guard !multi.destinations.isEmpty else { return refuse(pdu, .invalidNumberOfDestinations) }
        var addresses: [SMEAddress] = []
        for destination in multi.destinations {
            // A list cannot be named among the unsuccessful destinations, which are addresses: so nothing is sent.
            guard case .address(let address) = destination else { return refuse(pdu, .cannotSubmitToDistributionList) }
            addresses.append(address)
        }
        let now = wallClockMilliseconds()
        let group = takeTicket()
        var state = Multi(sequenceNumber: pdu.sequenceNumber, open: 0, reference: "", unsuccessful: [])
        for address in addresses {
            func fail(_ status: CommandStatus) {
                state.unsuccessful.append(SubmitMultiResp.Unsuccessful(address: address, status: status))
            }
            do throws(MessageReader.Refusal) {
                var message = try read(multi.submitSm(to: address), account, now: now)
                let own = connector.reference(message.msgid)
                let reference = state.reference.isEmpty ? own : state.reference
                if reference != String(message.msgid) { message.clientReference = reference }
                let ticket = takeTicket()
                if let status = publish(&message, account, ticket) {
                    fail(status)
                    continue
                }
                state.reference = reference
                state.open += 1
                submits[ticket] = Submit(
                    sequenceNumber: pdu.sequenceNumber, reference: own, command: .submitMulti, multi: (group, address))
            } catch {
                fail(error.status)
            }
        }
        guard state.open > 0 else { return refuse(pdu, state.unsuccessful.first?.status ?? .submitFailed) }
        multis[group] = state
    }

    private func read(_ submit: SubmitSm, _ account: Account, now: Int64) throws(MessageReader.Refusal) -> ShortMessage {
        if let most = connector.configuration.messageLengthOctets {
            let octets = max(submit.shortMessage.count, submit.tlvs.messagePayload?.count ?? 0)
            guard octets <= most else {
                throw MessageReader.Refusal(status: .invalidMessageLength, reason: "\(octets) octets, and MESSAGELENGTH is \(most)")
            }
        }
        var message = try MessageReader.message(from: submit, now: now)
        message.msgid = connector.shared.ids.next(now: now)
        if !connector.configuration.smpp.usesPriority { message.priority = 0 }
        message.inConnector = connector.name
        message.account = account.username
        if let forced = account.forcedSource, !forced.isEmpty { message.source = MessageReader.address(forced) }
        message.remoteIp = remote.description
        message.times.accepted = now
        return message
    }

    /// - Returns: the status to refuse with, where the broker is away or behind: the client keeps the message and comes again.
    private func publish(_ message: inout ShortMessage, _ account: Account, _ ticket: UInt32) -> CommandStatus? {
        let reservation = AccountTerms.apply(account, connector.configuration, to: &message)
        do throws(BusError) {
            let record = OutgoingRecord(topic: Topics.accepted, key: message.destination.number, value: encode(message))
            try connector.shared.intake.publish(record, session: number, ticket: ticket, reservation: reservation)
            return nil
        } catch {
            return error.code == .queueFull ? .messageQueueFull : .systemError
        }
    }

    /// The broker has, or has not, what was published. Only now the client gets its answer.
    func settled(_ batch: [Intake.Settled]) {
        var kept = 0
        var answered = 0
        for item in batch {
            guard let submit = submits.removeValue(forKey: item.ticket) else { continue }
            let refusal = item.failure.map { ESMEHandler.status(of: $0) }
            if refusal == nil { kept += 1 } else { IngressMetrics.refusedSubmits.add() }
            if let multi = submit.multi {
                answered += settled(multi.ticket, multi.address, refusal)
                continue
            }
            answered += 1
            if let refusal {
                write(.response(to: submit.command, sequenceNumber: submit.sequenceNumber, commandStatus: refusal))
            } else if submit.command == .dataSm {
                write(PDU(.dataSmResp(DataSmResp(messageID: submit.reference)), sequenceNumber: submit.sequenceNumber))
            } else {
                write(PDU(.submitSmResp(SubmitSmResp(messageID: submit.reference)), sequenceNumber: submit.sequenceNumber))
            }
        }
        IngressMetrics.submits.add(kept)
        session.requestsAnswered(answered)
        flushOutsideReading()
    }

    private static func status(of failure: Intake.Failure) -> CommandStatus {
        failure == .balanceTooLow ? .submitFailed : .systemError
    }

    /// - Returns: 1 where this was the last destination and the answer is written, else 0.
    private func settled(_ ticket: UInt32, _ address: SMEAddress, _ refusal: CommandStatus?) -> Int {
        guard var state = multis.removeValue(forKey: ticket) else { return 0 }
        state.open -= 1
        if let refusal {
            state.unsuccessful.append(SubmitMultiResp.Unsuccessful(address: address, status: refusal))
        } else {
            state.accepted += 1
        }
        guard state.open == 0 else {
            multis[ticket] = state
            return 0
        }
        if state.accepted == 0 {
            let status = state.unsuccessful.last?.status ?? .systemError
            write(.response(to: .submitMulti, sequenceNumber: state.sequenceNumber, commandStatus: status))
        } else {
            let response = SubmitMultiResp(messageID: state.reference, unsuccessful: state.unsuccessful)
            write(PDU(.submitMultiResp(response), sequenceNumber: state.sequenceNumber))
        }
        return 1
    }
}

extension SubmitSm {
    /// The submit_sm that says the same as a data_sm (SMPP 3.4 §4.7.1): its text is in `message_payload`, its validity, in seconds, in
    /// `qos_time_to_live` (§5.3.2.9).
    init(_ data: DataSm) {
        self.init(
            serviceType: data.serviceType, sourceAddr: data.sourceAddr, destinationAddr: data.destinationAddr, esmClass: data.esmClass,
            registeredDelivery: data.registeredDelivery, dataCoding: data.dataCoding, tlvs: data.tlvs)
        if let seconds = data.tlvs.integer(.qosTimeToLive), seconds > 0 {
            validityPeriod = SMPPTime.relative(milliseconds: Int64(seconds) * 1_000)
        }
    }
}
