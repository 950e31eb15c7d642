/// Which queues are full, as an instance saw it within the last second, and who would fill them further. Pure.
package struct QueueRoom: Sendable, Equatable {
    /// A route as far as it matters here: whose messages may go where.
    package struct Way: Sendable, Hashable {
        /// nil = any.
        package var account: String?
        package var inConnector: String?
        package var outConnector: String

        package init(account: String? = nil, inConnector: String? = nil, outConnector: String) {
            self.account = account
            self.inConnector = inConnector
            self.outConnector = outConnector
        }
    }

    /// MAXTOTALQUEUESIZE is reached.
    package var isTotalFull = false
    /// Outgoing connectors whose MAXQUEUESIZE is reached.
    package var full: Set<String> = []
    package var ways: [Way] = []

    package init(isTotalFull: Bool = false, full: Set<String> = [], ways: [Way] = []) {
        self.isTotalFull = isTotalFull
        self.full = full
        self.ways = ways
    }

    /// Whether a message is to be refused: every connector that this account's messages can go to from here is full. One whose
    /// routes all lead elsewhere than to known ways is not refused: the router knows what becomes of it.
    package func isFull(account: String, connector: String) -> Bool {
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
