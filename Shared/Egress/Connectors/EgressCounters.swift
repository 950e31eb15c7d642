public import ServiceKit

/// What services that send to providers count alike.
public struct EgressCounters: Sendable {
    public let answers: Counter
    public let refused: Counter
    public let putOff: Counter
    public let cancelled: Counter
    public let failedOver: Counter
    public let throttled: Counter
    public let timeouts: Counter

    /// - Parameters:
    ///   - prefix: of the names, such as `signalbox_egress_smpp`.
    ///   - request: what is sent, in the plural.
    public init(_ prefix: String, of request: String) {
        answers = Counter("\(prefix)_answers_total", help: "Answers to \(request).")
        refused = Counter("\(prefix)_refused_total", help: "Messages that a provider refused for good.")
        putOff = Counter("\(prefix)_put_off_total", help: "Times that a message met a passing error and left for later.")
        cancelled = Counter("\(prefix)_cancelled_total", help: "Queued messages that their senders cancelled.")
        failedOver = Counter("\(prefix)_failed_over_total", help: "Messages that went back for the next route.")
        throttled = Counter("\(prefix)_throttled_total", help: "Answers that asked for a slower pace.")
        timeouts = Counter("\(prefix)_timeouts_total", help: "Those \(request) that were not answered in time.")
    }
}
