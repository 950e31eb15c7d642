import Bus
import Logging
import Message
import NIOCore
import SMPP
import SMPPMessage
import SwiftProtobuf

/// Brings records from the stage's thread to a connector's event loop: decoded, and with their PDUs built, off that loop.
struct QueueFeed: Sendable {
    var name: String
    var eventLoop: any EventLoop
    var connector: NIOLoopBound<ProviderConnector>
    var logger: Logger

    /// Called on the stage's thread.
    func receive(_ claimed: [ClaimedRecord]) {
        var ready: [(Claim, ShortMessage, [SubmitSm])] = []
        var ended: [Completion] = []
        ready.reserveCapacity(claimed.count)
        for item in claimed {
            guard let message = try? ShortMessage(serializedBytes: item.record.value) else {
                logger.error("queue record is no message", metadata: ["position": "\(item.record.position)"])
                ended.append(Completion(claim: item.claim, outputs: [], weight: 0))
                continue
            }
            do {
                ready.append((item.claim, message, try MessageWriter.submitSms(for: message)))
            } catch {
                let submission = Outcome.ended(message, connector: name, as: .rejected, reason: 0, text: "\(error)")
                ended.append(Completion(claim: item.claim, outputs: [submission], weight: 0))
            }
        }
        let (messages, completed) = (ready, ended)
        eventLoop.execute { connector.value.add(messages, completed) }
    }

    /// Called on the stage's thread.
    func recorded(_ parts: Int) { eventLoop.execute { connector.value.recorded(parts) } }

    /// Ends the sessions in order, at most within `patience`.
    func stop(patience: Duration = .seconds(6)) async {
        try? await eventLoop.submit { connector.value.beginStop() }.get()
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            guard let busy = try? await eventLoop.submit({ connector.value.hasSessions }).get(), busy else { return }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
