import Database
import Message
import ServiceKit

/// Writes folded rows: COPY into a temporary table, then one merge. All in one transaction per batch; a repeated batch changes nothing.
final class LogWriter {
    private static let partitionDays = 3
    private static let partitionCheckMilliseconds: Int64 = 600_000

    private let connection: Connection
    private var partitionsChecked: Int64 = 0

    init(_ connection: Connection) throws {
        self.connection = connection
        _ = try connection.execute(
            """
            CREATE TEMP TABLE log_batch (
                msgid bigint, msgtype int, accepted bigint, inconnector text, outconnector text, sourceaddr text, destaddr text,
                username text, status int, reason int, reasontext text, ended bigint, note text, smscid text, reported bigint, npdus int,
                bufferedstatus int, origid bigint, charge numeric(18,6), charge_cost numeric(18,6), charge_price_id bigint,
                charge_cost_price_id bigint, currency text, charge_revision int, routed bigint, priced bigint, submitted bigint, answered bigint
            ) ON COMMIT DELETE ROWS
            """)
        try ensurePartitions()
    }

    /// Tomorrow's partitions, made today.
    func ensurePartitions() throws {
        let now = monotonicMilliseconds()
        guard partitionsChecked == 0 || now - partitionsChecked > LogWriter.partitionCheckMilliseconds else { return }
        _ = try connection.query("SELECT signalbox_ensure_partitions(current_date - 1, \(LogWriter.partitionDays + 1))")
        partitionsChecked = now
    }

    func write(_ rows: [LogRow]) throws {
        guard !rows.isEmpty else { return }
        try ensurePartitions()
        try connection.transaction {
            _ = try connection.copyIn("COPY log_batch FROM STDIN") { writer in
                for row in rows { try LogWriter.copy(row, &writer) }
            }
            _ = try connection.execute(LogWriter.merge)
            try LogWriter.writeContents(rows, connection)
            try LogWriter.noteHours(rows, connection)
        }
    }

    /// Notes which hours' summaries are out of date. Last in its transaction: whoever makes a summary removes the note first, waits for
    /// us there if need be, and then sees what we wrote; and another writer waits for our commit only.
    private static func noteHours(_ rows: [LogRow], _ connection: Connection) throws {
        var hours: Set<Int64> = []
        for row in rows where row.type != 5 {
            let seconds = MessageIDs.time(of: row.msgid) / 1_000
            hours.insert(seconds / 3_600)
            // Ids may run ahead of the clock by moments; `starttime` does not.
            hours.insert((seconds - 10) / 3_600)
        }
        guard !hours.isEmpty else { return }
        _ = try connection.execute(
            """
            INSERT INTO summary_due (hour) SELECT * FROM unnest($1::bigint[]) AS h ORDER BY h
            ON CONFLICT (hour) DO UPDATE SET hour = EXCLUDED.hour
            """, [.intArray(hours.sorted().map { $0 })])
    }

    private static func copy(_ row: LogRow, _ writer: inout CopyWriter) throws(DatabaseError) {
        writer.int(row.msgid)
        writer.int(row.type)
        writer.int(row.accepted)
        writer.text(row.inConnector)
        writer.text(row.outConnector)
        writer.text(row.source)
        writer.text(row.destination)
        writer.text(row.username)
        writer.int(row.status)
        writer.int(row.reason)
        writer.text(row.reasonText)
        writer.int(row.ended)
        writer.text(row.note)
        writer.text(row.smscid)
        writer.int(row.reported)
        writer.int(row.parts)
        writer.int(row.buffered)
        writer.int(row.origMsgid)
        writer.money(row.charge)
        writer.money(row.cost)
        writer.int(row.chargePriceID)
        writer.int(row.costPriceID)
        writer.text(row.currency)
        writer.int(row.chargeRevision)
        writer.int(row.routed)
        writer.int(row.priced)
        writer.int(row.submitted)
        writer.int(row.answered)
        try writer.endRow()
    }

