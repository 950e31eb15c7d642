/// The requests this broker answers.
/// Source: Kafka protocol guide, "Api Keys".
enum APIKey: Int16, CaseIterable, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case metadata = 3
    case offsetCommit = 8
    case offsetFetch = 9
    case findCoordinator = 10
    case joinGroup = 11
    case heartbeat = 12
    case leaveGroup = 13
    case syncGroup = 14
    case describeGroups = 15
    case listGroups = 16
    case saslHandshake = 17
    case apiVersions = 18
    case createTopics = 19
    case deleteTopics = 20
    case deleteRecords = 21
    case initProducerID = 22
    case offsetForLeaderEpoch = 23
    case addPartitionsToTxn = 24
    case addOffsetsToTxn = 25
    case endTxn = 26
    case txnOffsetCommit = 28
    case describeConfigs = 32
    case alterConfigs = 33
    case createPartitions = 37
    case deleteGroups = 42
    case incrementalAlterConfigs = 44
    case describeCluster = 60

    /// The versions understood, and the first that uses the flexible encoding (KIP-482).
    var versions: (supported: ClosedRange<Int16>, flexibleFrom: Int16) {
        switch self {
        case .produce: (3...9, 9)
        case .fetch: (4...12, 12)
        case .listOffsets: (1...6, 6)
        case .metadata: (0...9, 9)
        case .offsetCommit: (2...8, 8)
        case .offsetFetch: (1...8, 6)
        case .findCoordinator: (0...4, 3)
        case .joinGroup: (0...9, 6)
        case .heartbeat: (0...4, 4)
        case .leaveGroup: (0...5, 4)
        case .syncGroup: (0...5, 4)
        case .describeGroups: (0...5, 5)
        case .listGroups: (0...4, 3)
        case .saslHandshake: (0...1, 99)
        case .apiVersions: (0...3, 3)
        case .createTopics: (0...5, 5)
        case .deleteTopics: (0...5, 4)
        case .deleteRecords: (0...2, 2)
        case .initProducerID: (0...4, 2)
        case .offsetForLeaderEpoch: (0...4, 4)
        case .addPartitionsToTxn: (0...3, 3)
        case .addOffsetsToTxn: (0...3, 3)
        case .endTxn: (0...3, 3)
        case .txnOffsetCommit: (0...3, 3)
        case .describeConfigs: (0...4, 4)
        case .alterConfigs: (0...2, 2)
        case .createPartitions: (0...3, 2)
        case .deleteGroups: (0...2, 2)
        case .incrementalAlterConfigs: (0...1, 1)
        case .describeCluster: (0...0, 0)
        }
    }

    func isFlexible(_ version: Int16) -> Bool { version >= versions.flexibleFrom }
}
