import Database
import Message
import Store

/// Bodies and options, which only the first record of a message carries, in the form that the policy allows.
enum LogContents {
    /// What is known of a message when its batch has been merged.
    private struct Facts {
        var account: String
        var inConnector: String
        var outConnector: String
    }

    private struct Work {
        var plain: [ShortMessage] = []
        var sealed: [ShortMessage] = []
        var options: [ShortMessage] = []
        var withoutBody: [Int64] = []
        var withoutOptions: [Int64] = []
    }

    /// Belongs behind the merge, in its transaction.
    static func write(_ rows: [LogRow], _ connection: Connection, _ policy: LogPolicy, _ keys: BodyKeys?) throws {
        let work = try sort(rows, connection, policy)
        try insertPlain(work.plain, connection)
        try insertSealed(work.sealed, connection, keys)
        try insertOptions(work.options, connection)
        for (table, ids) in [("messagebody", work.withoutBody), ("messageoptions", work.withoutOptions)] where !ids.isEmpty {
            try connection.execute("DELETE FROM \(table) WHERE msgid = ANY($1::bigint[])", [.intArray(ids.map { $0 })])
        }
    }

    private static func sort(_ rows: [LogRow], _ connection: Connection, _ policy: LogPolicy) throws -> Work {
        var work = Work()
        let messages = rows.compactMap(\.content).filter { $0.type != .deliveryReport }
        guard !policy.isTrivial else {
            work.plain = messages
            work.options = messages
            return work
        }
        let facts = try facts(of: messages, connection)
        for message in messages {
            // The account of what a phone sends and the connector that a message leaves by are known later than its text: in this
            // record, or in a row that another one made.
            let known = facts[message.msgid] ?? Facts(account: message.account, inConnector: message.inConnector, outConnector: "")
            switch policy.form(account: known.account, inConnector: known.inConnector, outConnector: known.outConnector) {
            case .plain: work.plain.append(message)
            case .encrypted: work.sealed.append(message)
            // It may stand there from a record that did not know its account or its way.
            case .none: work.withoutBody.append(message.msgid)
            }
            if policy.logsOptions(inConnector: known.inConnector, outConnector: known.outConnector) {
                work.options.append(message)
            } else if policy.logsOptions(inConnector: message.inConnector, outConnector: "") {
                work.withoutOptions.append(message.msgid)
            }
        }
        // Written with the first record, before it was known where they leave.
        for row in rows where row.content == nil {
            guard let connector = row.outConnector else { continue }
            if policy.disablesBody(connector) { work.withoutBody.append(row.msgid) }
            if policy.disablesOptions(connector) { work.withoutOptions.append(row.msgid) }
        }
        return work
    }

    private static func facts(of messages: [ShortMessage], _ connection: Connection) throws(DatabaseError) -> [Int64: Facts] {
        guard !messages.isEmpty else { return [:] }
        var facts: [Int64: Facts] = [:]
        for row in try connection.query(
            "SELECT msgid, username, inconnector, outconnector FROM routelog WHERE msgid = ANY($1::bigint[])",
            [.intArray(messages.map(\.msgid))])
        {
            facts[try row.int(0)] = Facts(
                account: try row.optionalText(1) ?? "", inConnector: try row.optionalText(2) ?? "",
                outConnector: try row.optionalText(3) ?? "")
        }
        return facts
    }

    private static func insertPlain(_ messages: [ShortMessage], _ connection: Connection) throws(DatabaseError) {
        try writePlain(
            messages,
            """
            INSERT INTO messagebody (msgid, body, udh, charcode)
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING
            """, connection)
        // What was put together from parts counts for more than the part that came under the same id, whichever is read first.
        try writePlain(
            messages.filter { !$0.joined.isEmpty },
            """
            UPDATE messagebody b SET body = u.t, udh = u.h, charcode = u.c
            FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS u(m, t, h, c)
            WHERE b.msgid = ANY($1::bigint[]) AND b.msgid = u.m
            """, connection)
    }

