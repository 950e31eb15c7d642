/// What is done about a provider's refusal of a message, by its `command_status` (ERRORMAP).
public struct ErrorMap: Sendable, Equatable {
    public enum Verdict: String, Sendable, CaseIterable {
        /// The provider is overloaded: slower, and the same message again in its old place.
        case throttle
        /// Something passing: again later, by the retry scheme.
        case retry
        /// Not over this connector: the router picks the next route.
        case failOver = "failover"
        /// This message will never be taken, by nobody.
        case reject
    }

    /// What an operator said, over the defaults.
    public var own: [UInt32: Verdict] = [:]
    /// For a status that neither names (ERRORMAP's `*`).
    public var others = Verdict.reject

    public init() {}

    public func verdict(_ status: UInt32) -> Verdict { own[status] ?? ErrorMap.defaults[status] ?? others }

    /// By SMPP 3.4, 5.1.3, and 5.0, 4.7.6, with what the field means by them: what says something of the message is refused, what
    /// says something of our standing with this provider goes elsewhere.
    static let defaults: [UInt32: Verdict] = [
        0x14: .throttle,  // ESME_RMSGQFUL
        0x58: .throttle,  // ESME_RTHROTTLED
        0x08: .retry,  // ESME_RSYSERR
        0x64: .retry,  // ESME_RX_T_APPN
        0xFE: .retry,  // ESME_RDELIVERYFAILURE
        0x03: .failOver,  // ESME_RINVCMDID
        0x04: .failOver,  // ESME_RINVBNDSTS
        0x15: .failOver,  // ESME_RINVSERTYP
        0x45: .failOver,  // ESME_RSUBMITFAIL
        0x65: .failOver,  // ESME_RX_P_APPN
        0x66: .failOver,  // ESME_RX_R_APPN
        0xFF: .failOver,  // ESME_RUNKNOWNERR
        0x100: .failOver,  // ESME_RSERTYPUNAUTH
        0x101: .failOver,  // ESME_RPROHIBITED
        0x102: .failOver,  // ESME_RSERTYPUNAVAIL
        0x103: .failOver,  // ESME_RSERTYPDENIED
    ]
}

/// When a message is tried again that met a passing error (RETRYSCHEME, RETRYTIME, MAXTRIES).
public struct RetryPlan: Sendable, Equatable {
    /// After the first failed attempt, the second, ...; the last one repeats while attempts are left.
    public var waitsMilliseconds: [Int64] = [1_000, 10_000, 60_000]
    /// Attempts in all, the first included.
    public var maximumAttempts = 4

    public init() {}
}

extension OptionReader {
    /// `0x58=throttle 0x0B=reject 8=retry *=failover`: numbers are decimal or, with 0x, hexadecimal.
    mutating func errorMap() -> ErrorMap {
        var map = ErrorMap()
        // HTTP's statuses are other ones, and read with its options.
        guard !isHTTPProvider, let text = text("ERRORMAP") else { return map }
        for pair in text.split(whereSeparator: { $0 == " " || $0 == "," || $0 == "\t" }) {
            let sides = pair.split(separator: "=", maxSplits: 1)
            guard sides.count == 2, let verdict = ErrorMap.Verdict(rawValue: sides[1].lowercased()) else {
                let words = ErrorMap.Verdict.allCases.map(\.rawValue).joined(separator: ", ")
                fault("ERRORMAP", "ERRORMAP is a list of status=\(words), not \(pair)")
                continue
            }
            let number = sides[0].lowercased()
            if number == "*" {
                map.others = verdict
            } else if let status = number.hasPrefix("0x") ? UInt32(number.dropFirst(2), radix: 16) : UInt32(number), status != 0 {
                map.own[status] = verdict
            } else {
                fault("ERRORMAP", "ERRORMAP: \(sides[0]) is no command_status")
            }
        }
        return map
    }

    /// `RETRYSCHEME=1s,10s,1m`; or RETRYTIME, the same wait each time. MAXTRIES bounds the attempts.
    mutating func retryPlan() -> RetryPlan {
        var plan = RetryPlan()
        if let seconds = integer("RETRYTIME", 1...86_400) { plan.waitsMilliseconds = [Int64(seconds) * 1_000] }
        if let text = text("RETRYSCHEME") {
            let waits = text.split(whereSeparator: { $0 == "," || $0 == " " }).map { duration($0) }
            if waits.isEmpty || waits.count > 100 || waits.contains(nil) {
                fault("RETRYSCHEME", "RETRYSCHEME is a list of waits such as 1s,10s,1m,1h, at most a day each, not \(text)")
            } else {
                plan.waitsMilliseconds = waits.compactMap { $0 }
            }
        }
        plan.maximumAttempts = integer("MAXTRIES", 1...1_000) ?? max(4, plan.waitsMilliseconds.count + 1)
        if section.last("RETRYSCHEME") != nil, section.last("MAXTRIES") == nil {
            plan.maximumAttempts = plan.waitsMilliseconds.count + 1
        }
        return plan
    }

    /// Seconds, or with s, m, h.
    private func duration(_ text: Substring) -> Int64? {
        let factors: [Character: Int64] = ["s": 1_000, "m": 60_000, "h": 3_600_000]
        let factor = text.last.flatMap { factors[$0] }
        guard let number = Int64(factor == nil ? text : text.dropLast()), (1...86_400).contains(number) else { return nil }
        let milliseconds = number * (factor ?? 1_000)
        return milliseconds <= 86_400_000 ? milliseconds : nil
    }
}
