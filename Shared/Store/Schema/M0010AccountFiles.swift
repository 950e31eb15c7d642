import Database

extension Migration {
    /// Prices from an account's file, and the text that an answer to a pool's number quotes.
    static let accountFiles = Migration(
        version: 10, name: "account files",
        sql: """
            -- The column of emguser whose file the row comes from; NULL = entered by hand.
            ALTER TABLE price ADD COLUMN origin text;
            -- QUOTED_REPLY: the message that is answered.
            ALTER TABLE sat_entry ADD COLUMN quote text;
            """)
}
