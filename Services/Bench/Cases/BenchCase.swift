/// One thing that the bench measures.
struct BenchCase: Sendable {
    enum Work: Sendable {
        /// The load generator against the simulated provider, with no gateway between them.
        case direct(Shape)
        /// The gateway doing nothing.
        case rest
        /// Bound sessions that send nothing.
        case idle(sessions: Int)
        case load(Shape)
        /// Messages accepted while the provider is away, and sent when it returns.
        case backlog(Shape)
        /// The gateway stopped, and started on the directory that it left.
        case restart
    }

    struct Shape: Sendable {
        var provider = ProviderTerms.fast
        var sessions = 10
        var window = 100
        var asksForReports = true
        var textCharacters = 90
        var parts = 1
        var perSecond: Double?
        /// Sent and not finished. Two seconds at the rate that is aimed at.
        var inFlight = 10_000
        var manner = LoadManner.smpp
    }

    var name: String
    var title: String
    var work: Work
    /// Of the time that a case has, this one's share.
    var share = 1.0

    static let all: [BenchCase] = [
        BenchCase(
            name: "direct", title: "load generator against provider, no gateway, with reports", work: .direct(Shape()), share: 0.5),
        BenchCase(
            name: "direct-plain", title: "the same without reports", work: .direct(Shape(asksForReports: false)), share: 0.5),
        BenchCase(name: "rest", title: "the gateway at rest", work: .rest),
        BenchCase(name: "idle", title: "2,000 idle sessions", work: .idle(sessions: 2_000)),
        BenchCase(
            name: "latency", title: "500 per second, with reports", work: .load(Shape(perSecond: 500))),
        BenchCase(
            name: "reports-1", title: "1 session, with reports", work: .load(Shape(sessions: 1, window: 400))),
        BenchCase(
            name: "reports", title: "10 sessions, with reports", work: .load(Shape()), share: 2),
        BenchCase(
            name: "reports-1000", title: "1,000 sessions, with reports", work: .load(Shape(sessions: 1_000, window: 1))),
        BenchCase(
            name: "plain", title: "10 sessions, without reports", work: .load(Shape(asksForReports: false))),
        BenchCase(
            name: "long", title: "long messages (400 characters, 3 parts), with reports",
            work: .load(Shape(textCharacters: 400, parts: 3, inFlight: 4_000))),
        BenchCase(
            name: "http-latency", title: "500 per second over HTTP, one in a request, with webhooks",
            work: .load(Shape(sessions: 64, perSecond: 500, manner: .http(batch: 1)))),
        BenchCase(
            name: "http", title: "10 connections over HTTP, up to 50 in a request, with webhooks",
            work: .load(Shape(manner: .http(batch: 50)))),
        BenchCase(
            name: "slow-20ms", title: "provider answers after 20 ms: 2 sessions, window 20",
            work: .load(Shape(provider: .after20, inFlight: 3_000))),
        BenchCase(
            name: "slow-50ms", title: "provider answers after 50 ms: 1 session, window 10",
            work: .load(Shape(provider: .after50, inFlight: 400))),
        BenchCase(
            name: "backlog", title: "accepted while the provider is away, sent when it returns",
            work: .backlog(Shape(inFlight: .max))),
        BenchCase(name: "restart", title: "stop, and start on the same directory", work: .restart),
    ]
}
