import Bus
import Logging
import Message
import ServiceKit
import Synchronization

/// A report that a person makes, as a record for the matcher.
enum InjectedReport {
    /// The states that a report can tell, as `--status` names them.
    static let states = statuses.keys.sorted()

    private static let statuses: [String: Status] = [
        "DELIVERED": .delivered, "FAILED": .failed, "EXPIRED": .expired, "DELETED": .deleted, "UNDELIVERABLE": .undeliverable,
        "REJECTED": .rejected, "UNKNOWN": .unknown, "BUFFERED": .buffered,
    ]

    /// - Parameters:
    ///   - msgid: our own id, which then decides; nil = the provider's `smscid` does.
    ///   - state: one of `states`.
    static func send(
        msgid: Int64?, connector: String, smscid: String, state: String, error: String?, text: String?, kafka: String
    ) throws {
        let now = wallClockMilliseconds()
        var receipt = Receipt()
        receipt.connector = connector
        receipt.smscid = smscid
        receipt.msgid = msgid ?? 0
        receipt.status = statuses[state] ?? .unknown
        receipt.error = error ?? ""
        receipt.reasonText = text ?? "injected"
        receipt.doneAt = now
        receipt.receivedAt = now
        try OneRecord.send(
            OutgoingRecord(topic: Topics.receipts, key: receiptKey(connector, smscid), value: encode(receipt)), kafka: kafka)
    }
}

/// Sends a single record and waits until the broker has it.
enum OneRecord {
    static func send(_ record: OutgoingRecord, kafka: String) throws {
        let answers = Mutex<[Delivery]>([])
        let producer = try Producer(
            BusConfiguration(
                bootstrap: kafka, clientID: "signalbox command", logger: Logger(label: "command") { _ in SwiftLogNoOpLogHandler() })
        ) { deliveries in answers.withLock { $0 += deliveries } }
        try producer.send(record, token: 1)
        producer.close(timeoutMilliseconds: 30_000)
        guard let answer = answers.withLock({ $0.first { $0.token == 1 } }) else {
            throw CommandFailure("the broker \(kafka) does not answer")
        }
        if let error = answer.error { throw CommandFailure("the broker did not take it: \(error)") }
    }
}