    private static let merge = """
        INSERT INTO routelog AS r (
            msgid, starttime, startmsecs, startsecs, endtime, endmsecs, endsecs, inconnector, outconnector, sourceaddr, destaddr, status,
            reason, note, username, smscid, reasontext, lastdlrsecs, lastdlrmsecs, npdus, bufferedstatus, msgtype, origid, charge,
            charge_cost, charge_price_id, charge_cost_price_id, routedat, pricedat, submittedat, answeredat, reportedat, account_currency,
            charge_revision)
        SELECT msgid, to_timestamp(accepted / 1000) AT TIME ZONE 'UTC', accepted % 1000, accepted / 1000,
            to_timestamp(ended / 1000) AT TIME ZONE 'UTC', ended % 1000, ended / 1000, inconnector, outconnector, sourceaddr, destaddr,
            status, reason, note, username, smscid, reasontext, reported / 1000, reported % 1000, npdus, bufferedstatus, msgtype, origid,
            charge, charge_cost, charge_price_id, charge_cost_price_id, routed, priced, submitted, answered, reported, currency, charge_revision
        FROM log_batch ORDER BY msgid
        ON CONFLICT (msgid) DO UPDATE SET
            starttime = COALESCE(r.starttime, EXCLUDED.starttime),
            startmsecs = COALESCE(r.startmsecs, EXCLUDED.startmsecs),
            startsecs = COALESCE(r.startsecs, EXCLUDED.startsecs),
            endtime = COALESCE(r.endtime, EXCLUDED.endtime),
            endmsecs = COALESCE(r.endmsecs, EXCLUDED.endmsecs),
            endsecs = COALESCE(r.endsecs, EXCLUDED.endsecs),
            inconnector = COALESCE(r.inconnector, EXCLUDED.inconnector),
            outconnector = COALESCE(EXCLUDED.outconnector, r.outconnector),
            sourceaddr = COALESCE(r.sourceaddr, EXCLUDED.sourceaddr),
            destaddr = COALESCE(r.destaddr, EXCLUDED.destaddr),
            status = CASE WHEN r.status >= 10 THEN r.status ELSE GREATEST(r.status, EXCLUDED.status) END,
            reason = COALESCE(EXCLUDED.reason, r.reason),
            note = COALESCE(EXCLUDED.note, r.note),
            username = COALESCE(r.username, EXCLUDED.username),
            smscid = COALESCE(r.smscid, EXCLUDED.smscid),
            reasontext = COALESCE(EXCLUDED.reasontext, r.reasontext),
            lastdlrsecs = COALESCE(EXCLUDED.lastdlrsecs, r.lastdlrsecs),
            lastdlrmsecs = COALESCE(EXCLUDED.lastdlrmsecs, r.lastdlrmsecs),
            npdus = COALESCE(EXCLUDED.npdus, r.npdus),
            bufferedstatus = COALESCE(EXCLUDED.bufferedstatus, r.bufferedstatus),
            msgtype = COALESCE(r.msgtype, EXCLUDED.msgtype),
            origid = COALESCE(r.origid, EXCLUDED.origid),
            charge = CASE WHEN EXCLUDED.charge_revision > r.charge_revision THEN EXCLUDED.charge ELSE r.charge END,
            charge_cost = CASE WHEN EXCLUDED.charge_revision > r.charge_revision THEN EXCLUDED.charge_cost ELSE r.charge_cost END,
            charge_price_id = CASE WHEN EXCLUDED.charge_revision > r.charge_revision
                THEN COALESCE(EXCLUDED.charge_price_id, r.charge_price_id) ELSE COALESCE(r.charge_price_id, EXCLUDED.charge_price_id) END,
            charge_cost_price_id = CASE WHEN EXCLUDED.charge_revision > r.charge_revision
                THEN COALESCE(EXCLUDED.charge_cost_price_id, r.charge_cost_price_id)
                ELSE COALESCE(r.charge_cost_price_id, EXCLUDED.charge_cost_price_id) END,
            routedat = COALESCE(r.routedat, EXCLUDED.routedat),
            pricedat = COALESCE(r.pricedat, EXCLUDED.pricedat),
            submittedat = COALESCE(r.submittedat, EXCLUDED.submittedat),
            answeredat = COALESCE(r.answeredat, EXCLUDED.answeredat),
            reportedat = COALESCE(EXCLUDED.reportedat, r.reportedat),
            account_currency = COALESCE(r.account_currency, EXCLUDED.account_currency),
            charge_revision = GREATEST(r.charge_revision, EXCLUDED.charge_revision)
        """

