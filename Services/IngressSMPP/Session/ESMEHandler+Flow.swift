import Configuration
import Ingress
import NIOCore
import SMPP
import ServiceKit
import Store

/// How fast a client's messages come in: THROUGHPUT of the connector, `throughput` of the account, room in the queues.
extension ESMEHandler {
    /// A message, or several, has come.
    func arrived(_ pdu: PDU) {
        guard let account else { return refuse(pdu, .systemError) }
        guard !room.isFull(account: account.username, connector: connector.name) else {
            IngressMetrics.queueFull.add()
            return refuse(pdu, .messageQueueFull)
        }
        guard !gates.areOpen else { return accept(pdu) }
        if waiting.isEmpty, gates.take(ESMEHandler.messages(in: pdu), now: monotonicMilliseconds()) { return accept(pdu) }
        IngressMetrics.throttled.add()
        switch connector.incoming.throttle {
        case .reject: refuse(pdu, .throttled)
        case .delay:
            waiting.append(pdu)
            if waiting.isMany { hold(true) }
            scheduleWake()
        }
    }

    /// What a request takes of the allowed rate.
    private static func messages(in pdu: PDU) -> Int {
        if case .submitMulti(let multi) = pdu.body { return max(1, multi.destinations.count) }
        return 1
    }

    private func scheduleWake() {
        guard wake == nil, let context else { return }
        let loopBound = NIOLoopBound(self, eventLoop: context.eventLoop)
        // At least a few milliseconds: a fast rate goes on in small groups.
        let wait = max(5, gates.wait(now: monotonicMilliseconds()))
        wake = context.eventLoop.scheduleTask(in: .milliseconds(wait)) { loopBound.value.woken() }
    }

    private func woken() {
        wake = nil
        guard context != nil, account != nil else { return }
        let now = monotonicMilliseconds()
        while let pdu = waiting.first, gates.take(ESMEHandler.messages(in: pdu), now: now) {
            waiting.removeFirst()
            accept(pdu)
        }
        if !waiting.isMany {
            hold(false)
            readFrames()
        }
        if !waiting.isEmpty { scheduleWake() }
        flush()
    }
}
