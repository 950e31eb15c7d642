public import Database
public import Pricing

/// A row of `routelog` as people want to see it. Ids are text in JSON, whose numbers many readers cut at 53 bits;
/// times are milliseconds since 1970.
public struct LoggedMessage: Sendable, Equatable {
    public var msgid: Int64
    /// EMG's msgtype: 1 = message, 5 = delivery report.
    public var type: Int64?
    public var status: Int64?
    public var account: String?
    public var inConnector: String?
    public var outConnector: String?
    public var source: String?
    public var destination: String?
    public var smscid: String?
    public var parts: Int64?
    public var reason: Int64?
    public var reasonText: String?
    public var note: String?
    public var originalID: Int64?
    public var acceptedAt: Int64?
    public var routedAt: Int64?
    public var pricedAt: Int64?
    public var submittedAt: Int64?
    public var answeredAt: Int64?
    public var reportedAt: Int64?
    public var endedAt: Int64?
    public var charge: Money?
    public var cost: Money?
    public var chargePriceID: Int64?
    public var costPriceID: Int64?
    public var currency: String?

    static let columns = """
        msgid, msgtype, status, username, inconnector, outconnector, sourceaddr, destaddr, smscid, npdus, reason, reasontext, note,
        origid, startsecs * 1000 + COALESCE(startmsecs, 0) AS acceptedat, routedat, pricedat, submittedat, answeredat,
        COALESCE(reportedat, lastdlrsecs * 1000 + COALESCE(lastdlrmsecs, 0)) AS reportedat,
        endsecs * 1000 + COALESCE(endmsecs, 0) AS endedat, charge, charge_cost, charge_price_id, charge_cost_price_id, account_currency
        """

    init(_ row: Row) throws(DatabaseError) {
        msgid = try row.int("msgid")
        type = try row.optionalInt("msgtype")
        status = try row.optionalInt("status")
        account = try row.optionalText("username")
        inConnector = try row.optionalText("inconnector")
        outConnector = try row.optionalText("outconnector")
        source = try row.optionalText("sourceaddr")
        destination = try row.optionalText("destaddr")
        smscid = try row.optionalText("smscid")
        parts = try row.optionalInt("npdus")
        reason = try row.optionalInt("reason")
        reasonText = try row.optionalText("reasontext")
        note = try row.optionalText("note")
        originalID = try row.optionalInt("origid")
        acceptedAt = try row.optionalInt("acceptedat")
        routedAt = try row.optionalInt("routedat")
        pricedAt = try row.optionalInt("pricedat")
        submittedAt = try row.optionalInt("submittedat")
        answeredAt = try row.optionalInt("answeredat")
        reportedAt = try row.optionalInt("reportedat")
        endedAt = try row.optionalInt("endedat")
        charge = try row.optionalMoney("charge")
        cost = try row.optionalMoney("charge_cost")
        chargePriceID = try row.optionalInt("charge_price_id")
        costPriceID = try row.optionalInt("charge_cost_price_id")
        currency = try row.optionalText("account_currency")
    }

    /// The name of a status number (docs/status.md).
    public static func statusName(_ status: Int64?) -> String {
        switch status {
        case 1: "ACCEPTED"
        case 2: "ROUTED"
        case 3: "QUEUED"
        case 4: "SUBMITTED"
        case 5: "BUFFERED"
        case 10: "RELAYED"
        case 11: "DELIVERED"
        case 12: "FAILED"
        case 13: "EXPIRED"
        case 14: "DELETED"
        case 15: "UNDELIVERABLE"
        case 16: "REJECTED"
        case 17: "UNKNOWN"
        case .some(let other): "STATUS \(other)"
        case nil: "NOT LOGGED"
        }
    }
}