    private static func writePlain(
        _ messages: [ShortMessage], _ statement: String, _ connection: Connection
    ) throws(DatabaseError) {
        guard !messages.isEmpty else { return }
        try connection.execute(
            statement,
            [
                .intArray(messages.map(\.msgid)), .textArray(messages.map { content($0).body }),
                .textArray(messages.map { content($0).udh }), .textArray(messages.map { charcode($0.body.encoding) }),
            ])
    }

    /// Without a key nothing is written. What stands there in the clear already (of a phone's message, before its account was known)
    /// is replaced or goes.
    private static func insertSealed(_ messages: [ShortMessage], _ connection: Connection, _ keys: BodyKeys?) throws {
        guard !messages.isEmpty else { return }
        guard let keys else {
            try connection.execute(
                "DELETE FROM messagebody WHERE msgid = ANY($1::bigint[]) AND keyid IS NULL", [.intArray(messages.map(\.msgid))])
            return
        }
        let joined = messages.filter { !$0.joined.isEmpty }.map(\.msgid)
        if !joined.isEmpty {
            // The text of the first part, which came under the same id.
            try connection.execute("DELETE FROM messagebody WHERE msgid = ANY($1::bigint[])", [.intArray(joined)])
        }
        let sealed = try messages.map { try keys.seal(content($0), msgid: $0.msgid) }
        try connection.execute(
            """
            INSERT INTO messagebody AS b (msgid, charcode, keyid, sealed)
            SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bytea[])
            ON CONFLICT (msgid) DO UPDATE SET body = NULL, udh = NULL, keyid = EXCLUDED.keyid, sealed = EXCLUDED.sealed
            WHERE b.body IS NOT NULL
            """,
            [
                .intArray(messages.map(\.msgid)), .textArray(messages.map { charcode($0.body.encoding) }),
                .textArray(sealed.map(\.keyID)), .bytesArray(sealed.map(\.sealed)),
            ])
    }

    private static func content(_ message: ShortMessage) -> BodyKeys.Content {
        BodyKeys.Content(
            body: message.body.encoding == .binary ? hex(message.body.data) : message.body.text,
            udh: message.body.udh.isEmpty ? nil : hex(message.body.udh))
    }

    private static func insertOptions(_ messages: [ShortMessage], _ connection: Connection) throws(DatabaseError) {
        let messages = messages.map { (message: $0, options: optionText(options($0))) }.filter { !$0.options.isEmpty }
        guard !messages.isEmpty else { return }
        try connection.execute(
            """
            INSERT INTO messageoptions (msgid, options)
            SELECT * FROM unnest($1::bigint[], $2::text[]) ON CONFLICT DO NOTHING
            """, [.intArray(messages.map(\.message.msgid)), .textArray(messages.map(\.options))])
        let joined = messages.filter { !$0.message.joined.isEmpty }
        guard !joined.isEmpty else { return }
        try connection.execute(
            """
            UPDATE messageoptions m SET options = u.o FROM unnest($1::bigint[], $2::text[]) AS u(m, o)
            WHERE m.msgid = ANY($1::bigint[]) AND m.msgid = u.m
            """, [.intArray(joined.map(\.message.msgid)), .textArray(joined.map(\.options))])
    }

    /// As `messageoptions` keeps them. The first of a name counts.
    private static func optionText(_ options: [(name: String, value: String)]) -> String {
        var text = ""
        for (index, option) in options.enumerated() where !options[..<index].contains(where: { $0.name == option.name }) {
            if !text.isEmpty { text.append(separator) }
            text += option.name
            text += "="
            text += option.value.contains(separator) ? option.value.filter { $0 != separator } : option.value
        }
        return text
    }

    private static let separator: Character = "\u{1E}"

    /// What has no column in `routelog`, by EMG's option names.
    private static func options(_ message: ShortMessage) -> [(name: String, value: String)] {
        var options = message.options.map { (name: $0.name, value: $0.value) }
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
