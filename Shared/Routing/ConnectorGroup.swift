/// EMG's CONNECTORGROUP: several connectors under one name, to which routes may lead.
public struct ConnectorGroup: Sendable, Hashable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        /// The first that is available, in their order.
        case failover = "FAILOVER"
        /// Shared by weight.
        case loadBalancing = "LB"
        /// The cheapest that is available (ours).
        case leastCost = "LCR"
    }

    public struct Member: Sendable, Hashable {
        /// A connector or another group.
        public var name: String
        public var weight: Int

        public init(name: String, weight: Int = 1) {
            self.name = name
            self.weight = max(0, weight)
        }
    }

    /// Groups within groups, at most.
    public static let maxDepth = 4

    public var name: String
    public var kind: Kind
    public var members: [Member]

    public init(name: String, kind: Kind, members: [Member]) {
        self.name = name
        self.kind = kind
        self.members = members
    }

    /// The same on every instance (unlike Swift's own hash).
    var salt: UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash | 1
    }
}
