/// One way of assigning partitions that a member offers, with its subscription.
struct GroupProtocol: Equatable, Sendable {
    var name: String
    var metadata: [UInt8]
}

/// A request to join.
struct JoinRequest: Equatable, Sendable {
    var memberID: String
    var instanceID: String?
    var clientID: String
    var clientHost: String
    var sessionTimeout: Int32
    var rebalanceTimeout: Int32
    var protocolType: String
    var protocols: [GroupProtocol]
    /// From version 4 on a new member is first given its id, and joins with it (KIP-394).
    var knownIDRequired: Bool
    /// From version 9 on a static leader that comes back is told to leave the assignment as it is (KIP-814).
    var canSkipAssignment: Bool
}

struct JoinResult: Equatable, Sendable {
    struct Member: Equatable, Sendable {
        var id: String
        var instanceID: String?
        var metadata: [UInt8]
    }

    var error: KafkaError = .none
    var generation: Int32 = -1
    var protocolType: String?
    var protocolName: String?
    var leader = ""
    var memberID = ""
    var skipAssignment = false
    var members: [Member] = []
}

struct SyncResult: Equatable, Sendable {
    var error: KafkaError = .none
    var protocolType: String?
    var protocolName: String?
    var assignment: [UInt8] = []
}

/// What the shell must do after an event. `Waiter` is whatever waits for an answer.
enum GroupAction<Waiter> {
    case joined(Waiter, JoinResult)
    case synced(Waiter, SyncResult)
    /// The group settled, or emptied: write it down.
    case persist
}

/// A consumer group: a state machine without clock or I/O. Every event takes the time (milliseconds, any origin) and
/// returns what to do; `deadline` says when `timePassed` is due next.
///
///     empty -> preparingRebalance -> completingRebalance -> stable
///
/// Source: Kafka's GroupCoordinator; KIP-345 (static membership), KIP-394 (member id required), KIP-814 (skip assignment).
struct Group<Waiter> {
    enum State: String {
        case empty = "Empty", preparingRebalance = "PreparingRebalance", completingRebalance = "CompletingRebalance", stable = "Stable",
            dead = "Dead"
    }

    struct Member {
        var id: String
        var instanceID: String?
        var clientID: String
        var clientHost: String
        var sessionTimeout: Int32
        var rebalanceTimeout: Int32
        var protocols: [GroupProtocol]
        var assignment: [UInt8] = []
        var joining: Waiter?
        var syncing: Waiter?
        var expires: Int64
        /// The order of joining: the oldest becomes the leader.
        var order: Int

        func metadata(of protocolName: String?) -> [UInt8] {
            protocols.first { $0.name == protocolName }?.metadata ?? []
        }
    }

    /// Bounds what one group can hold. Kafka's group.max.size has none by default.
    static var largest: Int { 2000 }

    let id: String
    private(set) var state = State.empty
    private(set) var protocolType = ""
    private(set) var protocolName: String?
    private(set) var generation: Int32 = 0
    private(set) var leader: String?
    private(set) var members: [String: Member] = [:]
    private(set) var instances: [String: String] = [:]
    /// Ids given out, whose owners have not joined yet, with the time at which they lapse.
    private(set) var pending: [String: Int64] = [:]
    private var rebalanceDeadline: Int64?
    private var earliestCompletion: Int64 = 0
    private var nextOrder = 0
    /// How long an empty group waits for more members before its first generation.
    let initialDelay: Int64

    init(id: String, initialDelay: Int64) {
        self.id = id
        self.initialDelay = initialDelay
    }

    /// As it was written down. Sessions start afresh at `now`.
    init(restoring snapshot: GroupSnapshot, initialDelay: Int64, now: Int64) {
        self.init(id: snapshot.groupID, initialDelay: initialDelay)
        protocolType = snapshot.protocolType
        protocolName = snapshot.protocolName
        generation = snapshot.generation
        leader = snapshot.leader
        for member in snapshot.members {
            members[member.id] = Member(
                id: member.id, instanceID: member.instanceID, clientID: member.clientID, clientHost: member.clientHost,
                sessionTimeout: member.sessionTimeout, rebalanceTimeout: member.rebalanceTimeout, protocols: member.protocols,
                assignment: member.assignment, expires: now + Int64(member.sessionTimeout), order: nextOrder)
            nextOrder += 1
            if let instance = member.instanceID { instances[instance] = member.id }
        }
        state = members.isEmpty ? .empty : .stable
    }

