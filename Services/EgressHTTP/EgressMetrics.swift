import Egress
import ServiceKit

/// What this service counts.
enum EgressMetrics {
    static let common = EgressCounters("signalbox_egress_http", of: "requests")
    static let requests = Counter("signalbox_egress_http_requests_total", help: "Requests that were sent.")
    static let unreachable = Counter("signalbox_egress_http_unreachable_total", help: "Requests for which there was no connection.")
    static let receipts = Counter("signalbox_egress_http_receipts_total", help: "Delivery receipts that were kept.")
    static let messages = Counter("signalbox_egress_http_messages_total", help: "Messages from phones that were kept.")
    static let callbacksRefused = Counter("signalbox_egress_http_callbacks_refused_total", help: "Calls of providers that were refused.")
}
