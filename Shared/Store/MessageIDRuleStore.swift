public import Database

/// How a provider was found to write an answer's message id in its receipts; a row of `connector_id_rule`.
public struct MessageIDRule: Sendable, Equatable {
    /// 10 or 16.
    public var answerBase: Int
    public var receiptBase: Int
    /// The answer's hexadecimal digits are capitals.
    public var isUppercase: Bool
    /// Digits of an answer that is padded with zeros; 0 = none is.
    public var width: Int

    public init(answerBase: Int, receiptBase: Int, isUppercase: Bool, width: Int) {
        self.answerBase = answerBase
        self.receiptBase = receiptBase
        self.isUppercase = isUppercase
        self.width = width
    }
}

public enum MessageIDRuleStore {
    /// - Parameter address: ADDRESS as it is now; what was learnt of another provider does not count.
    public static func load(_ connection: Connection, connector: String, address: String) throws(DatabaseError) -> MessageIDRule? {
        guard
            let row = try connection.query(
                "SELECT answer_base, receipt_base, uppercase, width FROM connector_id_rule WHERE connector = $1 AND address = $2",
                [.text(connector), .text(address)]
            ).first
        else { return nil }
        let (answer, receipt) = (Int(try row.int(0)), Int(try row.int(1)))
        guard [10, 16].contains(answer), [10, 16].contains(receipt) else { return nil }
        return MessageIDRule(
            answerBase: answer, receiptBase: receipt, isUppercase: try row.bool(2), width: min(64, max(0, Int(try row.int(3)))))
    }

    /// - Parameter rule: nil where ids were found to be the same on both sides.
    public static func write(
        _ connection: Connection, connector: String, address: String, rule: MessageIDRule?
    ) throws(DatabaseError) {
        guard let rule else {
            try connection.execute("DELETE FROM connector_id_rule WHERE connector = $1", [.text(connector)])
            return
        }
        try connection.execute(
            """
            INSERT INTO connector_id_rule (connector, address, answer_base, receipt_base, uppercase, width) VALUES ($1, $2, $3, $4, $5, $6)
            ON CONFLICT (connector) DO UPDATE SET address = excluded.address, answer_base = excluded.answer_base,
                receipt_base = excluded.receipt_base, uppercase = excluded.uppercase, width = excluded.width, at = now()
            """,
            [
                .text(connector), .text(address), .int(rule.answerBase), .int(rule.receiptBase), .bool(rule.isUppercase),
                .int(rule.width),
            ])
    }
}