    var snapshot: GroupSnapshot {
        GroupSnapshot(
            groupID: id, protocolType: protocolType, protocolName: protocolName, generation: generation, leader: leader,
            members: members.values.sorted { $0.order < $1.order }.map {
                .init(
                    id: $0.id, instanceID: $0.instanceID, clientID: $0.clientID, clientHost: $0.clientHost,
                    sessionTimeout: $0.sessionTimeout, rebalanceTimeout: $0.rebalanceTimeout, protocols: $0.protocols,
                    assignment: $0.assignment)
            })
    }

    /// When `timePassed` has something to do; nil when nothing is due.
    var deadline: Int64? {
        var earliest = members.values.lazy.filter { $0.joining == nil && $0.syncing == nil }.map(\.expires).min()
        if let lapse = pending.values.min() { earliest = min(earliest ?? lapse, lapse) }
        if state == .preparingRebalance, let end = rebalanceDeadline {
            let due = everyoneIsHere ? earliestCompletion : end
            earliest = min(earliest ?? due, due)
        }
        return earliest
    }

    private var everyoneIsHere: Bool { pending.isEmpty && members.values.allSatisfy { $0.joining != nil } }

    // MARK: Joining

    /// - Parameter newID: the member id to use if one has to be made up.
    mutating func join(_ request: JoinRequest, waiter: Waiter, newID: String, now: Int64) -> [GroupAction<Waiter>] {
        func refuse(_ error: KafkaError, memberID: String? = nil) -> [GroupAction<Waiter>] {
            [.joined(waiter, JoinResult(error: error, memberID: memberID ?? request.memberID))]
        }
        guard !request.protocols.isEmpty, !request.protocolType.isEmpty else { return refuse(.inconsistentGroupProtocol) }
        if !members.isEmpty {
            let offered = Set(request.protocols.map(\.name))
            let others = members.values.filter {
                $0.id != request.memberID && ($0.instanceID == nil || $0.instanceID != request.instanceID)
            }
            guard request.protocolType == protocolType || others.isEmpty,
                offered.contains(where: { name in others.allSatisfy { $0.protocols.contains { $0.name == name } } })
            else { return refuse(.inconsistentGroupProtocol) }
        }
        if request.memberID.isEmpty {
            if let instance = request.instanceID {
                if let old = instances[instance] {
                    return replace(old, instance: instance, with: request, newID: newID, waiter: waiter, now: now)
                }
            } else if request.knownIDRequired {
                guard members.count + pending.count < Self.largest else { return refuse(.groupMaxSizeReached) }
                pending[newID] = now + Int64(request.sessionTimeout)
                return refuse(.memberIDRequired, memberID: newID)
            }
            guard members.count < Self.largest else { return refuse(.groupMaxSizeReached) }
            return add(newID, request, waiter, now: now)
        }
        if let instance = request.instanceID {
            guard let current = instances[instance] else { return refuse(.unknownMemberID) }
            guard current == request.memberID else { return refuse(.fencedInstanceID) }
        }
        if pending.removeValue(forKey: request.memberID) != nil { return add(request.memberID, request, waiter, now: now) }
        guard let member = members[request.memberID] else { return refuse(.unknownMemberID) }
        switch state {
        case .preparingRebalance: return update(request, waiter, now: now) + completeIfReady(now: now)
        case .completingRebalance:
            if member.protocols == request.protocols { return [.joined(waiter, currentGeneration(for: member.id))] }
            return update(request, waiter, now: now) + prepare(now: now)
        case .stable:
            if member.protocols == request.protocols, member.id != leader {
                return [.joined(waiter, currentGeneration(for: member.id))]
            }
            return update(request, waiter, now: now) + prepare(now: now)
        case .empty, .dead: return refuse(.unknownMemberID)
        }
    }

