/// What is to be done about a provider's refusal, by its `command_status` (SMPP 3.4, 5.1.3; meanings as seen in the field).
enum AnswerPolicy: Equatable {
    /// The provider is overloaded: the same message again after a pause, in its old place.
    case slowDown
    /// Something passing: again, a few times.
    case retry
    /// This message will never be taken.
    case refuse

    /// How long a session pauses when it is told to slow down.
    static let pauseMilliseconds: Int64 = 1_000
    /// How often a passing error is tried again before the message fails.
    static let maxAttempts = 5

    static func of(commandStatus: UInt32) -> AnswerPolicy {
        switch commandStatus {
        case 0x14, 0x58: .slowDown  // ESME_RMSGQFUL, ESME_RTHROTTLED
        case 0x08, 0x64, 0xFE: .retry  // ESME_RSYSERR, ESME_RX_T_APPN, ESME_RDELIVERYFAILURE
        default: .refuse
        }
    }
}