extension LoggedMessage: Encodable {
    enum CodingKeys: String, CodingKey {
        case msgid, msgtype, status, username, inconnector, outconnector, sourceaddr, destaddr, smscid, npdus, reason, reasontext, note,
            origid, charge, currency
        case statusName = "status_name"
        case acceptedAt = "accepted_ms"
        case routedAt = "routed_ms"
        case pricedAt = "priced_ms"
        case submittedAt = "submitted_ms"
        case answeredAt = "answered_ms"
        case reportedAt = "reported_ms"
        case endedAt = "ended_ms"
        case cost = "charge_cost"
        case chargePriceID = "charge_price_id"
        case costPriceID = "charge_cost_price_id"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(String(msgid), forKey: .msgid)
        try container.encode(type, forKey: .msgtype)
        try container.encode(status, forKey: .status)
        try container.encode(Self.statusName(status), forKey: .statusName)
        try container.encode(account, forKey: .username)
        try container.encode(inConnector, forKey: .inconnector)
        try container.encode(outConnector, forKey: .outconnector)
        try container.encode(source, forKey: .sourceaddr)
        try container.encode(destination, forKey: .destaddr)
        try container.encode(smscid, forKey: .smscid)
        try container.encode(parts, forKey: .npdus)
        try container.encode(reason, forKey: .reason)
        try container.encode(reasonText, forKey: .reasontext)
        try container.encode(note, forKey: .note)
        try container.encode(originalID.map(String.init), forKey: .origid)
        try container.encode(acceptedAt, forKey: .acceptedAt)
        try container.encode(routedAt, forKey: .routedAt)
        try container.encode(pricedAt, forKey: .pricedAt)
        try container.encode(submittedAt, forKey: .submittedAt)
        try container.encode(answeredAt, forKey: .answeredAt)
        try container.encode(reportedAt, forKey: .reportedAt)
        try container.encode(endedAt, forKey: .endedAt)
        try container.encode(charge, forKey: .charge)
        try container.encode(cost, forKey: .cost)
        try container.encode(chargePriceID, forKey: .chargePriceID)
        try container.encode(costPriceID, forKey: .costPriceID)
        try container.encode(currency, forKey: .currency)
    }
}

/// All that the log knows of one message.
public struct MessageStory: Sendable, Encodable {
    public struct Body: Sendable, Encodable {
        public var text: String?
        public var udh: String?
        public var charcode: String?
        /// Why there is no text; nil where there is one.
        public var missing: String?
    }

    /// One movement of money for the message.
    public struct Booking: Sendable, Encodable {
        public var kind: Int64
        /// Change of the balance: negative for a charge.
        public var amount: Money
        public var balanceAfter: Money?
        public var at: Int64
        public var note: String?

        /// The kind in words.
        public var word: String { LedgerKind(rawValue: Int16(clamping: kind)).word }

        enum CodingKeys: String, CodingKey {
            case kind, amount, note
            case balanceAfter = "balance_after"
            case at = "at_ms"
        }
    }

    public var message: LoggedMessage
    public var body: Body?
    public var options: [String: String]
    /// Delivery reports that speak of it, oldest first.
    public var reports: [LoggedMessage]
    public var bookings: [Booking]
}

public enum MessageStore {
    /// The whole story of a message, in one round trip; nil where the log has no such id.
    /// - Parameter keys: for texts that are encrypted; without them the story says that they are.
    public static func show(_ connection: Connection, msgid: Int64, keys: BodyKeys? = nil) throws(DatabaseError) -> MessageStory? {
        let id: [SQLValue] = [.int(msgid)]
        let answers = try connection.pipeline([
            ("SELECT \(LoggedMessage.columns) FROM routelog WHERE msgid = $1", id),
            ("SELECT body, udh, charcode, keyid, sealed FROM messagebody WHERE msgid = $1", id),
            ("SELECT optionname, optionvalue FROM messageoption WHERE msgid = $1", id),
            ("SELECT \(LoggedMessage.columns) FROM routelog WHERE origid = $1 AND msgid <> $1 ORDER BY msgid LIMIT 100", id),
            ("SELECT kind, amount, balance_after, at, note FROM ledger WHERE msgid = $1 ORDER BY at, kind", id),
        ])
        guard let row = answers[0].first else { return nil }
        var story = MessageStory(message: try LoggedMessage(row), body: nil, options: [:], reports: [], bookings: [])
        if let body = answers[1].first {
            story.body = try self.body(body, msgid, keys)
        }
        for option in answers[2] { story.options[try option.text(0)] = try option.optionalText(1) ?? "" }
        for report in answers[3] { story.reports.append(try LoggedMessage(report)) }
        for booking in answers[4] {
            story.bookings.append(
                MessageStory.Booking(
                    kind: try booking.int(0), amount: try booking.money(1), balanceAfter: try booking.optionalMoney(2),
                    at: try booking.milliseconds(3), note: try booking.optionalText(4)))
        }
        return story
    }

    private static func body(_ row: Row, _ msgid: Int64, _ keys: BodyKeys?) throws(DatabaseError) -> MessageStory.Body {
        var body = MessageStory.Body(
            text: try row.optionalText(0), udh: try row.optionalText(1), charcode: try row.optionalText(2), missing: nil)
        guard let keyID = try row.optionalText(3), let sealed = try row.optionalBytes(4) else {
            if body.text == nil { body.missing = "left out" }
            return body
        }
        do {
            guard let keys else { throw BodyKeys.Fault.unknownKey(keyID) }
            let content = try keys.open(sealed, keyID: keyID, msgid: msgid)
            (body.text, body.udh) = (content.body, content.udh)
        } catch {
            body.missing = "\(error)"
        }
        return body
    }
}
