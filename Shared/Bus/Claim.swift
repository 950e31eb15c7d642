import Synchronization

/// The time for which a partition is ours.
final class Assignment: Sendable {
    private enum Stand: UInt8, AtomicRepresentable {
        case ours, leaving, revoked
    }
    private let stand = Atomic<Stand>(.ours)

    var isOurs: Bool { stand.load(ordering: .acquiring) == .ours }
    var isRevoked: Bool { stand.load(ordering: .acquiring) == .revoked }
    /// It goes to somebody else once what was begun is answered.
    var isLeaving: Bool { stand.load(ordering: .acquiring) == .leaving }
    func leave() { _ = stand.compareExchange(expected: .ours, desired: .leaving, ordering: .acquiringAndReleasing) }
    func revoke() { stand.store(.revoked, ordering: .releasing) }
}

/// Names a record that was handed out.
public struct Claim: Sendable {
    var partition: TopicPartition
    var offset: Int64
    var assignment: Assignment

    /// The topic that the record was read from.
    public var topic: String { partition.topic }

    /// The partition went, or is about to go, to another instance, which does the record anew: what has not been sent yet must not be
    /// sent from here.
    public var isVoid: Bool { !assignment.isOurs }

    /// The partition is about to go: what was begun may still be finished here, and then the other instance does not repeat it.
    public var isLeaving: Bool { assignment.isLeaving }

    /// Nothing that is done here counts any more.
    var isRevoked: Bool { assignment.isRevoked }
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
