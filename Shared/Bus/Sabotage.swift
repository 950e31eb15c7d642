import Foundation

/// Deliberate breaks of the gateway's promises, by which the tests of faults prove that their audit sees such a break.
///
/// A process reads once, when it first asks, which one is on: the word in the file that `SIGNALBOX_SABOTAGE` names. Only debug builds
/// look; in a release build none can be switched on.
public enum Sabotage: String, Sendable {
    /// Clients are answered before the broker has acknowledged their message (breaks promise 1).
    case answerEarly = "answer-early"
    /// The offset of a record that nobody has finished is committed (breaks promises 1 and 4).
    case commitEarly = "commit-early"
    /// Billing does not know again what it booked before (breaks promise 2).
    case chargeTwice = "charge-twice"

    #if DEBUG
        private static let chosen: Sabotage? = {
            guard let path = ProcessInfo.processInfo.environment["SIGNALBOX_SABOTAGE"],
                let word = try? String(contentsOfFile: path, encoding: .utf8)
            else { return nil }
            return Sabotage(rawValue: word.trimmingCharacters(in: .whitespacesAndNewlines))
        }()
        public var isOn: Bool { Sabotage.chosen == self }
    #else
        public var isOn: Bool { false }
    #endif
}
