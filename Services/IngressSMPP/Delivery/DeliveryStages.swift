import Bus
import Database
import Logging
import ServiceKit
import Synchronization

/// The stages that bring one connector its deliveries: its queue, this instance's mailbox, and mailboxes of instances that are gone.
actor DeliveryStages {
    /// How long an instance may be silent before others see to its mailbox.
    private static let patienceSeconds = 12

    private struct Running {
        var stage: WindowedStage
        var ended: AsyncStream<Void>
    }

    private let connector: String
    private let context: ServiceContext
    private let delivery: ClientDelivery
    private var running: [DeliveryPlace: Running] = [:]
    private var isStopped = false

    init(_ context: ServiceContext, connector: String, delivery: ClientDelivery) {
        self.context = context
        self.connector = connector
        self.delivery = delivery
    }

    func start() async {
        await start(.queue)
        await start(.mailbox)
    }

    func stop() async {
        isStopped = true
        for place in running.keys { running[place]?.stage.stop() }
        for place in Array(running.keys) { await end(place) }
    }

    private func start(_ place: DeliveryPlace) async {
        guard running[place] == nil, !isStopped else { return }
        let environment = context.environment
        let topic: String
        var group = "ingress-smpp.\(connector)"
        switch place {
        case .queue: topic = Topics.queue(connector)
        case .mailbox: (topic, group) = mailbox(environment.instance)
        case .orphaned(let instance): (topic, group) = mailbox(instance)
        }
        var settings = WindowedStage.Settings(
            consumer: ConsumerSettings(group: group, topics: [topic], instance: environment.instance),
            transactionalID: "\(group).\(environment.instance)")
        settings.journalPath = environment.journalPath(group)
        let delivery = delivery
        let stage = WindowedStage(
            environment.bus, settings: settings, onState: context.health.reporter(name(place)),
            onRecorded: { delivery.recorded($0, at: place) }, hasBegun: { delivery.hasBegunLeaving(place) },
            onRecords: { delivery.receive($0, at: place) })
        await delivery.attach(stage, at: place)
        let (ended, end) = AsyncStream<Void>.makeStream()
        startThread(name(place)) {
            stage.run()
            end.finish()
        }
        running[place] = Running(stage: stage, ended: ended)
    }

    private func end(_ place: DeliveryPlace) async {
        guard let one = running.removeValue(forKey: place) else { return }
        one.stage.stop()
        for await _ in one.ended {}
        await delivery.detach(place)
        context.health.remove(name(place))
    }

    private func mailbox(_ instance: String) -> (topic: String, group: String) {
        (Topics.mailbox(connector, instance), "ingress-smpp.mailbox.\(connector).\(instance)")
    }

    private func name(_ place: DeliveryPlace) -> String {
        switch place {
        case .queue: "queue \(connector)"
        case .mailbox: "mailbox \(connector)"
        case .orphaned(let instance): "mailbox \(connector) of \(instance)"
        }
    }

    // MARK: Mailboxes of others

    /// Takes over what lies in the mailboxes of instances that are gone, and lets go of those that are back or empty.
    ///
    /// One of the living does it, the first by name. Should two do it at once, the consumer group gives the mailbox to one of them.
    func lookAfterOrphans() async {
        guard !isStopped else { return }
        let (me, patience) = (context.environment.instance, DeliveryStages.patienceSeconds)
        let service = context.environment.service
        guard
            let rows = try? await context.database.run({ connection in
                try connection.query(
                    """
                    SELECT instance, beat > now() - make_interval(secs => $2::int) AND state <> 'stopped' FROM service_instance
                    WHERE service = $1 AND beat > now() - interval '30 days' ORDER BY instance
                    """, [.text(service), .int(patience)]
                ).map { (try $0.text(0), try $0.bool(1)) }
            })
        else { return }
        let isMine = rows.first { $0.1 }?.0 == me
        let gone = isMine ? rows.filter { !$0.1 && $0.0 != me }.map(\.0) : []
        var filled: Set<String> = []
        if !gone.isEmpty {
            guard let lengths = await lengths(gone) else { return }
            filled = lengths
        }
        for case .orphaned(let instance) in Array(running.keys) where !filled.contains(instance) { await end(.orphaned(instance)) }
        for instance in filled where running[.orphaned(instance)] == nil {
            context.environment.logger.notice(
                "looks after the mailbox of an instance that is gone", metadata: ["connector": "\(connector)", "instance": "\(instance)"])
            await start(.orphaned(instance))
        }
    }

    /// Those of `instances` in whose mailboxes something lies; nil where the broker does not say.
    private func lengths(_ instances: [String]) async -> Set<String>? {
        let configuration = context.environment.bus
        let wanted = instances.map { instance in
            let (topic, group) = mailbox(instance)
            return (instance, GroupTopic(group: group, topic: topic))
        }
        return await withCheckedContinuation { continuation in
            startThread("mailboxes") {
                let lags = try? Admin(configuration).lags(of: wanted.map(\.1))
                continuation.resume(returning: lags.map { lags in Set(wanted.filter { (lags[$0.1] ?? 0) > 0 }.map(\.0)) })
            }
        }
    }
}
