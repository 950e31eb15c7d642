import Bus
import Configuration
import Egress
import HTTPProvider
import Logging
import Message
import NIOCore
import SwiftProtobuf

/// Brings records from the stage's thread to a connector's event loop: decoded, and made ready for its templates, off that loop.
struct HTTPQueueFeed: ConnectorFeed {
    private static let patience = Duration.seconds(6)

    private let name: String
    private let eventLoop: any EventLoop
    private let connector: NIOLoopBound<HTTPConnector>
    private let logger: Logger
    private let parts: RequestParts
    private let validitySeconds: Int?
    private let sends: Bool

    init(
        _ configuration: ConnectorConfiguration, _ http: ProviderHTTPOptions, eventLoop: any EventLoop,
        connector: NIOLoopBound<HTTPConnector>,
        logger: Logger
    ) {
        name = configuration.name
        self.eventLoop = eventLoop
        self.connector = connector
        self.logger = logger
        parts = RequestParts(http, configuration.outgoing)
        validitySeconds = configuration.outgoing.validitySeconds
        sends = configuration.mode != .receive
    }

    func start(_ stage: WindowedStage) async throws { try await eventLoop.submit { connector.value.start(stage) }.get() }

    func receive(_ claimed: [ClaimedRecord]) {
        var ready: [(Claim, ShortMessage, [MessageValues])] = []
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
            do throws(RequestParts.Unwritable) {
                ready.append((item.claim, message, try parts.values(of: message)))
            } catch {
                let submission = Outcome.ended(message, connector: name, as: .rejected, reason: 0, text: "\(error)")
                ended.append(Completion(claim: item.claim, outputs: [submission], weight: 0))
            }
        }
        let (messages, completed) = (ready, ended)
        eventLoop.execute { connector.value.add(messages, completed) }
    }

    func recorded(_ parts: Int) { eventLoop.execute { connector.value.recorded(parts) } }

    func follow(_ options: OutgoingOptions, before: OutgoingOptions, share: SessionShare?) async {
        guard options != before || share != nil else { return }
        try? await eventLoop.submit {
            connector.value.hold(options.isHeld)
            if options.bounces != before.bounces { connector.value.bounce() }
            if let share { connector.value.change(to: share) }
        }.get()
    }

    func stop() async {
        try? await eventLoop.submit { connector.value.beginStop() }.get()
        let deadline = ContinuousClock.now + HTTPQueueFeed.patience
        while ContinuousClock.now < deadline, let isBusy = try? await eventLoop.submit({ connector.value.isBusy }).get(), isBusy {
            try? await Task.sleep(for: .milliseconds(20))
        }
        try? await eventLoop.submit { connector.value.close() }.get()
    }
}
