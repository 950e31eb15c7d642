/// What is to be done about a provider's refusal, by its `command_status` (SMPP 3.4, 5.1.3; meanings as seen in the field).
enum AnswerPolicy: Equatable {
    /// The provider is overloaded: the same message again after a pause, in its old place.
    case slowDown
    /// Something passing: again later, a few times (`RetryScheme`).
    case retry
    /// This message will never be taken.
    case refuse

    /// How long a session pauses when it is told to slow down.
    static let pauseMilliseconds: Int64 = 1_000

    static func of(commandStatus: UInt32) -> AnswerPolicy {
        switch commandStatus {
        case 0x14, 0x58: .slowDown  // ESME_RMSGQFUL, ESME_RTHROTTLED
        case 0x08, 0x64, 0xFE: .retry  // ESME_RSYSERR, ESME_RX_T_APPN, ESME_RDELIVERYFAILURE
        default: .refuse
        }
    }
}

/// When a message is tried again that met a passing error. Pure.
enum RetryScheme {
    /// After the first failed attempt, the second, ...; after one more the message has failed.
    static let waitsMilliseconds: [Int64] = [1_000, 10_000, 60_000]

    enum Decision: Equatable {
        case again(at: Int64)
        /// Its validity period ends before the next attempt is due.
        case expired
        /// Every attempt is used up.
        case failed
    }

    /// - Parameters:
    ///   - attempts: how many have failed, this one included.
    ///   - expiresAt: end of validity in milliseconds since 1970; 0 = none.
    static func decide(attempts: UInt32, expiresAt: Int64, now: Int64) -> Decision {
        guard attempts > 0, attempts <= waitsMilliseconds.count else { return .failed }
        let due = now + waitsMilliseconds[Int(attempts) - 1]
        return expiresAt > 0 && expiresAt <= due ? .expired : .again(at: due)
    }
}
