/// When a delivery that failed is tried again. Pure.
struct RetryPlan: Sendable, Equatable {
    /// WEBHOOKRETRY.
    var waits: [Int]
    /// WEBHOOKMAXAGE.
    var maxAgeSeconds: Int

    /// - Parameters:
    ///   - attempts: how often it was tried.
    ///   - age: milliseconds since it was made, or since an operator asked for another try.
    /// - Returns: milliseconds until the next try; nil where it would be too old.
    func wait(attempts: Int, age: Int64) -> Int64? {
        let seconds = waits.isEmpty ? 60 : waits[min(max(0, attempts - 1), waits.count - 1)]
        return isTooOld(age + Int64(seconds) * 1_000) ? nil : Int64(seconds) * 1_000
    }

    func isTooOld(_ age: Int64) -> Bool { age > Int64(maxAgeSeconds) * 1_000 }
}
