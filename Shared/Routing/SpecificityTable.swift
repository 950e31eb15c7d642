/// What a row of a table may be limited to. `nil` or the empty prefix matches anything.
public struct RowScope: Hashable, Sendable {
    public var prefix: String
    public var account: String?
    public var inConnector: String?
    public var outConnector: String?

    public init(prefix: String = "", account: String? = nil, inConnector: String? = nil, outConnector: String? = nil) {
        self.prefix = prefix
        self.account = account
        self.inConnector = inConnector
        self.outConnector = outConnector
    }
}

/// Rows by how specific they are: routes and prices are found by the same rule (docs/routing.md).
///
/// The order, most decisive first: the row names the account; it names the incoming connector; it names the outgoing connector; its
/// prefix is longer. A search asks at most 8 maps for at most 19 prefixes, whatever the number of rows.
public struct SpecificityTable<Row: Sendable>: Sendable {
    private struct Names: Hashable, Sendable {
        var account: String?
        var inConnector: String?
        var outConnector: String?
    }

    private var maps: [Names: [NumberPrefix: [Row]]] = [:]
    private var longest = 0
    public private(set) var count = 0

    public init() {}

    /// - Returns: `false` where the prefix is no number.
    public mutating func insert(_ row: Row, scope: RowScope) -> Bool {
        guard let prefix = NumberPrefix(scope.prefix) else { return false }
        let names = Names(account: scope.account, inConnector: scope.inConnector, outConnector: scope.outConnector)
        maps[names, default: [:]][prefix, default: []].append(row)
        longest = max(longest, scope.prefix.utf8.count)
        count += 1
        return true
    }

    /// Calls `visit` with the rows of each level, the most specific first, until it returns `true`.
    public func search(
        number: String, account: String, inConnector: String, outConnector: String? = nil, until visit: ([Row]) -> Bool
    ) {
        let prefixes = NumberPrefix.all(of: number)
        let deepest = min(prefixes.count - 1, longest)
        for level in 0..<8 {
            let withOut = level & 1 == 0
            if withOut, outConnector == nil { continue }
            let names = Names(
                account: level & 4 == 0 ? account : nil, inConnector: level & 2 == 0 ? inConnector : nil,
                outConnector: withOut ? outConnector : nil)
            guard let map = maps[names] else { continue }
            for depth in stride(from: deepest, through: 0, by: -1) {
                if let rows = map[prefixes[depth]], visit(rows) { return }
            }
        }
    }
}
