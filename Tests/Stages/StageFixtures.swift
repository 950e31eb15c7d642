import Bus
import Database
import Foundation
import Message
import ServiceKit
import Store
import SwiftProtobuf
import TestSupport

/// A database with the schema, an account and prices, for one suite.
enum StageFixtures {
    static func database() throws -> (url: String, Connection) {
        let url = try TestPostgres.freshDatabase()
        let connection = try Connection(url: url, applicationName: "stages-test")
        try Schema.migrate(connection)
        return (url, connection)
    }

    static func message(_ msgid: Int64, to destination: String = "4670", account: String = "demo", parts: UInt32 = 1) -> ShortMessage {
        var message = ShortMessage()
        message.msgid = msgid
        message.type = .message
        message.account = account
        message.inConnector = "in"
        message.outConnector = "out"
        message.source.number = "A"
        message.destination.number = destination
        message.body.text = "hello"
        message.parts = parts
        message.reportRequest = .final
        message.times.accepted = 1_790_000_000_000
        return message
    }

    static func record(_ topic: String, _ offset: Int64, _ message: some SwiftProtobuf.Message) -> Record {
        Record(topic: topic, partition: 0, offset: offset, key: [], value: encode(message))
    }

    static func records<M: SwiftProtobuf.Message>(_ type: M.Type, of output: StageOutput, to topic: String) throws -> [M] {
        try output.records.filter { $0.topic == topic }.map { try M(serializedBytes: $0.value) }
    }
}
