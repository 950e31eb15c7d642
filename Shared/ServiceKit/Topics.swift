public import Bus

/// The topics of docs/architecture.md, section "Topics": one place for their names and their partition counts.
public enum Topics {
    public static let accepted = "sms.accepted"
    /// Scheduled messages whose time has come: for the router, which has not routed them yet.
    public static let due = "sms.due"
    public static let routed = "sms.routed"
    public static let submitted = "sms.submitted"
    public static let receipts = "sms.receipts"
    public static let events = "sms.events"
    public static let dead = "sms.dead"

    /// The queue of one connector. Kafka allows letters, digits, `.`, `_` and `-`: connector names are checked for that when
    /// they are configured.
    public static func queue(_ connector: String) -> String { "sms.queue.\(connector)" }
    /// The fast lane beside it.
    public static func priorityQueue(_ connector: String) -> String { "sms.queue.\(connector).priority" }

    /// What every gateway has, whatever its connectors. `submitted` and `receipts` are joined by key, so they have the same count.
    public static func fixed(partitions: Int, replication: Int) -> [TopicSpecification] {
        ([accepted, due, routed, submitted, receipts, events, dead] + DelayTier.allCases.map(\.topic)).map {
            specification($0, partitions, replication)
        }
    }

    public static func queues(of connector: String, partitions: Int, replication: Int) -> [TopicSpecification] {
        [queue(connector), priorityQueue(connector)].map { specification($0, partitions, replication) }
    }

    /// Of three copies or more all but one must have a record before it is acknowledged: one broker may be away.
    private static func specification(_ name: String, _ partitions: Int, _ replication: Int) -> TopicSpecification {
        TopicSpecification(
            name: name, partitions: partitions, replication: replication,
            settings: replication >= 3 ? ["min.insync.replicas": "\(replication - 1)"] : [:])
    }
}

/// The key of `sms.submitted` and `sms.receipts`: the same for a submission and its receipt, so that both reach the same matcher.
public func receiptKey(_ connector: String, _ smscid: String) -> String { "\(connector)\u{0}\(smscid)" }
