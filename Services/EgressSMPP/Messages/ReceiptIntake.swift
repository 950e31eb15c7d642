import Egress
import Bus
import Logging
import Message
import NIOCore
import SMPP
import SMPPMessage
import ServiceKit
import Synchronization

/// What providers send, receipts and messages, on its way to the bus. The provider is answered only when the broker has it.
final class ReceiptIntake: Sendable {
    /// A deliver_sm that waits for the broker. The reference is only touched on the session's event loop.
    private struct Waiting: Sendable {
        var eventLoop: any EventLoop
        var session: NIOLoopBound<ProviderHandler>
        var command: CommandID
        var sequenceNumber: UInt32
    }

    private struct State {
        var next: UInt = 1
        var waiting: [UInt: Waiting] = [:]
    }

    private final class Board: Sendable {
        let state = Mutex(State())
    }

    private let board: Board
    private let producer: Producer
    private let ids: SharedMessageIDs
    private let logger: Logger

    init(_ environment: ServiceEnvironment, ids: SharedMessageIDs) throws {
        let board = Board()
        self.board = board
        self.ids = ids
        logger = environment.logger
        producer = try Producer(environment.bus) { deliveries in ReceiptIntake.settled(deliveries, board) }
    }

    func close() { producer.close() }

    /// Called on the session's event loop.
    /// - Parameter command: what the provider sent it as: deliver_sm or data_sm.
    func take(
        _ pdu: DeliverSm, as command: CommandID, from session: ProviderHandler, connector owner: ProviderConnector, sequenceNumber: UInt32
    ) {
        let now = wallClockMilliseconds()
        let (connector, eventLoop) = (owner.name, owner.eventLoop)
        func answer(_ status: CommandStatus) {
            session.answer(.response(to: command, sequenceNumber: sequenceNumber, commandStatus: status))
        }
        let record: OutgoingRecord
        if var receipt = ReceiptReader.receipt(from: pdu, connector: connector, now: now) {
            receipt.smscid = owner.receiptKey(of: receipt.smscid)
            record = OutgoingRecord(topic: Topics.receipts, key: receiptKey(connector, receipt.smscid), value: encode(receipt))
        } else if pdu.esmClass.isDeliveryReceipt {
            // Nobody can say whose it is. Refused, so that the provider's people see it, and logged for ours.
            logger.warning("receipt names no message", metadata: ["connector": "\(connector)"])
            return answer(.permanentAppError)
        } else {
            do throws(MessageReader.Refusal) {
                record = try mobileOriginated(pdu, connector: connector, now: now)
            } catch {
                logger.warning("message refused", metadata: ["connector": "\(connector)", "reason": "\(error.reason)"])
                return answer(error.status)
            }
        }
        let waiting = Waiting(
            eventLoop: eventLoop, session: NIOLoopBound(session, eventLoop: eventLoop), command: command, sequenceNumber: sequenceNumber)
        let token = board.state.withLock { state in
            let token = state.next
            state.next &+= 1
            state.waiting[token] = waiting
            return token
        }
        do throws(BusError) {
            try producer.send(record, token: token)
        } catch {
            _ = board.state.withLock { $0.waiting.removeValue(forKey: token) }
            answer(error.code == .queueFull ? .messageQueueFull : .systemError)
        }
    }

    /// A message from a phone (MO): accepted like a client's, from this connector, with no account of its own yet.
    private func mobileOriginated(_ pdu: DeliverSm, connector: String, now: Int64) throws(MessageReader.Refusal) -> OutgoingRecord {
        var message = try MessageReader.message(from: pdu, now: now)
        message.msgid = ids.next(now: now)
        message.inConnector = connector
        message.times.accepted = now
        message.hops = 1
        return OutgoingRecord(topic: Topics.accepted, key: message.destination.number, value: encode(message))
    }

    private static func settled(_ deliveries: [Delivery], _ board: Board) {
        var byLoop: [ObjectIdentifier: (loop: any EventLoop, answers: [(Waiting, Bool)])] = [:]
        board.state.withLock { state in
            for delivery in deliveries {
                guard let waiting = state.waiting.removeValue(forKey: delivery.token) else { continue }
                byLoop[ObjectIdentifier(waiting.eventLoop), default: (waiting.eventLoop, [])].answers.append(
                    (waiting, delivery.error == nil))
            }
        }
        for (loop, answers) in byLoop.values {
            loop.execute {
                var sessions: [ObjectIdentifier: ProviderHandler] = [:]
                for (waiting, kept) in answers {
                    let session = waiting.session.value
                    if kept { EgressMetrics.receipts.add() }
                    session.answer(
                        .response(to: waiting.command, sequenceNumber: waiting.sequenceNumber, commandStatus: kept ? .ok : .systemError))
                    sessions[ObjectIdentifier(session)] = session
                }
                for session in sessions.values { session.flush() }
            }
        }
    }
}
