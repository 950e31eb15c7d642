import NIOCore

/// A consumer group at rest: what survives a restart of the broker. Written whenever a generation is settled.
struct GroupSnapshot: Equatable, Sendable {
    struct Member: Equatable, Sendable {
        var id: String
        var instanceID: String?
        var clientID: String
        var clientHost: String
        var sessionTimeout: Int32
        var rebalanceTimeout: Int32
        var protocols: [GroupProtocol]
        var assignment: [UInt8]
    }

    var groupID: String
    var protocolType: String
    var protocolName: String?
    var generation: Int32
    var leader: String?
    var members: [Member]

    func encode(into buffer: inout ByteBuffer) {
        buffer.putText(groupID)
        buffer.putText(protocolType)
        buffer.putOptionalText(protocolName)
        buffer.writeInteger(generation)
        buffer.putOptionalText(leader)
        buffer.putList(members) {
            $0.putText($1.id)
            $0.putOptionalText($1.instanceID)
            $0.putText($1.clientID)
            $0.putText($1.clientHost)
            $0.writeInteger($1.sessionTimeout)
            $0.writeInteger($1.rebalanceTimeout)
            $0.putList($1.protocols) {
                $0.putText($1.name)
                $0.putOctets($1.metadata)
            }
            $0.putOctets($1.assignment)
        }
    }
}

extension GroupSnapshot {
    init(decoding body: inout ByteBuffer) throws(JournalFormatError) {
        groupID = try body.takeText()
        protocolType = try body.takeText()
        protocolName = try body.takeOptionalText()
        generation = try body.take()
        leader = try body.takeOptionalText()
        members = try body.takeList { (b: inout ByteBuffer) throws(JournalFormatError) in
            Member(
                id: try b.takeText(), instanceID: try b.takeOptionalText(), clientID: try b.takeText(), clientHost: try b.takeText(),
                sessionTimeout: try b.take(), rebalanceTimeout: try b.take(),
                protocols: try b.takeList { (b: inout ByteBuffer) throws(JournalFormatError) in
                    GroupProtocol(name: try b.takeText(), metadata: try b.takeOctets())
                },
                assignment: try b.takeOctets())
        }
    }
}
