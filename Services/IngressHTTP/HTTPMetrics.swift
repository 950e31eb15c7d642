import ServiceKit

/// What this service counts.
enum HTTPMetrics {
    static let requests = Counter("signalbox_ingress_http_requests_total", help: "Requests that were answered.")
    static let messages = Counter("signalbox_ingress_http_messages_total", help: "Messages that were kept and acknowledged.")
    static let refused = Counter("signalbox_ingress_http_messages_refused_total", help: "Messages that were refused.")
    static let throttled = Counter("signalbox_ingress_http_throttled_total", help: "Messages refused because they came too fast.")
    static let queueFull = Counter("signalbox_ingress_http_queue_full_total", help: "Messages refused because a queue is full.")
    static let refusedLogins = Counter("signalbox_ingress_http_logins_refused_total", help: "Logins that were refused.")
    static let refusedConnections = Counter(
        "signalbox_ingress_http_connections_refused_total", help: "Connections refused by ACCESS, or because there are too many.")
    static let delivered = Counter("signalbox_webhook_delivered_total", help: "Reports and messages that an endpoint took.")
    static let failed = Counter("signalbox_webhook_failed_total", help: "Requests to endpoints that failed.")
    static let postponed = Counter("signalbox_webhook_postponed_total", help: "Deliveries put off because their endpoint fails or is slow.")
    static let parked = Counter("signalbox_webhook_parked_total", help: "Deliveries parked because their endpoint failed for too long.")
}
