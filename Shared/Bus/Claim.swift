import Synchronization

/// The time for which a partition is ours.
final class Assignment: Sendable {
    private let revoked = Atomic<Bool>(false)

    var isRevoked: Bool { revoked.load(ordering: .acquiring) }
    func revoke() { revoked.store(true, ordering: .releasing) }
}

/// Names a record that was handed out.
public struct Claim: Sendable {
    var partition: TopicPartition
    var offset: Int64
    var assignment: Assignment

    /// The topic that the record was read from.
    public var topic: String { partition.topic }

    /// The partition went to another instance, which does the record anew: what has not been sent yet must not be sent from here.
    public var isVoid: Bool { assignment.isRevoked }
}

/// A record with the claim under which it is to be completed.
public struct ClaimedRecord: Sendable {
    public var claim: Claim
    public var record: Record
}

/// A record is done: what to write about it.
public struct Completion: Sendable {
    public var claim: Claim
    public var outputs: [OutgoingRecord]
    /// What the owner counts it as: given back to `onRecorded` once it is written down.
    public var weight: Int

    public init(claim: Claim, outputs: [OutgoingRecord], weight: Int = 1) {
        self.claim = claim
        self.outputs = outputs
        self.weight = weight
    }
}
