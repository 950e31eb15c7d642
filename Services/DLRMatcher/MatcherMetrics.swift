import ServiceKit

/// What this service counts.
enum MatcherMetrics {
    static let repeated = Counter(
        "signalbox_dlr_matcher_repeated_receipts_total", help: "Receipts that repeat what had closed their entry before.")
    static let orphans = Counter(
        "signalbox_dlr_matcher_orphan_receipts_total", help: "Receipts that nothing was submitted for, after ORPHANTIME.")
}
