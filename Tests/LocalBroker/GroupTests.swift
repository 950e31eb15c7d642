import Testing

@testable import LocalBroker

private func join(
    _ memberID: String = "", instance: String? = nil, protocols: [String] = ["range"], known: Bool = false, skip: Bool = false
) -> JoinRequest {
    JoinRequest(
        memberID: memberID, instanceID: instance, clientID: "c", clientHost: "h", sessionTimeout: 10_000, rebalanceTimeout: 30_000,
        protocolType: "consumer", protocols: protocols.map { GroupProtocol(name: $0, metadata: [1]) }, knownIDRequired: known,
        canSkipAssignment: skip)
}

extension GroupAction<String> {
    fileprivate var join: (String, JoinResult)? { if case .joined(let waiter, let result) = self { (waiter, result) } else { nil } }
    fileprivate var sync: (String, SyncResult)? { if case .synced(let waiter, let result) = self { (waiter, result) } else { nil } }
    fileprivate var isPersist: Bool { if case .persist = self { true } else { false } }
}

/// A group with the given members, stable in generation 1; each is assigned its own name.
private func stable(_ instances: [String: String] = [:], members: [String] = ["m1", "m2"]) -> Group<String> {
    var group = Group<String>(id: "g", initialDelay: 10)
    for member in members { _ = group.join(join(instance: instances[member]), waiter: member, newID: member, now: 0) }
    _ = group.timePassed(now: 10)
    let assignments = Dictionary(uniqueKeysWithValues: members.map { ($0, Array($0.utf8)) })
    for member in members.reversed() {
        _ = group.sync(
            memberID: member, instanceID: instances[member], generation: 1, protocolType: nil, protocolName: nil,
            assignments: member == group.leader ? assignments : [:], waiter: member, now: 10)
    }
    return group
}

@Suite struct GroupTests {
    @Test func `members that start together share the first generation`() {
        var group = Group<String>(id: "g", initialDelay: 50)
        #expect(group.join(join(), waiter: "a", newID: "m1", now: 0).isEmpty)
        #expect(group.join(join(), waiter: "b", newID: "m2", now: 20).isEmpty)
        #expect(group.deadline == 50)
        let joined = group.timePassed(now: 50).compactMap(\.join)
        #expect(joined.count == 2)
        #expect(joined.allSatisfy { $0.1.generation == 1 && $0.1.leader == "m1" && $0.1.protocolName == "range" })
        #expect(joined.first { $0.0 == "a" }?.1.members.count == 2)
        #expect(joined.first { $0.0 == "b" }?.1.members.isEmpty == true)
    }

    @Test func `a new dynamic member is given its id first`() {
        var group = Group<String>(id: "g", initialDelay: 0)
        let first = group.join(join(known: true), waiter: "a", newID: "m1", now: 0).first?.join?.1
        #expect(first?.error == .memberIDRequired && first?.memberID == "m1")
        #expect(group.join(join("m1", known: true), waiter: "a", newID: "x", now: 1).first?.join?.1.generation == 1)
        #expect(group.join(join("nobody", known: true), waiter: "a", newID: "x", now: 1).first?.join?.1.error == .unknownMemberID)
    }

    @Test func `the leader's sync settles the group and is written down`() {
        let group = stable()
        #expect(group.state == .stable)
        #expect(group.members["m2"]?.assignment == Array("m2".utf8))
        #expect(Group<String>(restoring: group.snapshot, initialDelay: 0, now: 0).snapshot == group.snapshot)
    }

    @Test func `a member that falls silent is dropped and the rest rebalance`() {
        var group = stable()
        #expect(group.heartbeat(memberID: "m1", instanceID: nil, generation: 1, now: 9_000) == .none)
        _ = group.timePassed(now: 10_011)
        #expect(group.state == .preparingRebalance)
        #expect(group.heartbeat(memberID: "m1", instanceID: nil, generation: 1, now: 10_012) == .rebalanceInProgress)
        #expect(group.heartbeat(memberID: "m2", instanceID: nil, generation: 1, now: 10_012) == .unknownMemberID)
        let actions = group.join(join("m1"), waiter: "a", newID: "x", now: 10_013)
        #expect(actions.first?.join?.1.generation == 2)
    }

    @Test func `who does not come to a rebalance in time is dropped`() {
        var group = stable()
        #expect(group.join(join(), waiter: "c", newID: "m3", now: 100).isEmpty)
        #expect(group.join(join("m1"), waiter: "a", newID: "x", now: 200).isEmpty)
        _ = group.heartbeat(memberID: "m2", instanceID: nil, generation: 1, now: 9_000)
        _ = group.heartbeat(memberID: "m2", instanceID: nil, generation: 1, now: 18_000)
        _ = group.heartbeat(memberID: "m2", instanceID: nil, generation: 1, now: 27_000)
        let joined = group.timePassed(now: 30_200).compactMap(\.join)
        #expect(Set(joined.map(\.0)) == ["a", "c"])
        #expect(group.members["m2"] == nil && group.generation == 2)
    }

