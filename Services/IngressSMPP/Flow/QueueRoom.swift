/// Which queues are full, as an instance saw it within the last second, and who would fill them further. Pure.
struct QueueRoom: Sendable, Equatable {
    /// A route as far as it matters here: whose messages may go where.
    struct Way: Sendable, Hashable {
        /// nil = any.
        var account: String?
        var inConnector: String?
        var outConnector: String
    }

    /// MAXTOTALQUEUESIZE is reached.
    var isTotalFull = false
    /// Outgoing connectors whose MAXQUEUESIZE is reached.
    var full: Set<String> = []
    var ways: [Way] = []

    /// Whether a message is to be refused: every connector that this account's messages can go to from here is full. One whose
    /// routes all lead elsewhere than to known ways is not refused: the router knows what becomes of it.
    func isFull(account: String, connector: String) -> Bool {
        if isTotalFull { return true }
        guard !full.isEmpty else { return false }
        var leadsSomewhere = false
        for way in ways where (way.account ?? account) == account && (way.inConnector ?? connector) == connector {
            guard full.contains(way.outConnector) else { return false }
            leadsSomewhere = true
        }
        return leadsSomewhere
    }
}
