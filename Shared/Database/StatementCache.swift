/// Names of the statements that the server has prepared for a connection, by their SQL text. Bounded: the one
/// that was prepared first goes first, since a service has a fixed set that fits and only commands have more.
struct StatementCache {
    /// A prepared plan costs the server some tens of kilobytes.
    static let capacity = 200

    private var names: [String: String] = [:]
    private var order: [String] = []
    private var issued = 0

    func name(of sql: String) -> String? {
        names[sql]
    }

    /// A name for a new statement, and the name of the one to deallocate where there is no room for it.
    /// - Parameter reserving: names given out already and not yet inserted.
    mutating func newName(reserving: Int = 0) -> (name: String, evicted: String?) {
        issued += 1
        var evicted: String?
        if order.count + reserving >= Self.capacity, !order.isEmpty { evicted = names.removeValue(forKey: order.removeFirst()) }
        return ("sb\(issued)", evicted)
    }

    mutating func insert(_ sql: String, _ name: String) {
        names[sql] = name
        order.append(sql)
    }

    mutating func remove(_ sql: String) -> String? {
        order.removeAll { $0 == sql }
        return names.removeValue(forKey: sql)
    }

    /// After an error that names no statement. The server keeps the old ones until the connection ends; their
    /// names are never used again.
    mutating func removeAll() {
        names = [:]
        order = []
    }
}
