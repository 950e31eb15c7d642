/// What can be set for a topic, under Kafka's names.
struct TopicLimits: Equatable, Sendable {
    /// -1: without end.
    var retentionMilliseconds: Int64 = 7 * 24 * 3600 * 1000
    /// Of one partition, in octets; -1: without end.
    var retentionBytes: Int64 = -1
    /// nil: as the broker is configured.
    var segmentBytes: Int?
    var segmentMilliseconds: Int64 = 7 * 24 * 3600 * 1000
    var maxMessageBytes = 1_048_588

    init() {}

    init(_ settings: [String: String]) {
        if let value = settings["retention.ms"].flatMap(Int64.init) { retentionMilliseconds = value }
        if let value = settings["retention.bytes"].flatMap(Int64.init) { retentionBytes = value }
        if let value = settings["segment.bytes"].flatMap(Int.init) { segmentBytes = value }
        if let value = settings["segment.ms"].flatMap(Int64.init) { segmentMilliseconds = value }
        if let value = settings["max.message.bytes"].flatMap(Int.init) { maxMessageBytes = value }
    }

    /// Settings that mean something here.
    static let names = ["cleanup.policy", "max.message.bytes", "retention.bytes", "retention.ms", "segment.bytes", "segment.ms"]
    /// Accepted for the sake of scripts written for a cluster, and without effect on one node.
    static let ignored: Set = [
        "min.insync.replicas", "compression.type", "message.timestamp.type", "unclean.leader.election.enable", "flush.messages",
        "flush.ms", "delete.retention.ms", "file.delete.delay.ms", "index.interval.bytes", "segment.index.bytes", "segment.jitter.ms",
        "preallocate", "min.cleanable.dirty.ratio", "min.compaction.lag.ms", "max.compaction.lag.ms", "message.timestamp.difference.max.ms",
        "message.timestamp.before.max.ms", "message.timestamp.after.max.ms", "message.format.version", "message.downconversion.enable",
    ]

    /// What is wrong with a setting; nil when nothing is.
    static func fault(in name: String, _ value: String) -> String? {
        func number(_ range: ClosedRange<Int64>) -> String? {
            guard let number = Int64(value), range.contains(number) else {
                return "\(name) must be a number from \(range.lowerBound) to \(range.upperBound)"
            }
            return nil
        }
        switch name {
        case "cleanup.policy":
            return value == "delete" ? nil : "cleanup.policy can only be delete: this broker does not compact"
        case "retention.ms", "retention.bytes": return number(-1...Int64.max)
        case "segment.ms": return number(1...Int64.max)
        case "segment.bytes": return number(1 << 14...1 << 30)
        case "max.message.bytes": return number(0...(100 << 20))
        case "message.timestamp.type":
            return value == "CreateTime" ? nil : "message.timestamp.type can only be CreateTime"
        case "compression.type":
            return value == "producer" ? nil : "compression.type can only be producer: batches are kept as they came"
        default: return ignored.contains(name) ? nil : "there is no topic setting \(name)"
        }
    }

    func value(of name: String, defaultSegmentBytes: Int) -> String? {
        switch name {
        case "cleanup.policy": "delete"
        case "retention.ms": "\(retentionMilliseconds)"
        case "retention.bytes": "\(retentionBytes)"
        case "segment.bytes": "\(segmentBytes ?? defaultSegmentBytes)"
        case "segment.ms": "\(segmentMilliseconds)"
        case "max.message.bytes": "\(maxMessageBytes)"
        default: nil
        }
    }
}
