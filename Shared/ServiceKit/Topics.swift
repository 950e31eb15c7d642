public import Bus

/// The topics of docs/architecture.md, section "Topics": one place for their names and their partition counts.
public enum Topics {
    public static let accepted = "sms.accepted"
    /// Scheduled messages whose time has come: for the router, which has not routed them yet.
    public static let due = "sms.due"
    public static let routed = "sms.routed"
    public static let submitted = "sms.submitted"
    public static let receipts = "sms.receipts"
    /// Messages whose money is to be given back (`Submission`): for billing.
    public static let refunds = "sms.refunds"
    public static let events = "sms.events"
    public static let dead = "sms.dead"

    /// The queue of one connector. Kafka allows letters, digits, `.`, `_` and `-`: connector names are checked for that when
    /// they are configured.
    public static func queue(_ connector: String) -> String { "sms.queue.\(connector)" }
    /// The fast lane beside it.
    public static func priorityQueue(_ connector: String) -> String { "sms.queue.\(connector).priority" }

    /// Reports and messages for clients of `connector` that are bound at `instance` and were read by another instance.
    public static func mailbox(_ connector: String, _ instance: String) -> String { "sms.mailbox.\(connector).\(instance)" }

    /// How topics are made: the same counts everywhere, so that joins by key work.
    public struct Layout: Sendable, Equatable {
        /// Four keep two cores busy; more cost a fetch and an index each.
        public var partitions = 4
        public var replication = 1
        /// How long records that were read are kept, for replay.
        public var retentionHours = 168

        public init() {}
    }

    /// Where messages wait, retention must outlast the wait: a record that it removes is a message lost. A provider may be away for
    /// days, and no message is wanted after two weeks.
    static let waitingHours = 14 * 24

    /// What every gateway has, whatever its connectors. `submitted` and `receipts` are joined by key, so they have the same count.
    public static func fixed(_ layout: Layout) -> [TopicSpecification] {
        [accepted, due, routed, submitted, receipts, refunds, events, dead].map { specification($0, layout, hours: layout.retentionHours) }
            + DelayTier.allCases.map { specification($0.topic, layout, hours: max(waitingHours, layout.retentionHours)) }
    }

    public static func queues(of connector: String, _ layout: Layout) -> [TopicSpecification] {
        [queue(connector), priorityQueue(connector)].map { specification($0, layout, hours: max(waitingHours, layout.retentionHours)) }
    }

    /// One partition: one instance reads it.
    public static func mailboxes(of connector: String, instance: String, _ layout: Layout) -> [TopicSpecification] {
        var one = layout
        one.partitions = 1
        return [specification(mailbox(connector, instance), one, hours: max(waitingHours, layout.retentionHours))]
    }

    /// Of three copies or more all but one must have a record before it is acknowledged: one broker may be away.
    private static func specification(_ name: String, _ layout: Layout, hours: Int) -> TopicSpecification {
        var settings = ["retention.ms": "\(Int64(hours) * 3_600_000)", "retention.bytes": "-1"]
        if layout.replication >= 3 { settings["min.insync.replicas"] = "\(layout.replication - 1)" }
        return TopicSpecification(name: name, partitions: layout.partitions, replication: layout.replication, settings: settings)
    }
}

/// The key of `sms.submitted` and `sms.receipts`: the same for a submission and its receipt, so that both reach the same matcher.
public func receiptKey(_ connector: String, _ smscid: String) -> String { "\(connector)\u{0}\(smscid)" }
