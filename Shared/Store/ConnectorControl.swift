import Configuration
public import Database

/// What an instance says of a connector that it runs; a row of `connector_state`.
public struct ConnectorState: Sendable, Equatable {
    public enum Word: String, Sendable {
        case bound, connecting, held, idle
    }

    public var connector: String
    public var state: Word
    public var sessions: Int
    public var wanted: Int
    public var windowSize: Int
    public var unanswered: Int
    public var waiting: Int
    public var rate: Double
    public var throttledTo: Double?
    public var detail: String

    public init(
        connector: String, state: Word, sessions: Int, wanted: Int, windowSize: Int, unanswered: Int, waiting: Int, rate: Double,
        throttledTo: Double?, detail: String
    ) {
        self.connector = connector
        self.state = state
        self.sessions = sessions
        self.wanted = wanted
        self.windowSize = windowSize
        self.unanswered = unanswered
        self.waiting = waiting
        self.rate = rate
        self.throttledTo = throttledTo
        self.detail = detail
    }
}

/// Orders to connectors at run time. They raise `configuration_version`, which every instance looks at twice a second.
public enum ConnectorControl {
    public enum Order: String, Sendable, CaseIterable {
        /// Keeps its sessions, sends nothing.
        case hold
        case unhold
        /// Unbinds and binds anew.
        case bounce
        /// Unbinds and stays away; routes pass it by.
        case stop
        case start
    }

    /// - Returns: false where there is no connector of that name.
    public static func give(_ order: Order, to name: String, _ connection: Connection, by who: String) throws -> Bool {
        let change =
            switch order {
            case .hold: "held = true"
            case .unhold: "held = false"
            case .bounce: "bounces = bounces + 1"
            case .stop: "disabled = true"
            case .start: "disabled = false"
            }
        return try connection.transaction {
            let rows = try connection.query("UPDATE connector SET \(change), updated = now() WHERE name = $1 RETURNING name", [.text(name)])
            guard !rows.isEmpty else { return false }
            try Audit.write(connection, who: who, action: "connector \(order.rawValue)", detail: name)
            return true
        }
    }

    /// Adds what operators ordered to the connectors as they are configured.
    static func apply(_ connection: Connection, to connectors: inout [ConnectorConfiguration]) throws(DatabaseError) {
        var orders: [String: (held: Bool, bounces: Int)] = [:]
        for row in try connection.query("SELECT name, held, bounces FROM connector WHERE held OR bounces > 0") {
            orders[try row.text(0)] = (try row.bool(1), Int(try row.int(2)))
        }
        for index in connectors.indices {
            guard let order = orders[connectors[index].name] else { continue }
            connectors[index].outgoing.isHeld = order.held
            connectors[index].outgoing.bounces = order.bounces
        }
    }

    /// Writes what `instance` says of all its connectors, and forgets those that it does not run any more.
    public static func report(_ states: [ConnectorState], instance: String, _ connection: Connection) throws {
        try connection.transaction {
            if !states.isEmpty {
                try connection.execute(
                    """
                    INSERT INTO connector_state
                        (connector, instance, state, sessions, wanted, window_size, unanswered, waiting, rate, throttled_to, detail, beat)
                    SELECT c, $1, s, n, w, z, u, q, r::double precision, t::double precision, d, now()
                    FROM unnest($2::text[], $3::text[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::text[], $10::text[],
                        $11::text[]) AS x(c, s, n, w, z, u, q, r, t, d)
                    ON CONFLICT (connector, instance) DO UPDATE SET state = excluded.state, sessions = excluded.sessions,
                        wanted = excluded.wanted, window_size = excluded.window_size, unanswered = excluded.unanswered,
                        waiting = excluded.waiting, rate = excluded.rate, throttled_to = excluded.throttled_to, detail = excluded.detail,
                        beat = now()
                    """,
                    [
                        .text(instance), .textArray(states.map(\.connector)), .textArray(states.map(\.state.rawValue)),
                        .intArray(states.map { Int64($0.sessions) }), .intArray(states.map { Int64($0.wanted) }),
                        .intArray(states.map { Int64($0.windowSize) }), .intArray(states.map { Int64($0.unanswered) }),
                        .intArray(states.map { Int64($0.waiting) }), .textArray(states.map { "\($0.rate)" }),
                        .textArray(states.map { $0.throttledTo.map { "\($0)" } }), .textArray(states.map(\.detail)),
                    ])
            }
            try connection.execute(
                "DELETE FROM connector_state WHERE instance = $1 AND NOT (connector = ANY($2::text[]))",
                [.text(instance), .textArray(states.map(\.connector))])
        }
    }

    /// What all instances that were heard of lately say of a connector, together.
    public struct Summary: Sendable {
        public var states: Set<String>
        public var instances: Int
        public var sessions: Int
        public var windowSize: Int
        public var unanswered: Int
        public var rate: Double
        public var throttledTo: Double?
        public var detail: String
    }

    public static func summaries(_ connection: Connection) throws -> [String: Summary] {
        var found: [String: Summary] = [:]
        for row in try connection.query(
            """
            SELECT connector, string_agg(DISTINCT state, ',') AS states, count(*) AS instances, sum(sessions) AS sessions,
                sum(window_size) AS window_size, sum(unanswered) AS unanswered, round(sum(rate))::bigint AS rate,
                round(sum(throttled_to))::bigint AS throttled_to, max(detail) AS detail
            FROM connector_state WHERE beat > now() - interval '10 seconds' GROUP BY connector
            """)
        {
            found[try row.text("connector")] = Summary(
                states: Set(try row.text("states").split(separator: ",").map(String.init)), instances: Int(try row.int("instances")),
                sessions: Int(try row.int("sessions")), windowSize: Int(try row.int("window_size")),
                unanswered: Int(try row.int("unanswered")), rate: Double(try row.int("rate")),
                throttledTo: try row.optionalInt("throttled_to").map { Double($0) }, detail: try row.text("detail"))
        }
        return found
    }

    /// The instances of a service that gave a sign of life within the last seconds and have not said good-bye.
    public static func livingInstances(of service: String, _ connection: Connection) throws -> [String] {
        try connection.query(
            "SELECT instance FROM service_instance WHERE service = $1 AND state <> 'stopped' AND beat > now() - interval '6 seconds'",
            [.text(service)]
        ).map { try $0.text(0) }
    }
}