    private static func writeBodies(of messages: [ShortMessage], _ statement: String, _ connection: Connection) throws {
        guard !messages.isEmpty else { return }
        _ = try connection.execute(
            statement,
            [
                .intArray(messages.map(\.msgid)),
                .textArray(messages.map { $0.body.encoding == .binary ? hex($0.body.data) : $0.body.text }),
                .textArray(messages.map { $0.body.udh.isEmpty ? nil : hex($0.body.udh) }),
                .textArray(messages.map { charcode($0.body.encoding) }),
            ])
    }

    /// Bodies and options, which only the first record of a message carries.
    private static func writeContents(_ rows: [LogRow], _ connection: Connection) throws {
        let messages = rows.compactMap(\.content).filter { $0.type != .deliveryReport }
        try writeBodies(
            of: messages,
            """
            INSERT INTO messagebody (msgid, body, udh, charcode)
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING
            """, connection)
        // What was put together from parts counts for more than the part that came under the same id, whichever is read first.
        try writeBodies(
            of: messages.filter { !$0.joined.isEmpty },
            """
            UPDATE messagebody b SET body = u.t, udh = u.h, charcode = u.c
            FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS u(m, t, h, c) WHERE b.msgid = u.m
            """, connection)
        var ids: [Int64?] = []
        var names: [String?] = []
        var values: [String?] = []
        for row in rows {
            for (name, value) in row.content.map(options) ?? [] {
                ids.append(row.msgid)
                names.append(name)
                values.append(value)
            }
        }
        guard !ids.isEmpty else { return }
        _ = try connection.execute(
            """
            INSERT INTO messageoption (msgid, optionname, optionvalue)
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[]) ON CONFLICT DO NOTHING
            """, [.intArray(ids), .textArray(names), .textArray(values)])
    }

    /// What has no column in `routelog`, by EMG's option names.
    private static func options(_ message: ShortMessage) -> [(String, String)] {
        guard message.type != .deliveryReport else { return [] }
        var options: [(String, String)] = message.options.map { ($0.name, $0.value) }
        func add(_ name: String, _ value: some BinaryInteger) { if value != 0 { options.append((name, String(value))) } }
        add("SOURCEADDRTON", message.source.ton)
        add("SOURCEADDRNPI", message.source.npi)
        add("DESTADDRTON", message.destination.ton)
        add("DESTADDRNPI", message.destination.npi)
        add("PRIORITY", message.priority)
        add("DLR", message.reportRequest.rawValue)
        add("DCS", message.body.dataCoding)
        add("VP", message.expiresAt)
        add("DELTIME", message.scheduledAt)
        if !message.remoteIp.isEmpty { options.append(("REMOTEIP", message.remoteIp)) }
        return options
    }

    private static func charcode(_ encoding: Encoding) -> String {
        switch encoding {
        case .gsm7: "GSM7"
        case .latin1: "LATIN1"
        case .ucs2: "UCS2"
        case .binary: "BINARY"
        case .utf8: "UTF8"
        case .ascii: "ASCII"
        case .unspecified, .UNRECOGNIZED: ""
        }
    }

    private static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}
