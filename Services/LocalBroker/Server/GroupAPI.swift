import NIOCore

#if canImport(Glibc)
    import Glibc
#endif

extension BrokerCore {
    func handleJoinGroup(_ reader: inout KafkaReader, _ request: Request) throws(WireError) {
        let reply = request.reply
        let version = reply.version
        let groupID = try reader.string()
        let sessionTimeout = try reader.int32()
        let rebalanceTimeout = version >= 1 ? try reader.int32() : sessionTimeout
        let memberID = try reader.string()
        let instanceID = version >= 5 ? try reader.nullableString() : nil
        let protocolType = try reader.string()
        let protocols = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let offered = GroupProtocol(name: try r.string(), metadata: try r.bytes())
            try r.tags()
            return offered
        }
        if version >= 8 { _ = try reader.nullableString() }
        try finish(&reader)
        func refuse(_ error: KafkaError) {
            answer(reply, Self.encode(JoinResult(error: error, memberID: memberID), reply))
        }
        guard !groupID.isEmpty else { return refuse(.invalidGroupID) }
        guard (100...1_800_000).contains(sessionTimeout), rebalanceTimeout >= 0 else { return refuse(.invalidSessionTimeout) }
        state.touchGroup(groupID)
        let prefix = instanceID ?? (request.clientID.isEmpty ? "member" : request.clientID)
        let join = JoinRequest(
            memberID: memberID, instanceID: instanceID, clientID: request.clientID, clientHost: "/\(reply.connection.host)",
            sessionTimeout: sessionTimeout, rebalanceTimeout: rebalanceTimeout, protocolType: protocolType, protocols: protocols,
            knownIDRequired: version >= 4, canSkipAssignment: version >= 9)
        var generator = SystemRandomNumberGenerator()
        let unique = String(generator.next(), radix: 16) + String(generator.next(), radix: 16)
        let actions = state.groups[groupID]?.machine.join(join, waiter: reply, newID: "\(prefix)-\(unique)", now: monotonic) ?? []
        carryOut(actions, of: groupID)
    }

    func handleSyncGroup(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let version = reply.version
        let groupID = try reader.string()
        let generation = try reader.int32()
        let memberID = try reader.string()
        let instanceID = version >= 3 ? try reader.nullableString() : nil
        let protocolType = version >= 5 ? try reader.nullableString() : nil
        let protocolName = version >= 5 ? try reader.nullableString() : nil
        let assignments = try reader.array { (r: inout KafkaReader) throws(WireError) in
            let assignment = (try r.string(), try r.bytes())
            try r.tags()
            return assignment
        }
        try finish(&reader)
        guard state.groups[groupID] != nil else {
            answer(reply, Self.encode(SyncResult(error: .unknownMemberID), reply))
            return
        }
        let actions = state.groups[groupID]?.machine.sync(
            memberID: memberID, instanceID: instanceID, generation: generation, protocolType: protocolType, protocolName: protocolName,
            assignments: Dictionary(assignments) { $1 }, waiter: reply, now: monotonic)
        carryOut(actions ?? [], of: groupID)
    }

    func handleHeartbeat(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let groupID = try reader.string()
        let generation = try reader.int32()
        let memberID = try reader.string()
        let instanceID = reply.version >= 3 ? try reader.nullableString() : nil
        try finish(&reader)
        let error = state.groups[groupID]?.machine.heartbeat(
            memberID: memberID, instanceID: instanceID, generation: generation, now: monotonic)
        var writer = reply.writer()
        if reply.version >= 1 { writer.int32(0) }
        writer.error(error ?? .unknownMemberID)
        writer.tags()
        answer(reply, writer)
    }

    func handleLeaveGroup(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let version = reply.version
        let groupID = try reader.string()
        var leaving: [(memberID: String, instanceID: String?)] = []
        if version < 3 {
            leaving = [(try reader.string(), nil)]
        } else {
            leaving = try reader.array { (r: inout KafkaReader) throws(WireError) in
                let member = (try r.string(), try r.nullableString())
                if version >= 5 { _ = try r.nullableString() }
                try r.tags()
                return member
            }
        }
        try finish(&reader)
        var outcomes: [KafkaError] = []
        for member in leaving {
            guard
                let outcome = state.groups[groupID]?.machine.leave(memberID: member.memberID, instanceID: member.instanceID, now: monotonic)
            else {
                outcomes.append(.unknownMemberID)
                continue
            }
            outcomes.append(outcome.error)
            carryOut(outcome.actions, of: groupID)
        }
        var writer = reply.writer()
        if version >= 1 { writer.int32(0) }
        writer.error(version < 3 ? outcomes.first ?? .none : .none)
        if version >= 3 {
            writer.array(zip(leaving, outcomes).map { $0 }) { writer, pair in
                writer.string(pair.0.memberID)
                writer.nullableString(pair.0.instanceID)
                writer.error(pair.1)
                writer.tags()
            }
        }
        writer.tags()
        answer(reply, writer)
    }

    // MARK: Obeying the machine

    func carryOut(_ actions: [GroupAction<PendingReply>], of groupID: String) {
        for action in actions {
            switch action {
            case .joined(let reply, let result): answer(reply, Self.encode(result, reply))
            case .synced(let reply, let result): answer(reply, Self.encode(result, reply))
            case .persist:
                if let snapshot = state.groups[groupID]?.machine.snapshot {
                    _ = record(.groupChanged(snapshot), now: wallClockMilliseconds())
                }
            }
        }
        scheduleGroupTimer(for: groupID)
    }

    /// One timer stands for the earliest deadline of all groups.
    func scheduleGroupTimer(for groupID: String) {
        guard let due = state.groups[groupID]?.machine.deadline, due < groupTimerDue else { return }
        armGroupTimer(at: due)
    }

    private func armGroupTimer(at due: Int64) {
        groupTimer?.cancel()
        groupTimerDue = due
        let me = bound(self)
        groupTimer = loop.scheduleTask(in: .milliseconds(max(1, due - monotonic))) { me.value.groupTimerFired() }
    }

    func groupTimerFired() {
        groupTimer = nil
        groupTimerDue = .max
        guard !isClosing else { return }
        let now = monotonic
        for groupID in Array(state.groups.keys) {
            guard let due = state.groups[groupID]?.machine.deadline, due <= now else { continue }
            carryOut(state.groups[groupID]?.machine.timePassed(now: now) ?? [], of: groupID)
        }
        if let next = state.groups.values.compactMap(\.machine.deadline).min() { armGroupTimer(at: next) }
        endTurn()
    }

    // MARK: Answers

    private static func encode(_ result: JoinResult, _ reply: PendingReply) -> KafkaWriter {
        let version = reply.version
        var writer = reply.writer()
        if version >= 2 { writer.int32(0) }
        writer.error(result.error)
        writer.int32(result.generation)
        if version >= 7 { writer.nullableString(result.protocolType) }
        writer.nullableString(result.protocolName ?? (version >= 7 ? nil : ""))
        writer.string(result.leader)
        if version >= 9 { writer.bool(result.skipAssignment) }
        writer.string(result.memberID)
        writer.array(result.members) { writer, member in
            writer.string(member.id)
            if version >= 5 { writer.nullableString(member.instanceID) }
            writer.bytes(member.metadata)
            writer.tags()
        }
        writer.tags()
        return writer
    }

    private static func encode(_ result: SyncResult, _ reply: PendingReply) -> KafkaWriter {
        var writer = reply.writer()
        if reply.version >= 1 { writer.int32(0) }
        writer.error(result.error)
        if reply.version >= 5 {
            writer.nullableString(result.protocolType)
            writer.nullableString(result.protocolName)
        }
        writer.bytes(result.assignment)
        writer.tags()
        return writer
    }
}
