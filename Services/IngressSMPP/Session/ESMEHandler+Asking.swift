import Ingress
import NIOCore
import SMPP
import SMPPMessage
import Store

/// query_sm, cancel_sm and replace_sm: to the desk, which answers later.
extension ESMEHandler {
    func asked(_ query: QuerySm, _ pdu: PDU) { ask(.query, query.messageID, query.sourceAddr, pdu) }

    func asked(_ cancel: CancelSm, _ pdu: PDU) {
        do throws(MessageReader.Refusal) {
            let wish = try MessageReader.cancellation(from: cancel)
            // SMPP 3.4 §4.9.1: without an id all messages between two addresses are meant.
            guard let id = wish.messageID else { return cancelAll(cancel, pdu) }
            ask(.cancel(destination: cancel.destinationAddr.value), id, cancel.sourceAddr, pdu)
        } catch {
            refuse(pdu, error.status)
        }
    }

    func asked(_ replace: ReplaceSm, _ pdu: PDU) { ask(.replace(replace), replace.messageID, replace.sourceAddr, pdu) }

    private func ask(_ wish: DeskRequest.Wish, _ reference: String, _ source: SMEAddress, _ pdu: PDU) {
        guard let context, let account else { return refuse(pdu, .systemError) }
        guard let msgid = connector.msgid(reference) else { return refuse(pdu, .invalidMessageID) }
        let isForced = !(account.forcedSource ?? "").isEmpty
        let request = DeskRequest(wish: wish, msgid: msgid, account: account.username, source: isForced ? nil : source.value)
        if !connector.shared.desk.ask(request, reply: teller(pdu, reference, context)) { refuse(pdu, .throttled) }
    }

    private func cancelAll(_ cancel: CancelSm, _ pdu: PDU) {
        guard let context, let account else { return refuse(pdu, .systemError) }
        let isForced = !(account.forcedSource ?? "").isEmpty
        let request = AddressCancellation(
            account: account.username, source: isForced ? nil : cancel.sourceAddr.value, destination: cancel.destinationAddr.value,
            serviceType: cancel.serviceType)
        if !connector.shared.desk.cancelAll(request, reply: teller(pdu, "", context)) { refuse(pdu, .throttled) }
    }

    /// Brings the desk's answer back to this session's event loop.
    private func teller(_ pdu: PDU, _ reference: String, _ context: ChannelHandlerContext) -> @Sendable (DeskAnswer) -> Void {
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        let eventLoop = context.eventLoop
        let (command, sequenceNumber) = (pdu.commandID, pdu.sequenceNumber)
        return { answer in eventLoop.execute { loopBound.value.told(answer, command, sequenceNumber, reference) } }
    }

    private func told(_ answer: DeskAnswer, _ command: CommandID, _ sequenceNumber: UInt32, _ reference: String) {
        switch answer {
        case .refused(let status): write(.response(to: command, sequenceNumber: sequenceNumber, commandStatus: status))
        case .done: write(.response(to: command, sequenceNumber: sequenceNumber, commandStatus: .ok))
        case .state(let state, let finalDate, let error):
            let response = QuerySmResp(messageID: reference, finalDate: finalDate, messageState: state, errorCode: error)
            write(PDU(.querySmResp(response), sequenceNumber: sequenceNumber))
        }
        session.requestsAnswered(1)
        flushOutsideReading()
    }
}
