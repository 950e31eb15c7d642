import Foundation

/// A simulated provider: its connector in the gateway, and the process (`signalbox smsc`) behind it.
struct ProviderTerms: Sendable {
    var connector: String
    /// Destinations that begin so go to it.
    var prefix: String
    var windowSize: Int
    var sessions: Int
    var answerDelayMilliseconds: Int

    /// From the provider's answer to its receipt.
    static let receiptDelayMilliseconds = 100

    static let fast = ProviderTerms(connector: "provider", prefix: "461", windowSize: 200, sessions: 1, answerDelayMilliseconds: 0)
    static let after20 = ProviderTerms(connector: "provider-20ms", prefix: "462", windowSize: 20, sessions: 2, answerDelayMilliseconds: 20)
    static let after50 = ProviderTerms(connector: "provider-50ms", prefix: "463", windowSize: 10, sessions: 1, answerDelayMilliseconds: 50)
    static let all = [fast, after20, after50]

    /// What window and answer time allow; nil for one that answers at once.
    var possiblePerSecond: Double? {
        answerDelayMilliseconds > 0 ? Double(windowSize * sessions) * 1_000 / Double(answerDelayMilliseconds) : nil
    }

    /// The number of message 0 of a load that begins after `count` messages.
    func firstDestination(after count: Int) -> UInt64 { (UInt64(prefix) ?? 0) * 1_000_000_000 + UInt64(count) }
}

/// One running `signalbox smsc`, and its file of arrivals, which its successors continue.
struct Provider: Sendable {
    let terms: ProviderTerms
    let port: Int
    let arrivals: String
    let process: ChildProcess

    static func start(_ terms: ProviderTerms, port: Int, directory: String) async throws -> Provider {
        let arrivals = "\(directory)/\(terms.connector).arrivals"
        let process = try ChildProcess(
            [
                "smsc", "--listen", "127.0.0.1:\(port)", "--answer-delay", "\(terms.answerDelayMilliseconds)", "--receipt-delay",
                "\(ProviderTerms.receiptDelayMilliseconds)", "--arrivals", arrivals,
            ], logPath: "\(directory)/\(terms.connector).log")
        do {
            try await wait("the simulated provider listens", seconds: 60, every: .milliseconds(20)) {
                guard process.isRunning else { throw LoadFailure("the simulated provider ended: \(process.lastWords())") }
                return process.lastWords().contains("listening")
            }
        } catch {
            await process.stop()
            throw error
        }
        return Provider(terms: terms, port: port, arrivals: arrivals, process: process)
    }
}
