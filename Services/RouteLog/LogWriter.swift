import Database
import ServiceKit
import Store

/// Writes folded rows: COPY into a temporary table, then one merge. All in one transaction per batch; a repeated batch changes nothing.
final class LogWriter {
    private static let partitionDays = 3
    private static let partitionCheckMilliseconds: Int64 = 600_000
    private static let policyCheckMilliseconds: Int64 = 1_000

    private let connection: Connection
    private let keys: BodyKeys?
    private let onPolicy: (LogPolicy) -> Void
    private var partitionsChecked: Int64 = 0
    private var policy = LogPolicy()
    private var policyVersion: Int64?
    private var policyChecked: Int64 = 0

    /// - Parameter onPolicy: hears each policy that is read.
    init(_ connection: Connection, keys: BodyKeys?, onPolicy: @escaping (LogPolicy) -> Void) throws {
        self.connection = connection
        self.keys = keys
        self.onPolicy = onPolicy
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

    /// Now and then while there is nothing to write.
    func idle() throws {
        try ensurePartitions()
        guard monotonicMilliseconds() - policyChecked > LogWriter.policyCheckMilliseconds else { return }
        _ = try connection.transaction { try readPolicy() }
    }

    /// Reads the policy again where the configuration changed: so a change holds for all that is written after it.
    /// - Returns: the first id that is still logged.
    private func readPolicy() throws -> Int64 {
        let now = try connection.query("SELECT (SELECT version FROM configuration_version), (SELECT first_msgid FROM log_horizon)")[0]
        let version = try now.optionalInt(0) ?? 0
        if policyVersion != version {
            policy = try LogPolicy(connection)
            policyVersion = version
            onPolicy(policy)
        }
        policyChecked = monotonicMilliseconds()
        return try now.optionalInt(1) ?? 0
    }

    func write(_ all: [LogRow]) throws {
        guard !all.isEmpty else { return }
        try ensurePartitions()
        try connection.transaction {
            // Retention moves the horizon under this table's exclusive lock: behind ours it stands still.
            try connection.script("LOCK TABLE ONLY routelog IN ROW EXCLUSIVE MODE")
            let horizon = try readPolicy()
            // What comes after its day was dropped would begin that day anew.
            let rows = all.filter { $0.msgid >= horizon }
            guard !rows.isEmpty else { return }
            _ = try connection.copyIn("COPY log_batch FROM STDIN") { writer in
                for row in rows { try LogWriter.copy(row, &writer) }
            }
            _ = try connection.execute(LogWriter.merge)
            try LogContents.write(rows, connection, policy, keys)
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
}