    private mutating func add(_ memberID: String, _ request: JoinRequest, _ waiter: Waiter, now: Int64) -> [GroupAction<Waiter>] {
        members[memberID] = Member(
            id: memberID, instanceID: request.instanceID, clientID: request.clientID, clientHost: request.clientHost,
            sessionTimeout: request.sessionTimeout, rebalanceTimeout: request.rebalanceTimeout, protocols: request.protocols,
            joining: waiter, expires: now + Int64(request.sessionTimeout), order: nextOrder)
        nextOrder += 1
        protocolType = request.protocolType
        if let instance = request.instanceID { instances[instance] = memberID }
        if leader == nil { leader = memberID }
        return prepare(now: now)
    }

    private mutating func update(_ request: JoinRequest, _ waiter: Waiter, now: Int64) -> [GroupAction<Waiter>] {
        var actions: [GroupAction<Waiter>] = []
        let memberID = request.memberID
        if let earlier = members[memberID]?.joining {
            actions.append(.joined(earlier, JoinResult(error: .rebalanceInProgress, memberID: memberID)))
        }
        members[memberID]?.joining = waiter
        members[memberID]?.protocols = request.protocols
        members[memberID]?.sessionTimeout = request.sessionTimeout
        members[memberID]?.rebalanceTimeout = request.rebalanceTimeout
        members[memberID]?.expires = now + Int64(request.sessionTimeout)
        return actions
    }

    /// A static member came back without its id: it takes its old place, and whoever still uses the old id is fenced.
    private mutating func replace(
        _ old: String, instance: String, with request: JoinRequest, newID: String, waiter: Waiter, now: Int64
    ) -> [GroupAction<Waiter>] {
        guard var member = members.removeValue(forKey: old) else { return add(newID, request, waiter, now: now) }
        var actions: [GroupAction<Waiter>] = []
        if let joining = member.joining { actions.append(.joined(joining, JoinResult(error: .fencedInstanceID, memberID: old))) }
        if let syncing = member.syncing { actions.append(.synced(syncing, SyncResult(error: .fencedInstanceID))) }
        let oldLeader = leader
        if leader == old { leader = newID }
        member.id = newID
        member.joining = nil
        member.syncing = nil
        member.protocols = request.protocols
        member.clientID = request.clientID
        member.clientHost = request.clientHost
        member.sessionTimeout = request.sessionTimeout
        member.rebalanceTimeout = request.rebalanceTimeout
        member.expires = now + Int64(request.sessionTimeout)
        members[newID] = member
        instances[instance] = newID
        if state == .stable, vote() == protocolName {
            // No rebalance: it gets its old assignment with the next sync. Before version 9 it must not think itself the
            // leader, or it would assign anew.
            var result = currentGeneration(for: newID)
            if !request.canSkipAssignment {
                result.leader = oldLeader ?? ""
                result.members = []
            } else {
                result.skipAssignment = leader == newID
            }
            return actions + [.persist, .joined(waiter, result)]
        }
        members[newID]?.joining = waiter
        return actions + (state == .preparingRebalance ? completeIfReady(now: now) : prepare(now: now))
    }

    private func currentGeneration(for memberID: String) -> JoinResult {
        JoinResult(
            generation: generation, protocolType: protocolType, protocolName: protocolName, leader: leader ?? "", memberID: memberID,
            members: memberID == leader ? joinMembers : [])
    }

    private var joinMembers: [JoinResult.Member] {
        members.values.sorted { $0.order < $1.order }.map {
            .init(id: $0.id, instanceID: $0.instanceID, metadata: $0.metadata(of: protocolName))
        }
    }

    // MARK: Rebalancing

    private mutating func prepare(now: Int64) -> [GroupAction<Waiter>] {
        var actions: [GroupAction<Waiter>] = []
        if state != .preparingRebalance {
            // The first generation of an empty group waits a moment, so that members that start together share it.
            earliestCompletion = state == .empty ? now + initialDelay : now
            if state == .completingRebalance {
                for (memberID, member) in members {
                    members[memberID]?.assignment = []
                    if let waiter = member.syncing {
                        members[memberID]?.syncing = nil
                        members[memberID]?.expires = now + Int64(member.sessionTimeout)
                        actions.append(.synced(waiter, SyncResult(error: .rebalanceInProgress)))
                    }
                }
            }
            state = .preparingRebalance
            rebalanceDeadline = now + Int64(members.values.map(\.rebalanceTimeout).max() ?? 0)
        } else if let end = rebalanceDeadline {
            rebalanceDeadline = max(end, now + Int64(members.values.map(\.rebalanceTimeout).max() ?? 0))
        }
        return actions + completeIfReady(now: now)
    }

