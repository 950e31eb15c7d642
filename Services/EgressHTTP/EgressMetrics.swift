import ServiceKit

/// What this service counts.
enum EgressMetrics {
    static let requests = Counter("signalbox_egress_http_requests_total", help: "Requests that were sent.")
    static let answers = Counter("signalbox_egress_http_answers_total", help: "Answers to requests.")
    static let refused = Counter("signalbox_egress_http_refused_total", help: "Messages that a provider refused for good.")
    static let putOff = Counter("signalbox_egress_http_put_off_total", help: "Times that a message met a passing error and left for later.")
    static let failedOver = Counter("signalbox_egress_http_failed_over_total", help: "Messages that went back for the next route.")
    static let throttled = Counter("signalbox_egress_http_throttled_total", help: "Answers that asked for a slower pace.")
    static let timeouts = Counter("signalbox_egress_http_timeouts_total", help: "Requests that were not answered in time.")
    static let unreachable = Counter("signalbox_egress_http_unreachable_total", help: "Requests for which there was no connection.")
    static let receipts = Counter("signalbox_egress_http_receipts_total", help: "Delivery receipts that were kept.")
    static let callbacksRefused = Counter("signalbox_egress_http_callbacks_refused_total", help: "Calls of providers that were refused.")
}
