public import Bus
public import SwiftProtobuf

/// The bytes of a message for the bus. Encoding our own messages fails only for required fields and broken `Any`s, which proto3
/// messages of ours do not have.
public func encode(_ message: some SwiftProtobuf.Message) -> [UInt8] {
    do {
        return try message.serializedBytes()
    } catch {
        preconditionFailure("a message of ours cannot be encoded: \(error)")
    }
}

/// Reads a record's value.
/// - Throws: `UndecodableRecord`; the stage sends the record to the dead letters.
public func decode<M: SwiftProtobuf.Message>(_ type: M.Type, _ record: Record) throws -> M {
    do {
        return try M(serializedBytes: record.value)
    } catch {
        throw UndecodableRecord(description: "\(record.position) holds no \(M.protoMessageName): \(error)")
    }
}

/// The bytes of a record are not what its topic promises.
public struct UndecodableRecord: Error, CustomStringConvertible {
    public var description: String
}
