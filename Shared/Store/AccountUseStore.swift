public import Database

/// The `account_use` table: on which instances of the ingresses accounts with an allowed rate send at present, so that they share it.
public enum AccountUseStore {
    /// Writes down what an instance sees now; of a row that says so already nothing is written.
    /// - Parameter uses: accounts with how many sessions of each use its rate; 1 where there are no sessions.
    public static func write(_ connection: Connection, instance: String, _ uses: [(username: String, weight: Int)]) throws(DatabaseError) {
        let names: [String?] = uses.map(\.username)
        let weights: [Int64?] = uses.map { Int64($0.weight) }
        try connection.execute(
            """
            WITH gone AS (DELETE FROM account_use WHERE instance = $1 AND NOT username = ANY($2::text[]))
            INSERT INTO account_use (instance, username, weight)
            SELECT $1, username, weight FROM unnest($2::text[], $3::bigint[]) AS u (username, weight)
            ON CONFLICT (username, instance) DO UPDATE SET weight = EXCLUDED.weight WHERE account_use.weight <> EXCLUDED.weight
            """, [.text(instance), .textArray(names), .intArray(weights)])
    }

    /// - Returns: for each account that other living instances use, with what weight altogether.
    public static func others(
        _ connection: Connection, of names: [String], besides instance: String
    ) throws(DatabaseError) -> [String: Int] {
        var weights: [String: Int] = [:]
        for row in try connection.query(
            """
            SELECT username, sum(weight)::bigint FROM account_use u
            WHERE username = ANY($1::text[]) AND instance <> $2 AND EXISTS (
                SELECT FROM service_instance i
                WHERE i.instance = u.instance AND i.state <> 'stopped' AND i.beat > now() - interval '8 seconds')
            GROUP BY 1
            """, [.textArray(names.map { $0 }), .text(instance)])
        {
            weights[try row.text(0)] = Int(try row.int(1))
        }
        return weights
    }

    /// Removes what instances left behind that are no more.
    public static func removeOld(_ connection: Connection) throws(DatabaseError) {
        try connection.execute(
            """
            DELETE FROM account_use u WHERE NOT EXISTS (
                SELECT FROM service_instance i WHERE i.instance = u.instance AND i.beat > now() - interval '1 hour')
            """)
    }
}
