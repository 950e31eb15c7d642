public import Bus
public import Configuration
import Message

/// How a message leaves its connector that was put off.
public enum Leaving: Sendable {
    case later, failedOver, ended
}

extension SubmitQueue.Outgoing {
    /// What becomes of a message that was put off, once nothing of it is under way: it comes again later, goes to the next route, or
    /// ends where there is neither for it. Nil where it was not put off.
    public func leaving(connector: String, options: OutgoingOptions) -> (how: Leaving, records: [OutgoingRecord])? {
        guard let refusal = putOffBy else { return nil }
        let taken = smscids.enumerated().compactMap { index, smscid in
            smscid.map { smscid in
                var part = TakenPart()
                part.part = UInt32(index)
                part.smscid = smscid
                return part
            }
        }
        guard refusal.verdict == .failOver else {
            return (
                .later,
                Outcome.putOff(message, takenParts: taken, connector: connector, queue: claim.topic, by: refusal, plan: options.retries)
            )
        }
        guard taken.isEmpty else {
            // Another provider would have to send all parts again, and the recipient would pay attention to half of them twice.
            let text = "\(refusal.text); \(taken.count) of \(parts.count) parts had been taken already"
            return (.ended, [Outcome.ended(message, connector: connector, as: .rejected, reason: refusal.status, text: text)])
        }
        return (
            .failedOver, Outcome.failedOver(message, connector: connector, by: refusal, validitySeconds: options.validitySeconds)
        )
    }
}
