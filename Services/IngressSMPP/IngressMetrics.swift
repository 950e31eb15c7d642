import ServiceKit

/// What this service counts.
enum IngressMetrics {
    static let binds = Counter("signalbox_ingress_smpp_binds_total", help: "Binds that were accepted.")
    static let refusedBinds = Counter("signalbox_ingress_smpp_binds_refused_total", help: "Binds that were refused.")
    static let submits = Counter("signalbox_ingress_smpp_submits_total", help: "submit_sm that were kept and acknowledged.")
    static let refusedSubmits = Counter("signalbox_ingress_smpp_submits_refused_total", help: "submit_sm that were refused.")
    static let throttled = Counter(
        "signalbox_ingress_smpp_throttled_total", help: "Messages above the allowed rate: delayed, or refused where THROTTLE=REJECT.")
    static let queueFull = Counter(
        "signalbox_ingress_smpp_queue_full_total", help: "Messages refused because the queues that they could go to are full.")
    static let refusedConnections = Counter(
        "signalbox_ingress_smpp_connections_refused_total", help: "Connections refused by ACCESS, or because there are too many.")
    static let forwarded = Counter(
        "signalbox_ingress_smpp_deliveries_forwarded_total", help: "Deliveries passed to the instance where their client is bound.")
    static let parked = Counter("signalbox_ingress_smpp_deliveries_parked_total", help: "Deliveries parked because their client is away.")
    static let malformed = Counter("signalbox_ingress_smpp_malformed_pdus_total", help: "PDUs that could not be read.")
    static let deliveries = Counter("signalbox_ingress_smpp_deliveries_total", help: "deliver_sm that clients acknowledged.")
}
