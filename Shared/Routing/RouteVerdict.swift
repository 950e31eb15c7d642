/// Where a message goes.
public struct RouteChoice: Sendable, Equatable {
    public var connector: String
    /// Towards the clients of an incoming connector, instead of a provider.
    public var isDelivery: Bool
    /// 0 where no row of the route table led there.
    public var routeID: Int64
    /// Who gets it, or pays for it; the message's own account where it has one.
    public var account: String
    /// The destination as the incoming connector's rules make it: prices and the log use it.
    public var destination: String
    /// What the provider is given, where that differs from the message's own.
    public var sentDestination: String?
    public var sentSource: String?
    /// Pool that the sender is to be replaced from.
    public var pool: String?
    /// Connector for the message's reports, where it is another than the one it came in over.
    public var reportConnector: String?
    /// For the message's log.
    public var notes: [String]
}

/// What is decided of a message.
public enum RouteVerdict: Sendable, Equatable {
    case go(RouteChoice)
    case refuse(RouteRefusal)
}

/// Why a message goes nowhere.
public enum RouteRefusal: Sendable, Equatable, CustomStringConvertible {
    /// No route matches at all.
    case noRoute
    /// Routes match, but every connector that they lead to was tried, may not be used or is not there.
    case exhausted
    case circles
    /// A list forbids it.
    case listed(String)
    /// A fixed route (of the message, the account or the connector) leads to nothing that there is.
    case unknownTarget(String)
    /// A message from a phone leads to a client connector or out again, and nobody is named who is to get it or to pay.
    case noAccount(String)

    public var description: String {
        switch self {
        case .noRoute: "no route"
        case .exhausted: "no route left: every connector that matches has refused it or is not configured"
        case .circles: "the routes send it in circles"
        case .listed(let why): why
        case .unknownTarget(let what): "no route: \(what)"
        case .noAccount(let connector): "no route: the way to \(connector) names no account for a message from a phone"
        }
    }
}