    private mutating func completeIfReady(now: Int64) -> [GroupAction<Waiter>] {
        guard state == .preparingRebalance, everyoneIsHere, now >= earliestCompletion else { return [] }
        return complete(now: now)
    }

    /// Ends the collecting of members: those who did not come are dropped, but for static ones, whose session decides.
    private mutating func complete(now: Int64) -> [GroupAction<Waiter>] {
        for (memberID, member) in members where member.joining == nil && member.instanceID == nil { remove(memberID) }
        generation = generation == Int32.max ? 1 : generation + 1
        rebalanceDeadline = nil
        guard !members.isEmpty else {
            state = .empty
            protocolName = nil
            leader = nil
            return [.persist]
        }
        guard members.values.contains(where: { $0.joining != nil }) else {
            // Only absent static members are left: wait for them, or for the end of their sessions.
            rebalanceDeadline = now + Int64(members.values.map(\.rebalanceTimeout).max() ?? 1000)
            generation -= 1
            return []
        }
        protocolName = vote()
        if leader.flatMap({ members[$0]?.joining }) == nil {
            leader = members.values.filter { $0.joining != nil }.min { $0.order < $1.order }?.id
        }
        state = .completingRebalance
        var actions: [GroupAction<Waiter>] = []
        for (memberID, member) in members {
            guard let waiter = member.joining else { continue }
            members[memberID]?.joining = nil
            members[memberID]?.expires = now + Int64(member.sessionTimeout)
            actions.append(.joined(waiter, currentGeneration(for: memberID)))
        }
        return actions
    }

    /// The protocol that all support and most prefer.
    private func vote() -> String? {
        guard let first = members.values.min(by: { $0.order < $1.order }) else { return nil }
        let common = first.protocols.map(\.name).filter { name in
            members.values.allSatisfy { $0.protocols.contains { $0.name == name } }
        }
        var votes: [String: Int] = [:]
        for member in members.values {
            if let choice = member.protocols.first(where: { common.contains($0.name) }) { votes[choice.name, default: 0] += 1 }
        }
        let most = votes.values.max() ?? 0
        return common.first { votes[$0] == most }
    }

    private mutating func remove(_ memberID: String) {
        guard let member = members.removeValue(forKey: memberID) else { return }
        if let instance = member.instanceID, instances[instance] == memberID { instances[instance] = nil }
        if leader == memberID { leader = members.values.min { $0.order < $1.order }?.id }
    }

    // MARK: Syncing, heartbeats, leaving

    /// Whether a member may speak for itself: it is known, and nobody else has its static name.
    private func check(_ memberID: String, _ instanceID: String?) -> KafkaError {
        if let instanceID, let current = instances[instanceID], current != memberID { return .fencedInstanceID }
        if let instanceID, instances[instanceID] == nil { return .unknownMemberID }
        return members[memberID] == nil ? .unknownMemberID : .none
    }

    mutating func sync(
        memberID: String, instanceID: String?, generation: Int32, protocolType: String?, protocolName: String?,
        assignments: [String: [UInt8]], waiter: Waiter, now: Int64
    ) -> [GroupAction<Waiter>] {
        func refuse(_ error: KafkaError) -> [GroupAction<Waiter>] { [.synced(waiter, SyncResult(error: error))] }
        let standing = check(memberID, instanceID)
        guard standing == .none else { return refuse(standing) }
        guard generation == self.generation else { return refuse(.illegalGeneration) }
        if let protocolType, protocolType != self.protocolType { return refuse(.inconsistentGroupProtocol) }
        if let protocolName, protocolName != self.protocolName { return refuse(.inconsistentGroupProtocol) }
        switch state {
        case .empty, .dead: return refuse(.unknownMemberID)
        case .preparingRebalance: return refuse(.rebalanceInProgress)
        case .stable:
            refresh(memberID, now: now)
            return [.synced(waiter, syncResult(for: memberID))]
        case .completingRebalance:
            var actions: [GroupAction<Waiter>] = []
            if let earlier = members[memberID]?.syncing { actions.append(.synced(earlier, SyncResult(error: .rebalanceInProgress))) }
            members[memberID]?.syncing = waiter
            guard memberID == leader else { return actions }
            state = .stable
            actions.append(.persist)
            for (other, member) in members {
                members[other]?.assignment = assignments[other] ?? []
                guard let waiter = member.syncing else { continue }
                members[other]?.syncing = nil
                members[other]?.expires = now + Int64(member.sessionTimeout)
                actions.append(.synced(waiter, syncResult(for: other)))
            }
            return actions
        }
    }

