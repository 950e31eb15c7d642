import Database

extension Migration {
    /// Texts left out or encrypted by account, and how far back the log reaches.
    static let messageLog = Migration(
        version: 8, name: "message log",
        sql: """
            -- Accounts are a part of the configuration: whoever keeps a copy of this column reads it again.
            ALTER TABLE emguser
                ADD COLUMN logbody text NOT NULL DEFAULT 'plain' CHECK (logbody IN ('plain', 'none', 'encrypted'));
            CREATE TRIGGER emguser_logbody_count AFTER UPDATE OF logbody ON emguser
                FOR EACH STATEMENT EXECUTE FUNCTION signalbox_count_config();

            -- An encrypted row has these two and neither body nor udh.
            ALTER TABLE messagebody ADD COLUMN keyid text, ADD COLUMN sealed bytea;

            -- Nothing is logged of messages before it, and no hour before it is summed up anew. It only rises.
            CREATE TABLE log_horizon (
                singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
                first_msgid bigint NOT NULL DEFAULT 0,
                first_hour bigint NOT NULL DEFAULT 0
            );
            INSERT INTO log_horizon DEFAULT VALUES;
            """)
}