    @Test func `a static member that comes back keeps its assignment and fences its old self`() {
        var group = stable(["m1": "one", "m2": "two"])
        let actions = group.join(join(instance: "two"), waiter: "again", newID: "m2b", now: 500)
        #expect(actions.contains { $0.isPersist })
        let answer = actions.compactMap(\.join).first?.1
        #expect(answer?.error == KafkaError.none && answer?.memberID == "m2b" && answer?.generation == 1)
        #expect(group.state == .stable)
        #expect(group.heartbeat(memberID: "m2", instanceID: "two", generation: 1, now: 501) == .fencedInstanceID)
        #expect(group.heartbeat(memberID: "m2b", instanceID: "two", generation: 1, now: 501) == .none)
        let sync = group.sync(
            memberID: "m2b", instanceID: "two", generation: 1, protocolType: nil, protocolName: nil, assignments: [:], waiter: "s", now: 502
        )
        #expect(sync.first?.sync?.1.assignment == Array("m2".utf8))
        #expect(group.checkCommit(memberID: "m2", instanceID: "two", generation: 1, transactional: true, now: 503) == .fencedInstanceID)
    }

    @Test(arguments: [(false, "m1", 0), (true, "m1b", 2)])
    func `a static leader that comes back does not assign anew`(_ canSkip: Bool, _ leader: String, _ members: Int) {
        var group = stable(["m1": "one", "m2": "two"])
        let answer = group.join(join(instance: "one", skip: canSkip), waiter: "a", newID: "m1b", now: 1).compactMap(\.join).first?.1
        #expect(answer?.leader == leader && answer?.skipAssignment == canSkip && answer?.members.count == members)
    }

    @Test func `the last member that leaves empties the group`() {
        var group = stable(members: ["m1"])
        let (error, actions) = group.leave(memberID: "m1", instanceID: nil, now: 20)
        #expect(error == .none && actions.contains { $0.isPersist })
        #expect(group.state == .empty && group.members.isEmpty)
        #expect(group.leave(memberID: "m1", instanceID: nil, now: 21).error == .unknownMemberID)
    }

    @Test(arguments: [
        ("a member of this generation", "m1", Int32(1), false, KafkaError.none), ("of the last one", "m1", 0, false, .illegalGeneration),
        ("a stranger", "x", 1, false, .unknownMemberID), ("no member at all", "", -1, false, .unknownMemberID),
        ("an old transactional producer", "", -1, true, .none), ("a straggler's transaction", "m1", 0, true, .illegalGeneration),
    ])
    func `who may commit offsets`(_ name: String, _ member: String, _ generation: Int32, _ transactional: Bool, _ expected: KafkaError) {
        var group = stable()
        #expect(
            group.checkCommit(memberID: member, instanceID: nil, generation: generation, transactional: transactional, now: 20) == expected,
            "\(name)")
    }

    @Test func `a protocol that not all support is refused`() {
        var group = stable()
        #expect(
            group.join(join(protocols: ["sticky"]), waiter: "c", newID: "m3", now: 20).first?.join?.1.error == .inconsistentGroupProtocol)
    }
}

@Suite struct TransactionTests {
    private var transaction: TransactionSnapshot {
        TransactionSnapshot(id: "t", producerID: 7, epoch: 3, previousProducerID: 7, previousEpoch: 2, timeoutMilliseconds: 1, changed: 0)
    }

    @Test(arguments: [
        (TransactionSnapshot.State.ongoing, true, TransactionSnapshot.End.perform), (.ongoing, false, .perform),
        (.committed, true, .alreadyDone), (.aborted, false, .alreadyDone), (.committed, false, .reject(.invalidTxnState)),
        (.aborted, true, .reject(.invalidTxnState)), (.empty, true, .reject(.invalidTxnState)),
    ])
    func `how a transaction ends`(_ state: TransactionSnapshot.State, _ commit: Bool, _ expected: TransactionSnapshot.End) {
        var transaction = self.transaction
        transaction.state = state
        #expect(transaction.end(commit: commit, producerID: 7, epoch: 3) == expected)
        #expect(transaction.end(commit: commit, producerID: 7, epoch: 2) == .reject(.producerFenced))
        #expect(transaction.end(commit: commit, producerID: 8, epoch: 3) == .reject(.invalidProducerIDMapping))
    }

    @Test func `who may start again`() {
        #expect(transaction.initialize(claimed: nil) == .bump)
        #expect(transaction.initialize(claimed: (7, 3)) == .bump)
        #expect(transaction.initialize(claimed: (7, 2)) == .repeated)
        #expect(transaction.initialize(claimed: (7, 1)) == .reject(.producerFenced))
    }
}
