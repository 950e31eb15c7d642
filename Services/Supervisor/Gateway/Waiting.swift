import Foundation

/// Asks `trouble` until there is none.
/// - Throws: `UpError` with the last trouble when `timeout` is over; `CancellationError` when the gateway is told to stop meanwhile.
func waitUntil(_ what: String, timeout: Duration, _ trouble: @Sendable () async -> String?) async throws {
    let deadline = ContinuousClock.now + timeout
    while true {
        try Task.checkCancellation()
        guard let last = await trouble() else { return }
        guard ContinuousClock.now < deadline else { throw UpError("\(what) is not ready after \(timeout.components.seconds) s: \(last)") }
        try await Task.sleep(for: .milliseconds(100))
    }
}
