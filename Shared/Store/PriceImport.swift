public import Database
import Foundation
import Pricing

/// Prices from a CSV file: read whole, checked whole, and written in one transaction or not at all.
public enum PriceImport {
    public static let columns = [
        "prefix", "charge", "cost", "account", "in", "out", "currency", "from", "until", "note",
    ]

    public struct Row: Sendable {
        public var price: PriceRow
        public var note: String?
        public var line: Int
    }

    /// Reads the rows. `charge_cost`, `in_connector`, `out_connector`, `valid_from` and `valid_until` are taken as names too.
    /// - Returns: the sound rows, and what is wrong with the others, in the order of their lines.
    public static func read(_ text: [UInt8]) -> (rows: [Row], faults: [LineFault]) {
        let table = CSVTable(text)
        var faults = table.faults
        let aliases = [
            "charge_cost": "cost", "in_connector": "in", "out_connector": "out", "valid_from": "from", "valid_until": "until",
        ]
        var places: [String: Int] = [:]
        for (index, column) in table.columns.enumerated() {
            let name = aliases[column] ?? column
            if columns.contains(name) {
                places[name] = index
            } else {
                faults.append(LineFault(line: 1, what: "unknown column \(column); known are \(columns.joined(separator: ", "))"))
            }
        }
        if places["charge"] == nil, places["cost"] == nil, !table.columns.isEmpty {
            faults.append(LineFault(line: 1, what: "there is neither a column charge nor a column cost"))
        }
        if table.records.isEmpty, faults.isEmpty { faults.append(LineFault(line: 1, what: "no prices follow the names of the columns")) }
        guard faults.allSatisfy({ $0.line != 1 }) else { return ([], faults) }
        var rows: [Row] = []
        rows.reserveCapacity(table.records.count)
        var seen: [Identity: Int] = [:]
        for record in table.records {
            func field(_ name: String) -> String? {
                guard let place = places[name] else { return nil }
                var text = record.fields[place]
                if text.first == " " || text.last == " " { text = text.trimmingCharacters(in: .whitespaces) }
                return text.isEmpty || text == "\\N" ? nil : text
            }
            var wrong: [String] = []
            func money(_ name: String) -> Money? {
                guard let text = field(name) else { return nil }
                do {
                    let amount = try Money(parsing: text)
                    if amount < .zero || amount > .columnMaximum { wrong.append("\(name) lies between 0 and \(Money.columnMaximum)") }
                    return amount
                } catch {
                    wrong.append("\(name) \(text): \(error)")
                    return nil
                }
            }
            func time(_ name: String) -> Int64? {
                guard let text = field(name) else { return nil }
                guard let date = try? Date(text.utf8.count == 10 ? text + "T00:00:00Z" : text, strategy: .iso8601) else {
                    wrong.append("\(name) is written as 2026-12-31 or 2026-12-31T23:59:59Z, not \(text)")
                    return nil
                }
                return Int64(date.timeIntervalSince1970 * 1_000)
            }
            let price = PriceRow(
                prefix: field("prefix") ?? "", account: field("account"), inConnector: field("in"), outConnector: field("out"),
                charge: money("charge"), cost: money("cost"), currency: field("currency") ?? "EUR", validFrom: time("from"),
                validUntil: time("until"))
            if wrong.isEmpty, price.charge == nil, price.cost == nil { wrong.append("neither charge nor cost is given") }
            do { try Prefix.check(price.prefix) } catch { wrong.append("\(error)") }
            if price.currency.utf8.count != 3 || !price.currency.utf8.allSatisfy({ (0x41...0x5A).contains($0) }) {
                wrong.append("a currency has three capitals, such as EUR, not \(price.currency)")
            }
            if let from = price.validFrom, let until = price.validUntil, until <= from { wrong.append("the price ends before it begins") }
            let identity = Identity(price)
            if let earlier = seen[identity] {
                wrong.append("the same scope, currency and beginning as line \(earlier)")
            } else {
                seen[identity] = record.line
            }
            if wrong.isEmpty {
                rows.append(Row(price: price, note: field("note"), line: record.line))
            } else {
                faults += wrong.map { LineFault(line: record.line, what: $0) }
            }
        }
        return (rows, faults.sorted { $0.line < $1.line })
    }

    /// Two rows of which nobody could say which counts.
    private struct Identity: Hashable {
        var texts: [String?]
        var from: Int64?
        var kinds: Int

        init(_ price: PriceRow) {
            texts = [price.prefix, price.account, price.inConnector, price.outConnector, price.currency]
            from = price.validFrom
            kinds = (price.charge == nil ? 0 : 1) + (price.cost == nil ? 0 : 2)
        }
    }

    /// Writes the rows. Billing takes them up at once when the transaction ends.
    /// - Parameters:
    ///   - replacing: the prices that are there go.
    ///   - progress: called with the number of rows written, now and then.
    /// - Returns: rows that name an account or a connector that does not exist, or that could never count; then nothing was written.
    public static func apply(
        _ connection: Connection, _ rows: [Row], replacing: Bool, by who: String, progress: (Int) -> Void
    ) throws -> [LineFault] {
        try connection.transaction {
            let accounts = try PriceStore.currencies(connection)
            let connectors = try names(connection, "SELECT name FROM connector")
            var faults: [LineFault] = []
            for row in rows {
                if let account = row.price.account, accounts[account] == nil {
                    faults.append(LineFault(line: row.line, what: "there is no account \(account)"))
                }
                if let fault = PriceStore.fault(of: row.price, accounts) { faults.append(LineFault(line: row.line, what: fault)) }
                for connector in [row.price.inConnector, row.price.outConnector].compactMap({ $0 }) where !connectors.contains(connector) {
                    faults.append(LineFault(line: row.line, what: "there is no connector \(connector)"))
                }
            }
            guard faults.isEmpty else { return faults }
            if replacing {
                try connection.execute("UPDATE price SET removed = now(), disabled = true WHERE removed IS NULL AND origin IS NULL")
            }
            try connection.script(
                """
                CREATE TEMP TABLE price_import (prefix text, account text, in_connector text, out_connector text, charge numeric(18,6),
                    charge_cost numeric(18,6), currency text, valid_from bigint, valid_until bigint, note text) ON COMMIT DROP
                """)
            var written = 0
            try connection.copyIn("COPY price_import FROM STDIN") { writer in
                for row in rows {
                    let price = row.price
                    writer.text(price.prefix)
                    writer.text(price.account)
                    writer.text(price.inConnector)
                    writer.text(price.outConnector)
                    writer.money(price.charge)
                    writer.money(price.cost)
                    writer.text(price.currency)
                    writer.int(price.validFrom)
                    writer.int(price.validUntil)
                    writer.text(row.note)
                    try writer.endRow()
                    written += 1
                    if written % 1_000 == 0 { progress(written) }
                }
            }
            // One statement: one change of the configuration, whatever the number of rows.
            try connection.script(
                """
                INSERT INTO price (prefix, account, in_connector, out_connector, charge, charge_cost, currency, valid_from, valid_until, note)
                SELECT prefix, account, in_connector, out_connector, charge, charge_cost, currency, to_timestamp(valid_from / 1000.0),
                    to_timestamp(valid_until / 1000.0), note
                FROM price_import
                """)
            try Audit.write(
                connection, who: who, action: "price import", detail: "\(rows.count) rows\(replacing ? ", the others removed" : "")")
            progress(rows.count)
            return []
        }
    }

    private static func names(_ connection: Connection, _ sql: String) throws -> Set<String> {
        var names: Set<String> = []
        for row in try connection.query(sql) { names.insert(try row.text(0)) }
        return names
    }
}
