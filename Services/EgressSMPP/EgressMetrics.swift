import ServiceKit

/// What this service counts.
enum EgressMetrics {
    static let submits = Counter("signalbox_egress_smpp_submits_total", help: "submit_sm that were sent.")
    static let answers = Counter("signalbox_egress_smpp_answers_total", help: "Answers to submit_sm.")
    static let refused = Counter("signalbox_egress_smpp_refused_total", help: "Messages that a provider refused for good.")
    static let putOff = Counter("signalbox_egress_smpp_put_off_total", help: "Times that a message met a passing error and left for later.")
    static let cancelled = Counter("signalbox_egress_smpp_cancelled_total", help: "Queued messages that their senders cancelled.")
    static let failedOver = Counter("signalbox_egress_smpp_failed_over_total", help: "Messages that went back for the next route.")
    static let throttled = Counter("signalbox_egress_smpp_throttled_total", help: "Answers that asked for a slower pace.")
    static let timeouts = Counter("signalbox_egress_smpp_timeouts_total", help: "submit_sm that were not answered in time.")
    static let receipts = Counter("signalbox_egress_smpp_receipts_total", help: "Delivery receipts that were kept.")
    static let connects = Counter("signalbox_egress_smpp_binds_total", help: "Binds that a provider accepted.")
}
