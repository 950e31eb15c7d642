import Billing
import Bus
import Database
import Message
import Pricing
import RouteLog
import Routing
import ServiceKit
import Store
import SwiftProtobuf

enum Benches {
    private static let accounts = 20

    static func billing(_ connection: Connection, url: String, messages: Int) throws {
        for account in 0..<accounts {
            try AccountStore.add(
                connection, username: "account\(account)", balance: Money(micros: 1_000_000_000_000), changes: .init(), by: "bench")
        }
        for size in [10, 1_000, 100_000] { quotes(size) }
        let table = prices(1_000)
        let transform = BillingTransform(
            tables: { BillingTables(prices: table) }, ids: SharedMessageIDs(MessageIDs(slot: 1)),
            connect: { try Connection(url: url, applicationName: "bench") })
        let records = (0..<messages).map { record(Topics.routed, $0, message($0)) }
        let seconds = try seconds {
            for start in stride(from: 0, to: records.count, by: 1_000) {
                _ = try transform.process(Array(records[start..<min(start + 1_000, records.count)]))
            }
        }
        let bare = try copy(
            connection, table: "ledger", rows: "SELECT * FROM ledger WHERE kind = 1 ORDER BY msgid", batch: 1_000)
        report("billing: messages booked", messages, seconds, bare)
    }

    static func routelog(_ connection: Connection, url: String, messages: Int) throws {
        let transform = RouteLogTransform(connect: { try Connection(url: url, applicationName: "bench") })
        var records: [Record] = []
        for index in 0..<messages {
            let accepted = message(index)
            var submission = Submission()
            submission.message = accepted
            submission.message.charge.mechanism = 2
            submission.message.charge.chargeMicros = 50_000
            submission.message.charge.revision = 10
            submission.message.times.answered = accepted.times.accepted + 20
            submission.connector = "out"
            submission.smscids = ["id\(index)"]
            submission.status = .submitted
            submission.parts = 1
            var event = Event()
            event.msgid = accepted.msgid
            event.at = accepted.times.accepted + 500
            event.status = .delivered
            event.report.status = .delivered
            records += [
                record(Topics.accepted, index, accepted), record(Topics.submitted, index, submission), record(Topics.events, index, event),
            ]
        }
        let seconds = try seconds {
            for start in stride(from: 0, to: records.count, by: 5_000) {
                _ = try transform.process(Array(records[start..<min(start + 5_000, records.count)]))
            }
        }
        var bare = (rows: 0, seconds: 0.0)
        for table in ["routelog", "messagebody", "messageoptions"] {
            let one = try copy(connection, table: table, rows: "SELECT * FROM \(table) ORDER BY msgid", batch: 1_667)
            print("  \(table): \(one.rows) rows, bare COPY \(rate(one.rows, one.seconds)) rows per second")
            bare = (bare.rows + one.rows, bare.seconds + one.seconds)
        }
        report("routelog: messages of three records folded and written", messages, seconds, bare)
    }

    // MARK: Parts

    /// Decisions alone, by the size of the table.
    private static func quotes(_ size: Int) {
        let table = prices(size)
        let numbers = (0..<1_000).map { "4670\($0 * 7_919 % 10_000_000)" }
        var found = 0
        let rounds = 200
        let elapsed = seconds {
            for _ in 0..<rounds {
                for number in numbers
                where table.quote(
                    destination: number, account: "account1", inConnector: "in", outConnector: "out", currency: "EUR", now: 1) != nil
                { found += 1 }
            }
        }
        print("  prices in the table: \(size), decisions per second: \(rate(rounds * numbers.count, elapsed)) (\(found) priced)")
    }

    private static func prices(_ size: Int) -> PriceTable {
        var prices: [Price] = []
        for index in 0..<size {
            let scope = PriceScope(prefix: index == 0 ? "" : "4670\(index)", account: index % 3 == 1 ? "account1" : nil)
            let charge = Money(micros: Int64(30_000 + index % 100))
            prices.append(Price(id: Int64(index + 1), scope: scope, charge: charge, cost: Money(micros: 20_000), currency: "EUR"))
        }
        return PriceTable(prices)
    }

    private static func message(_ index: Int) -> ShortMessage {
        var message = ShortMessage()
        message.msgid = MessageIDs.floor(at: wallClockMilliseconds()) + Int64(index)
        message.type = .message
        message.account = "account\(index % accounts)"
        message.inConnector = "in"
        message.outConnector = "out"
        message.source.number = "Signalbox"
        message.source.ton = 5
        message.destination.number = "4670\(index * 7_919 % 10_000_000)"
        message.destination.ton = 1
        message.destination.npi = 1
        message.body.text = "a message of some eighty characters, as they are sent all day long, number \(index)"
        message.body.encoding = .gsm7
        message.parts = 1
        message.reportRequest = .final
        message.remoteIp = "192.0.2.1"
        message.times.accepted = wallClockMilliseconds()
        return message
    }

    private static func record(_ topic: String, _ offset: Int, _ message: some SwiftProtobuf.Message) -> Record {
        Record(topic: topic, partition: 0, offset: Int64(offset), key: [], value: encode(message))
    }

    /// The same rows into a table of the same shape and keys, in batches of the same size, each committed.
    private static func copy(_ connection: Connection, table: String, rows: String, batch: Int) throws -> (rows: Int, seconds: Double) {
        try connection.script("CREATE TABLE bare_\(table) (LIKE \(table) INCLUDING ALL)")
        let names = try connection.query(
            "SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [.text(table)]
        ).map { try $0.text(0) }
        let all = try connection.query(rows)
        // Read beforehand: what is measured is the writing.
        let fields = try all.map { row in try names.indices.map { try row.optionalText(.index($0)) } }
        let elapsed = try seconds {
            for start in stride(from: 0, to: fields.count, by: batch) {
                try connection.copyIn("COPY bare_\(table) FROM STDIN") { writer in
                    for row in fields[start..<min(start + batch, fields.count)] {
                        for field in row { writer.text(field) }
                        try writer.endRow()
                    }
                }
            }
        }
        return (fields.count, elapsed)
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try body()
        let elapsed = ContinuousClock.now - start
        return Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
    }

    private static func rate(_ count: Int, _ seconds: Double) -> Int { Int(Double(count) / max(seconds, 1e-9)) }

    private static func report(_ title: String, _ count: Int, _ elapsed: Double, _ bare: (rows: Int, seconds: Double)) {
        print("\(title): \(count) in \(elapsed) s, \(rate(count, elapsed)) per second")
        print("a bare COPY of the same \(bare.rows) rows: \(bare.seconds) s; ratio \(bare.seconds / max(elapsed, 1e-9))")
    }
}
