/// How the server finds its plans for the statements of a connection.
public enum StatementPlans: Sendable {
    /// As it thinks best: for commands and reports, whose statements run once.
    case byCost
    /// By index wherever there is one: for connections that live long.
    ///
    /// A statement that is prepared once and run for weeks gets its lasting plan after a few runs (PostgreSQL's PREPARE, "Notes").
    /// Where the tables are empty at that time, reading them whole is the cheapest way there is; when they have grown it takes minutes,
    /// until somebody analyzes them. An index is never much worse, so reading a table whole is for where there is no other way.
    ///
    /// That alone is not enough: an index can be read from end to end as well, and a table that was analyzed while it was small is
    /// joined so. Statements of these connections therefore look rows up in a form that leaves the planner no other way:
    /// `= ANY(ARRAY(SELECT ...))` instead of `IN (SELECT ...)`, and `CROSS JOIN LATERAL (SELECT ... WHERE key = x.key OFFSET 0)` instead
    /// of `JOIN ... ON key = x.key`; for an UPDATE by several columns, of the row's `ctid`. `OFFSET 0` keeps the planner from making it
    /// an ordinary join.
    case byIndex

    var settings: String {
        switch self {
        case .byCost: ""
        // What has no index gets a price beyond all measure, which would seem to be worth compiling each time.
        case .byIndex: "SET enable_seqscan = off; SET jit = off"
        }
    }
}
