import Bus
import Configuration
import Egress
import Logging
import Message
import NIOCore
import SMPP
import SMPPMessage
import ServiceKit
import SwiftProtobuf

/// Brings records from the stage's thread to a connector's event loop: decoded, and with their PDUs built, off that loop.
struct QueueFeed: ConnectorFeed {
    private let name: String
    private let eventLoop: any EventLoop
    private let connector: NIOLoopBound<ProviderConnector>
    private let logger: Logger
    private let writer: PartWriter
    private let validitySeconds: Int?
    private let sends: Bool

    init(
        _ configuration: ConnectorConfiguration, eventLoop: any EventLoop, connector: NIOLoopBound<ProviderConnector>, logger: Logger
    ) {
        name = configuration.name
        self.eventLoop = eventLoop
        self.connector = connector
        self.logger = logger
        writer = PartWriter(configuration.outgoing, configuration.smpp)
        validitySeconds = configuration.outgoing.validitySeconds
        sends = configuration.mode != .receive
    }

    func start(_ stage: WindowedStage) async throws { try await eventLoop.submit { connector.value.start(stage) }.get() }

    /// Called on the stage's thread.
    func receive(_ claimed: [ClaimedRecord]) {
        var ready: [(Claim, ShortMessage, [SubmitSm])] = []
        var ended: [Completion] = []
        ready.reserveCapacity(claimed.count)
        for item in claimed {
            guard var message = try? ShortMessage(serializedBytes: item.record.value) else {
                logger.error("queue record is no message", metadata: ["position": "\(item.record.position)"])
                ended.append(Completion(claim: item.claim, outputs: [], weight: 0))
                continue
            }
            if let validitySeconds, message.expiresAt == 0 { message.expiresAt = Outcome.ownExpiry(message, validitySeconds) }
            guard sends else {
                let refusal = Refusal(status: 0, text: "the connector only receives (MODE=RX)", verdict: .failOver)
                let records = Outcome.failedOver(message, connector: name, by: refusal, validitySeconds: validitySeconds)
                ended.append(Completion(claim: item.claim, outputs: records, weight: 0))
                continue
            }
            do {
                ready.append((item.claim, message, try writer.submitSms(for: message)))
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

    /// Follows what senders ordered of these messages.
    func consider(_ msgids: [Int64]) async -> [Int64: QueueOrderVote] {
        (try? await eventLoop.submit { connector.value.consider(msgids) }.get()) ?? [:]
    }

    /// Takes over what an operator ordered, and another share of the sessions where there is one.
    func follow(_ options: OutgoingOptions, before: OutgoingOptions, share: SessionShare?) async {
        guard options != before || share != nil else { return }
        try? await eventLoop.submit {
            connector.value.hold(options.isHeld)
            if options.bounces != before.bounces { connector.value.bounce() }
            if let share { connector.value.change(to: share) }
        }.get()
    }

    func stop() async { await stop(patience: .seconds(6)) }

    /// Ends the sessions in order, at most within `patience`.
    private func stop(patience: Duration) async {
        try? await eventLoop.submit { connector.value.beginStop() }.get()
        let deadline = ContinuousClock.now + patience
        while ContinuousClock.now < deadline {
            guard let busy = try? await eventLoop.submit({ connector.value.hasSessions }).get(), busy else { return }
            try? await Task.sleep(for: .milliseconds(20))
        }
    }
}
