import NIOCore

extension BrokerCore {
    func handleListGroups(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let version = reply.version
        let states = version >= 4 ? try reader.array { (r: inout KafkaReader) throws(WireError) in try r.string() } : []
        try finish(&reader)
        let groups = state.groups.sorted { $0.key < $1.key }.filter { states.isEmpty || states.contains($0.value.machine.state.rawValue) }
        var writer = reply.writer()
        if version >= 1 { writer.int32(0) }
        writer.error(.none)
        writer.array(groups) { writer, group in
            writer.string(group.key)
            writer.string(group.value.machine.protocolType)
            if version >= 4 { writer.string(group.value.machine.state.rawValue) }
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }

    func handleDescribeGroups(_ reader: inout KafkaReader, _ reply: PendingReply) throws(WireError) {
        let version = reply.version
        let names = try reader.array { (r: inout KafkaReader) throws(WireError) in try r.string() }
        if version >= 3 { _ = try reader.bool() }
        try finish(&reader)
        var writer = reply.writer(capacity: 1024)
        if version >= 1 { writer.int32(0) }
        writer.array(names) { writer, name in
            let group = state.groups[name]?.machine
            let snapshot = group?.snapshot
            writer.error(.none)
            writer.string(name)
            // A group that does not exist is described as dead, as in Kafka.
            writer.string((group?.state ?? .dead).rawValue)
            writer.string(snapshot?.protocolType ?? "")
            writer.string(snapshot?.protocolName ?? "")
            writer.array(snapshot?.members ?? []) { writer, member in
                writer.string(member.id)
                if version >= 4 { writer.nullableString(member.instanceID) }
                writer.string(member.clientID)
                writer.string(member.clientHost)
                writer.bytes(member.protocols.first { $0.name == snapshot?.protocolName }?.metadata ?? [])
                writer.bytes(member.assignment)
                writer.tags()
            }
            if version >= 3 { writer.int32(Int32.min) }
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }

    /// Forgets groups that have neither members nor offsets.
    func forgetEmptyGroups(now: Int64) {
        for (id, group) in state.groups
        where group.machine.members.isEmpty && group.machine.pending.isEmpty && group.offsets.isEmpty && group.pendingOffsets.isEmpty {
            _ = record(.groupDeleted(group: id), now: now)
        }
    }

    func handleDeleteGroups(_ reader: inout KafkaReader, _ reply: PendingReply, now: Int64) throws(WireError) {
        let names = try reader.array { (r: inout KafkaReader) throws(WireError) in try r.string() }
        try finish(&reader)
        var writer = reply.writer()
        writer.int32(0)
        writer.array(names) { writer, name in
            let error: KafkaError
            if let group = state.groups[name] {
                if !group.machine.members.isEmpty {
                    error = .nonEmptyGroup
                } else {
                    error = record(.groupDeleted(group: name), now: now) ? .none : .coordinatorNotAvailable
                }
            } else {
                error = .groupIDNotFound
            }
            writer.string(name)
            writer.error(error)
            writer.tags()
        }
        writer.tags()
        answer(reply, writer)
    }
}
