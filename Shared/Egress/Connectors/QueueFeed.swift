public import Bus
public import Configuration
import Logging
public import Message
public import NIOCore
public import ServiceKit
import SwiftProtobuf

/// Makes of a message what one provider is sent: one part or several.
public protocol PartMaker<Part>: Sendable {
    associatedtype Part: Sendable

    /// - Throws: why it cannot be sent to this provider, in words.
    func parts(of message: ShortMessage) throws -> [Part]
}

/// Brings records from the stage's thread to a connector's event loop: decoded, and made into parts, off that loop.
public struct QueueFeed<Maker: PartMaker>: ConnectorFeed {
    /// How long answers are waited for when a connector stops.
    private static var patience: Duration { .seconds(6) }

    private let name: String
    private let eventLoop: any EventLoop
    private let connector: NIOLoopBound<QueueConnector<Maker.Part>>
    private let logger: Logger
    private let maker: Maker
    private let validitySeconds: Int?
    private let sends: Bool

    public init(_ setup: ConnectorSetup, _ maker: Maker, connector: NIOLoopBound<QueueConnector<Maker.Part>>) {
        name = setup.configuration.name
        eventLoop = setup.eventLoop
        logger = setup.logger
        validitySeconds = setup.configuration.outgoing.validitySeconds
        sends = setup.configuration.mode != .receive
        self.maker = maker
        self.connector = connector
    }

    public func start(_ stage: WindowedStage) async throws { try await eventLoop.submit { connector.value.start(stage) }.get() }

    /// Called on the stage's thread.
    public func receive(_ claimed: [ClaimedRecord]) {
        var ready: [(Claim, ShortMessage, [Maker.Part])] = []
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
                ready.append((item.claim, message, try maker.parts(of: message)))
            } catch {
                let submission = Outcome.ended(message, connector: name, as: .rejected, reason: 0, text: "\(error)")
                ended.append(Completion(claim: item.claim, outputs: [submission], weight: 0))
            }
        }
        let (messages, completed) = (ready, ended)
        eventLoop.execute { connector.value.add(messages, completed) }
    }

    /// Called on the stage's thread.
    public func recorded(_ parts: Int) { eventLoop.execute { connector.value.recorded(parts) } }

    /// Called on the stage's thread, which may wait. A loop that has ended has nothing under way.
    public func hasBegunLeaving() -> Bool { (try? eventLoop.submit { connector.value.hasBegunLeaving() }.wait()) ?? false }

    public func consider(_ msgids: [Int64]) async -> [Int64: QueueOrderVote] {
        (try? await eventLoop.submit { connector.value.consider(msgids) }.get()) ?? [:]
    }

    public func follow(_ options: OutgoingOptions, before: OutgoingOptions, share: SessionShare?) async {
        guard options != before || share != nil else { return }
        try? await eventLoop.submit {
            connector.value.hold(options.isHeld)
            if options.bounces != before.bounces { connector.value.bounce() }
            if let share { connector.value.change(to: share) }
        }.get()
    }

    public func stop() async {
        try? await eventLoop.submit { connector.value.beginStop() }.get()
        let deadline = ContinuousClock.now + QueueFeed.patience
        while ContinuousClock.now < deadline, let isBusy = try? await eventLoop.submit({ connector.value.isBusy }).get(), isBusy {
            try? await Task.sleep(for: .milliseconds(20))
        }
        try? await eventLoop.submit { connector.value.close() }.get()
    }
}