    /// A sign of life.
    private mutating func refresh(_ memberID: String, now: Int64) {
        guard let timeout = members[memberID]?.sessionTimeout else { return }
        members[memberID]?.expires = now + Int64(timeout)
    }

    private func syncResult(for memberID: String) -> SyncResult {
        SyncResult(protocolType: protocolType, protocolName: protocolName, assignment: members[memberID]?.assignment ?? [])
    }

    mutating func heartbeat(memberID: String, instanceID: String?, generation: Int32, now: Int64) -> KafkaError {
        let standing = check(memberID, instanceID)
        guard standing == .none else { return standing }
        guard generation == self.generation else { return .illegalGeneration }
        switch state {
        case .empty, .dead: return .unknownMemberID
        case .preparingRebalance, .completingRebalance, .stable:
            refresh(memberID, now: now)
            return state == .preparingRebalance ? .rebalanceInProgress : .none
        }
    }

    mutating func leave(memberID: String, instanceID: String?, now: Int64) -> (error: KafkaError, actions: [GroupAction<Waiter>]) {
        var memberID = memberID
        if let instanceID {
            guard let current = instances[instanceID] else { return (.unknownMemberID, []) }
            if memberID.isEmpty { memberID = current }
            guard current == memberID else { return (.fencedInstanceID, []) }
        }
        if pending.removeValue(forKey: memberID) != nil { return (.none, completeIfReady(now: now)) }
        guard members[memberID] != nil else { return (.unknownMemberID, []) }
        return (.none, drop(memberID, now: now))
    }

    private mutating func drop(_ memberID: String, now: Int64) -> [GroupAction<Waiter>] {
        var actions: [GroupAction<Waiter>] = []
        if let waiter = members[memberID]?.joining { actions.append(.joined(waiter, JoinResult(error: .unknownMemberID))) }
        if let waiter = members[memberID]?.syncing { actions.append(.synced(waiter, SyncResult(error: .unknownMemberID))) }
        remove(memberID)
        switch state {
        case .stable, .completingRebalance: return actions + prepare(now: now)
        case .preparingRebalance: return actions + completeIfReady(now: now)
        case .empty, .dead: return actions
        }
    }

    /// Ends what is due: sessions that lapsed, ids nobody used, the collecting of members.
    mutating func timePassed(now: Int64) -> [GroupAction<Waiter>] {
        for (memberID, lapse) in pending where lapse <= now { pending[memberID] = nil }
        var actions: [GroupAction<Waiter>] = []
        for (memberID, member) in members where member.joining == nil && member.syncing == nil && member.expires <= now {
            actions += drop(memberID, now: now)
        }
        if state == .preparingRebalance {
            if let end = rebalanceDeadline, end <= now {
                pending.removeAll()
                actions += complete(now: now)
            } else {
                actions += completeIfReady(now: now)
            }
        }
        return actions
    }

    // MARK: Offsets

    /// Whether a commit of offsets may go through. Source: GroupCoordinator.validateOffsetCommit.
    mutating func checkCommit(
        memberID: String, instanceID: String?, generation: Int32, transactional: Bool, now: Int64
    ) -> KafkaError {
        if generation < 0, memberID.isEmpty, instanceID == nil {
            // A consumer without a group, or a producer from before KIP-447.
            return members.isEmpty || transactional ? .none : .unknownMemberID
        }
        let standing = check(memberID, instanceID)
        guard standing == .none else { return standing }
        guard generation == self.generation else { return .illegalGeneration }
        if state == .completingRebalance, !transactional { return .rebalanceInProgress }
        refresh(memberID, now: now)
        return .none
    }
}
