import Database
import ServiceKit
import Store

/// Gives reservations back whose ingress died before it could publish their messages.
///
/// A message that was published shows in the log long before `patience` has passed. Where it does not, because the log is far behind,
/// nothing is lost: billing then charges the whole price instead of the difference.
struct ReservationSweep {
    /// How long a reservation may stand without a message in the log.
    static let patienceMilliseconds: Int64 = 600_000
    /// How far the first sweep looks back.
    private static let horizonMilliseconds: Int64 = 7 * 86_400_000
    private static let batch = 1_000

    /// Everything up to this id was looked at.
    private var doneUpTo: Int64?

    mutating func run(_ connection: Connection, now: Int64) throws {
        let low = doneUpTo ?? MessageIDs.floor(at: now - ReservationSweep.patienceMilliseconds - ReservationSweep.horizonMilliseconds)
        let high = MessageIDs.floor(at: now - ReservationSweep.patienceMilliseconds)
        guard high > low else {
            // The clock was set back: what comes now has ids from there on.
            doneUpTo = min(low, high)
            return
        }
        let found = try ReservationStore.abandoned(connection, after: low, upTo: high, limit: ReservationSweep.batch)
        try ReservationStore.release(connection, found, why: "the message was never accepted")
        // A full batch: the rest is looked at next time.
        doneUpTo = found.count < ReservationSweep.batch ? high : found.last
    }
}
