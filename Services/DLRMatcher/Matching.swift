import Database
import Message
import ServiceKit
import SwiftProtobuf

/// One batch against the open entries. All statements are per batch, none per message.
enum Matching {
    struct Result {
        var reports: [MatchedReport] = []
        /// Sources of early receipts that found their entry.
        var usedEarly: [String] = []
    }

    static func run(
        _ connection: Connection, opened: [OpenEntry], receipts: [MatchReceipt], rules: ReportRules
    ) throws -> Result {
        var result = Result()
        var receipts = receipts
        var early: Set<String> = []
        if !opened.isEmpty {
            try OpenEntry.insert(opened, connection)
            let waiting = try EarlyReceipts.load(for: opened, rules, connection)
            early = Set(waiting.map(\.source))
            receipts += waiting
        }
        guard !receipts.isEmpty else { return result }
        var entries = try StoredEntry.locked(
            for: Set(receipts.flatMap(\.keys)), msgids: receipts.map(\.receipt.msgid).filter { $0 != 0 }, connection)
        let known = Dictionary(grouping: entries.indices, by: { entries[$0].key })
        let byMessage = Dictionary(grouping: entries.indices, by: { entries[$0].msgid })
        var sequence = try nextSequence(count: receipts.count, connection)
        var touched: Set<Int64> = []
        var changed: Set<Int> = []
        var unmatched: [MatchReceipt] = []
        for receipt in receipts {
            let candidates =
                receipt.receipt.msgid != 0
                ? byMessage[receipt.receipt.msgid] ?? [] : receipt.keys.flatMap { known[$0] ?? [] }
            if let again = candidates.first(where: { entries[$0].closedBy == receipt.source }) {
                touched.insert(entries[again].msgid)  // a replay: say the same again
                if early.contains(receipt.source) { result.usedEarly.append(receipt.source) }
                continue
            }
            guard let best = best(of: candidates, entries, for: receipt) else {
                // Closed by another receipt: this one is a provider's duplicate. Unless it speaks of another number: then the provider
                // uses the id again, and the submission is still to come.
                let isDuplicate = candidates.contains { fits(entries[$0], receipt) }
                if isDuplicate { MatcherMetrics.repeated.add() }
                if isDuplicate, early.contains(receipt.source) { result.usedEarly.append(receipt.source) }
                if !isDuplicate, receipt.receipt.msgid == 0, !early.contains(receipt.source) { unmatched.append(receipt) }
                continue
            }
            if early.contains(receipt.source) { result.usedEarly.append(receipt.source) }
            guard receipt.receipt.status.isFinal else {
                result.reports.append(entries[best].report(of: receipt.receipt))
                continue
            }
            // Where the provider gave several parts one id, it reports once for all of them.
            let chosen = entries[best]
            for index in candidates where entries[index].msgid == chosen.msgid && entries[index].closedBy == nil {
                entries[index].close(by: receipt, sequence: sequence)
                changed.insert(index)
            }
            sequence += 1
            touched.insert(chosen.msgid)
        }
        if !changed.isEmpty { try StoredEntry.write(changed.sorted().map { entries[$0] }, connection) }
        if !unmatched.isEmpty { try EarlyReceipts.keep(unmatched, connection) }
        result.reports += finished(entries, touched: touched, sources: Set(receipts.map(\.source)))
        return result
    }

    /// The open entry that a receipt means: written in the same notation rather than in another, the same text rather than the same
    /// number, of the number that it speaks of rather than of another, and the newest: providers use their ids again after some time.
    private static func best(of candidates: [Int], _ entries: [StoredEntry], for receipt: MatchReceipt) -> Int? {
        func rank(_ entry: StoredEntry) -> (Int, Int, Int, Int64) {
            (
                entry.key.key == receipt.key ? 1 : 0, entry.smscid == receipt.receipt.smscid ? 1 : 0, fits(entry, receipt) ? 1 : 0,
                entry.msgid
            )
        }
        return candidates.filter { index in
            let entry = entries[index]
            guard entry.closedBy == nil else { return false }
            if receipt.receipt.msgid != 0 || entry.key.key == receipt.key { return true }
            // In another notation: configured, or else believed only where the number fits too.
            return receipt.isNotationKnown || ProviderID.sameNumber(receipt.receipt.source.number, entry.message.destination.number)
        }
        .max { rank(entries[$0]) < rank(entries[$1]) }
    }

    /// Whether the receipt speaks of the entry's recipient; one that names nobody may.
    private static func fits(_ entry: StoredEntry, _ receipt: MatchReceipt) -> Bool {
        let number = receipt.receipt.source.number
        return number.isEmpty || ProviderID.sameNumber(number, entry.message.destination.number)
    }

    /// Messages whose every part is closed, the last of them by a record of this batch; and parts closed by it, where the account wants
    /// to hear of each.
    private static func finished(_ entries: [StoredEntry], touched: Set<Int64>, sources: Set<String>) -> [MatchedReport] {
        var reports: [MatchedReport] = []
        for (msgid, parts) in Dictionary(grouping: entries, by: \.msgid) where touched.contains(msgid) {
            guard let first = parts.first else { continue }
            let byPart = first.message.reportPerPart && first.parts > 1
            if byPart {
                for part in parts {
                    guard let by = part.closedBy, sources.contains(by) else { continue }
                    var report = part.finalReport(at: part)
                    report.isNews = false
                    reports.append(report)
                }
            }
            guard parts.count >= first.parts, parts.allSatisfy({ $0.closedBy != nil }) else { continue }
            guard let last = parts.max(by: { $0.closedSequence < $1.closedSequence }), let by = last.closedBy, sources.contains(by) else {
                continue  // it was told when its last part was closed
            }
            // One part that failed makes the whole message unreadable: the worst end is the message's.
            let worst = parts.max { severity($0.status) < severity($1.status) } ?? last
            var report = worst.finalReport(at: last)
            report.isForClient = !byPart
            reports.append(report)
        }
        return reports.sorted { ($0.message.msgid, $0.report.smscid) < ($1.message.msgid, $1.report.smscid) }
    }

    private static func severity(_ status: Status) -> Int {
        switch status {
        case .delivered: 0
        case .relayed: 1
        case .unknown: 2
        default: 3
        }
    }

    /// The first of `count` numbers that rise with every closing, over all instances.
    private static func nextSequence(count: Int, _ connection: Connection) throws -> Int64 {
        let rows = try connection.query(
            "SELECT min(n) AS first FROM (SELECT nextval('open_dlr_closing') AS n FROM generate_series(1, $1::int)) AS s", [.int(count)])
        return try rows.first?.int("first") ?? 0
    }
}

extension OpenEntry {
    static func insert(_ opened: [OpenEntry], _ connection: Connection) throws {
        _ = try connection.execute(
            """
            INSERT INTO open_dlr (connector, smscid, match_key, msgid, part, parts, record, created, expires)
            SELECT c, s, k, m, p, n, r, now(), to_timestamp(e / 1000.0)
            FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::int[], $6::int[], $7::bytea[], $8::bigint[])
                AS t(c, s, k, m, p, n, r, e)
            ON CONFLICT DO NOTHING
            """,
            [
                .textArray(opened.map(\.connector)), .textArray(opened.map(\.smscid)), .textArray(opened.map(\.key)),
                .intArray(opened.map(\.msgid)), .intArray(opened.map(\.part)), .intArray(opened.map(\.parts)),
                .bytesArray(opened.map(\.record)), .intArray(opened.map(\.expires)),
            ])
        try DueEntries.opened(opened, connection)
    }
}
